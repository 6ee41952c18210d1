package gateway

import (
	"slices"
	"strings"

	"weir/schemas"
	"weir/services/internal/fold"
	"weir/services/internal/parts"
)

// publishes reports whether a window goes out as a JSON line: its view ends at
// this tier, and the policy of a part's producer says so.
func (f *Fold) publishes(v *view, m *merged) bool {
	return v.Uplink == f.tier && slices.ContainsFunc(m.parts, func(p *part) bool {
		row := f.find(p.Contributor).view(p.View)
		return row != nil && row.Publish
	})
}

// finals are the whole values of the windows that have ended in this flush and
// are published, in the order of their keys.
func (f *Fold) finals() []fold.Final {
	slices.SortFunc(f.ended, func(a, b *merged) int { return strings.Compare(a.key, b.key) })
	var out []fold.Final
	for _, m := range f.ended {
		w, _ := m.sum(nil)
		w.Revision, w.Timing = m.rev, schemas.FinalTiming
		out = append(out, fold.Final{Window: w, Amendment: m.amends})
	}
	return out
}

// publishedRow is the line of a window that is final at a gateway. At a region
// the contributor of a device's window is its agent, at the center it is a
// partition of its region.
func publishedRow(gateway string, final *fold.Final) schemas.PublishedRow {
	var sum parts.Sum
	sum.Add(&final.Window)
	agent := final.Window.Contributor
	region, _ := schemas.SplitProducer(gateway)
	if region == schemas.Center {
		agent = ""
		region, _ = schemas.SplitProducer(final.Window.Contributor)
	}
	return schemas.PublishedRow{WindowRow: sum.Row(agent, region), Gateway: gateway, Amendment: final.Amendment}
}
