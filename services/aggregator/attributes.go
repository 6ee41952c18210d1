package aggregator

import (
	"encoding/binary"
	"slices"
	"strings"

	"weir/schemas"
	"weir/services/internal/fold"
)

// Attributes are those of a reading that some view looks at, sorted by key.
type Attributes []schemas.Attr

// Get is the value of a key, empty where there is none.
func (a Attributes) Get(key string) string {
	for i := range a {
		if a[i].Key == key {
			return a[i].Value
		}
	}
	return ""
}

// OverflowValue stands for the attributes of a device that has sent too many
// different ones: its records are counted under that value.
const OverflowValue = "weir.overflow"

// attrDim begins the dimensions of a view that are attributes.
const attrDim = "attrs."

// attrSet are attributes that some device has sent. Equal ones of an agent are
// one, so that pointers tell them apart; nil is none.
type attrSet struct {
	id string // key, value, key, value …, each behind its length
	Attributes
}

// all are the attributes of a set that may be none.
func (s *attrSet) all() Attributes {
	if s == nil {
		return nil
	}
	return s.Attributes
}

// attributes keeps which attributes an agent's views look at, and what was sent.
type attributes struct {
	keys []string // sorted
	sets map[string]*attrSet
	id   []byte // of the set at hand
}

// Keys are those of the attributes that the view looks at.
func (v *View) Keys() []string { return append(attrKeys(v.Dims), v.Attrs...) }

// look takes over which attributes the views of all generations look at. It
// reports whether that has changed: what was kept by the old ones is void then.
func (a *attributes) look(gens []*generation) bool {
	var keys []string
	for _, g := range gens {
		for i := range g.Views {
			keys = append(keys, g.Views[i].Keys()...)
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if slices.Equal(keys, a.keys) {
		return false
	}
	*a = attributes{keys: keys}
	return true
}

// of are those attributes of a frame's source that views look at; nil: none.
func (a *attributes) of(f *schemas.Frame, s *schemas.Source) *attrSet {
	if len(a.keys) == 0 || len(s.Attrs) == 0 {
		return nil
	}
	a.id = a.id[:0]
	for k := 0; k < len(s.Attrs); k += 2 {
		if key := f.Strings[s.Attrs[k]]; a.wants(key) {
			a.id = appendAttr(a.id, key, f.Strings[s.Attrs[k+1]])
		}
	}
	return a.set(a.id)
}

func (a *attributes) wants(key string) bool {
	_, found := slices.BinarySearch(a.keys, key)
	return found
}

// set is the one set of an id.
func (a *attributes) set(id []byte) *attrSet {
	if len(id) == 0 {
		return nil
	}
	if s := a.sets[string(id)]; s != nil {
		return s
	}
	s := &attrSet{id: string(id)}
	for r := (fold.StateReader{B: []byte(s.id)}); len(r.B) > 0 && r.Err == nil; {
		s.Attributes = append(s.Attributes, schemas.Attr{Key: r.String(), Value: r.String()})
	}
	if a.sets == nil {
		a.sets = map[string]*attrSet{}
	}
	a.sets[s.id] = s
	return s
}

// overflow is the set of a device that has sent too many.
func (a *attributes) overflow() *attrSet {
	a.id = a.id[:0]
	for _, key := range a.keys {
		a.id = appendAttr(a.id, key, OverflowValue)
	}
	return a.set(a.id)
}

func appendAttr(b []byte, key, value string) []byte {
	return fold.AppendString(fold.AppendString(b, key), value)
}

// sets are the attributes that a device has sent, in the order in which it did.
type sets []*attrSet

// take is the set under which the device's records are counted: s itself, unless
// the device has sent too many others before.
func (d *device) take(s *attrSet, most int, a *attributes) *attrSet {
	switch {
	case s == nil || slices.Contains(d.sets, s):
		return s
	case len(d.sets) >= most:
		return a.overflow()
	}
	d.sets = append(d.sets, s)
	return s
}

func (s sets) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	for _, one := range s {
		b = fold.AppendString(b, one.id)
	}
	return b
}

// readSets reads what append wrote.
func (a *attributes) readSets(r *fold.StateReader) (s sets) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		if one := a.set([]byte(r.String())); one != nil {
			s = append(s, one)
		}
	}
	return s
}

// attrKeys are the keys of the attributes among the dimensions of a view.
func attrKeys(dims []string) (keys []string) {
	for _, d := range dims {
		if key, is := strings.CutPrefix(d, attrDim); is {
			keys = append(keys, key)
		}
	}
	return keys
}
