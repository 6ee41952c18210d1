package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/schemas"
	"weir/services/internal/bus"
)

// ownersOf asks who owns the partitions of a tier that is here; nil where they are
// not shared.
func ownersOf(ctx context.Context, b *bus.Bus, tiers []schemas.Tier) (*schemas.Owners, error) {
	for _, t := range tiers {
		owners, err := ask[*schemas.Owners](ctx, b, schemas.AskOwnersOf(t), nil)
		if !errors.Is(err, bus.ErrNone) {
			return owners, err
		}
	}
	return nil, nil
}

// OwnersLine says who owns which partitions:
//
//	partitions: g1 0-6, 9; g2 7-8, 10-14; nobody 15
func OwnersLine(o *schemas.Owners) string {
	of := map[string][]int{}
	for p, name := range o.Owners {
		of[name] = append(of[name], p)
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if name != "" {
			parts = append(parts, name+" "+schemas.Ranges(of[name]))
		}
	}
	if none := of[""]; len(none) > 0 {
		parts = append(parts, "nobody "+schemas.Ranges(none))
	}
	return "partitions: " + strings.Join(parts, "; ")
}

// ownerless says at the end of the live line which partitions nobody owns, if any.
func ownerless(o *schemas.Owners) string {
	none := o.Unowned()
	if len(none) == 0 {
		return ""
	}
	return fmt.Sprintf(" · nobody owns %s of %d partitions: %s", Thousands(uint64(len(none))), len(o.Owners), schemas.Ranges(none))
}

// owners sends how many partitions each gateway owns, and how many nobody does.
func (out sink) owners(o *schemas.Owners) {
	if o == nil || len(o.Owners) == 0 {
		return
	}
	for name, n := range o.By() {
		out.gauge(partitionsOwnedDesc, float64(n), string(o.Tier), name)
	}
	out.gauge(partitionsUnownedDesc, float64(len(o.Unowned())), string(o.Tier))
}
