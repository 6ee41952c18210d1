package verify

import (
	"fmt"
	"strings"
)

// namedReadings is how many readings a difference names.
const namedReadings = 10

// suspects says which of a device's readings explain the difference between
// what a window must hold and what it holds. The identities tell: it is found
// where up to two readings are missing or doubled, or all are missing.
func suspects(candidates []reading, want, got sum) string {
	delta := want.minus(got)
	switch {
	case got.count == 0:
		return "missing: all"
	case delta.count == 1:
		return lone(candidates, delta.digest, "missing")
	case delta.count == -1:
		return lone(candidates, -delta.digest, "counted twice, or though too late")
	case delta.count == 2:
		if a, b, ok := pair(candidates, func(id uint64) uint64 { return delta.digest - id }); ok && a != b {
			return "missing: " + name([]reading{a, b})
		}
	case delta.count == 0:
		if a, b, ok := pair(candidates, func(id uint64) uint64 { return id - delta.digest }); ok {
			return "missing: " + name([]reading{a}) + "; counted twice: " + name([]reading{b})
		}
	}
	return "not told by the digest"
}

func lone(candidates []reading, digest uint64, what string) string {
	for _, r := range candidates {
		if r.id == digest {
			return what + ": " + name([]reading{r})
		}
	}
	return "no single one of the device explains the digest"
}

// pair finds two readings of which the second has the identity that partner
// makes of the first one's.
func pair(candidates []reading, partner func(id uint64) uint64) (a, b reading, ok bool) {
	byID := map[uint64]reading{}
	for _, r := range candidates {
		byID[r.id] = r
	}
	for _, a := range candidates {
		if b, ok := byID[partner(a.id)]; ok {
			return a, b, true
		}
	}
	return a, b, false
}

func name(readings []reading) string {
	var names []string
	for i, r := range readings {
		if i == namedReadings {
			names = append(names, fmt.Sprintf("… and %d more", len(readings)-i))
			break
		}
		names = append(names, fmt.Sprintf("seq %d at %s", r.seq, stamp(r.at)))
	}
	return strings.Join(names, ", ")
}
