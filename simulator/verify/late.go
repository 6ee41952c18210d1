package verify

import (
	"context"
	"fmt"
	"slices"

	"weir/simulator/truth"
)

// latePass compares the late totals of the device view for one truth.
type latePass struct {
	*verification
	truth *truth.Truth
	want  map[hourOf]*bounds
	moved map[hourOf]sum // readings that the truth does not call late, but windows lack
}

// excuses reports whether a window may hold s, since what it lacks may be late.
func (p *latePass) excuses(b *bounds, s sum) bool {
	return p.options.LateAllowed && b.short(s)
}

// owe expects what a window lacks in the late totals.
func (p *latePass) owe(k place, b *bounds, s sum) {
	h := hourOf{k.device, floor(k.start, hour)}
	p.moved[h] = p.moved[h].plus(b.sure.minus(s))
	at(p.want, h)
}

func (p *latePass) run(ctx context.Context) error {
	var diffs []Difference
	err := p.until(ctx, func() (state, error) {
		got, err := p.fetch(ctx)
		diffs = p.compare(got)
		return state{wrong: int64(len(diffs))}, err
	})
	p.report.differ(diffs, 0)
	return err
}

func (p *latePass) fetch(ctx context.Context) (map[hourOf]sum, error) {
	got := map[hourOf]sum{}
	err := p.product.late(ctx, question{"tenant": {p.truth.Plan.Tenant}}, func(view string, t lateTotal) {
		if d := p.truth.Plan.Index(t.device); d >= 0 && view == deviceView {
			h := hourOf{d, t.hour}
			got[h] = got[h].plus(t.sum)
		}
	})
	return got, err
}

func (p *latePass) compare(got map[hourOf]sum) []Difference {
	var diffs []Difference
	for h, b := range p.want {
		want := *b
		want.sure = want.sure.plus(p.moved[h])
		if s := got[h]; !want.fits(s) {
			diffs = append(diffs, p.difference(h, want.String(), s))
		}
	}
	for h, s := range got {
		if p.want[h] == nil {
			diffs = append(diffs, p.difference(h, "none", s))
		}
	}
	slices.SortFunc(diffs, byWhere)
	return diffs
}

func (p *latePass) difference(h hourOf, want string, got sum) Difference {
	return Difference{
		Where:    fmt.Sprintf("late readings of device %s, hour %s", p.truth.Plan.Device(h.device), stamp(h.hour)),
		Expected: want, Found: got.String(),
	}
}
