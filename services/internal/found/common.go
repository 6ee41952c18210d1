package found

import (
	"cmp"
	"slices"

	"weir/schemas"
)

// Common is what several findings, or members of one, have in common. The zero value has
// seen none.
type Common struct {
	all []attr // sorted by key
}

// attr is the value that all have, as far as is known.
type attr struct {
	schemas.Attr
	many bool // it is not the same
}

// Note takes in what one of them has.
func (c *Common) Note(key, value string) {
	i, known := c.find(key)
	if !known {
		c.all = slices.Insert(c.all, i, attr{Attr: schemas.Attr{Key: key, Value: value}})
	}
	c.all[i].many = c.all[i].many || c.all[i].Value != value
}

// One is the value of a key that all have; empty: there is none, or several.
func (c *Common) One(key string) string {
	if i, known := c.find(key); known && !c.all[i].many {
		return c.all[i].Value
	}
	return ""
}

// Attrs are all that are the same, by key.
func (c *Common) Attrs() (all []schemas.Attr) {
	for _, a := range c.all {
		if !a.many && a.Value != "" {
			all = append(all, a.Attr)
		}
	}
	return all
}

func (c *Common) find(key string) (int, bool) {
	return slices.BinarySearchFunc(c.all, key, func(a attr, key string) int { return cmp.Compare(a.Key, key) })
}
