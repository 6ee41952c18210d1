package aggregator

import (
	"math"
	"slices"
)

// retire forgets the oldest generation of views once nothing needs it: the agent
// watermark has passed the start of the next one by its lateness, and no window
// of a shape that only the oldest knows is open. Until then its lateness holds
// final_through back.
func (f *Fold) retire() {
	if len(f.generations) < 2 || f.low == math.MinInt64 {
		return
	}
	old, rest := f.generations[0], f.generations[1:]
	for i := range old.Views {
		if f.low-old.Views[i].Spec.Lateness < rest[0].from {
			return
		}
	}
	if f.needed(rest) {
		return
	}
	f.generations = rest
	f.counting = counts(rest)
	rest[0].from = math.MinInt64
	gone := func(g *group) bool { return viewShaped(rest, g.view.shape()) == nil }
	f.order = slices.DeleteFunc(f.order, gone)
	for _, d := range f.devices {
		d.own = slices.DeleteFunc(d.own, gone)
	}
	for _, v := range f.views {
		v.groups = slices.DeleteFunc(v.groups, gone)
	}
	for k, g := range f.groups {
		if gone(g) {
			delete(f.groups, k)
		}
	}
}

// needed reports whether a group that the rest does not know has windows or
// late totals that are not final.
func (f *Fold) needed(rest []*generation) bool {
	for _, g := range f.order {
		if g.panes.Open() > 0 && viewShaped(rest, g.view.shape()) == nil {
			return true
		}
	}
	for k := range f.lates {
		if viewShaped(rest, k.g.view.shape()) == nil {
			return true
		}
	}
	return false
}
