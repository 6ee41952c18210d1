package schemas

import (
	"strconv"
)

// Owners says which of the gateways of a region owns which of its partitions.
type Owners struct {
	Tier   Tier     `json:"tier"`
	Region string   `json:"region"`      // schemas.Center for the center
	Member string   `json:"member"`      // who says it
	Owners []string `json:"owners"`      // by partition; empty: nobody. None: the partitions are not shared
	Age    float64  `json:"age_seconds"` // of what it knows; negative: it knows nothing yet
}

// AskOwnersOf is where the gateways of a tier answer who owns what: → Owners. Each
// of them answers, and the first answer counts.
func AskOwnersOf(t Tier) string { return internal + "ask.gateway.owners." + string(t) }

// Unowned are the partitions that nobody owns.
func (o *Owners) Unowned() (partitions []int) {
	for p, name := range o.Owners {
		if name == "" {
			partitions = append(partitions, p)
		}
	}
	return partitions
}

// By counts the partitions of each member that owns some.
func (o *Owners) By() map[string]int {
	n := map[string]int{}
	for _, name := range o.Owners {
		if name != "" {
			n[name]++
		}
	}
	return n
}

// Ranges writes partitions, ascending, as people do: 0-3, 7.
func Ranges(partitions []int) string {
	var b []byte
	for rest := partitions; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n] == rest[n-1]+1 {
			n++
		}
		if len(b) > 0 {
			b = append(b, ", "...)
		}
		if b = strconv.AppendInt(b, int64(rest[0]), 10); n > 1 {
			b = strconv.AppendInt(append(b, '-'), int64(rest[n-1]), 10)
		}
		rest = rest[n:]
	}
	return string(b)
}
