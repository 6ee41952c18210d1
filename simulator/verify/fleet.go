package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"weir/simulator/plan"
)

// fleetPass compares the fleet windows of one tenant. Classes are added up:
// which device belongs to which is the policy's affair.
type fleetPass struct {
	*verification
	account *account
	size    int64
	want    map[int64]*bounds // by start: what must be counted
	stale   map[int64]*bounds // by start: what is too late
}

// fleetFound is what the product says.
type fleetFound struct {
	windows map[int64]sum
	late    map[int64]sum // by group
	odd     []Difference
	pending bool
}

func newFleetPass(v *verification, a *account, size int64, es []*expectation) *fleetPass {
	p := &fleetPass{verification: v, account: a, size: size, want: map[int64]*bounds{}, stale: map[int64]*bounds{}}
	for _, e := range es {
		for start, b := range e.fleet {
			at(p.want, start).add(*b)
		}
		for start, b := range e.stale {
			at(p.stale, start).add(*b)
		}
	}
	return p
}

// group is the hour of a window, in which late totals are kept; 0 for all
// where windows do not divide an hour.
func (p *fleetPass) group(start int64) int64 {
	if hour%p.size != 0 {
		return 0
	}
	return floor(start, hour)
}

func (p *fleetPass) run(ctx context.Context) error {
	var diffs []Difference
	var late int64
	var open bool
	err := p.until(ctx, func() (state, error) {
		got, err := p.fetch(ctx)
		if err != nil {
			return state{}, err
		}
		diffs, late = p.compare(got)
		open = got.pending
		return state{wrong: int64(len(diffs)), pending: got.pending, print: got.print()}, nil
	})
	if p.options.Final && open {
		diffs = append(diffs, Difference{Where: "fleet windows of tenant " + p.account.tenant, Expected: "final ones", Found: "some that are not final"})
	}
	p.report.differ(diffs, 0)
	p.report.FleetWindows += int64(len(p.want))
	p.report.LateInFleet += late
	return err
}

func (p *fleetPass) fetch(ctx context.Context) (fleetFound, error) {
	f := fleetFound{windows: map[int64]sum{}, late: map[int64]sum{}}
	from, to := p.ends()
	err := p.product.windows(ctx, asking("center", fleetView, p.account.tenant, from, to), func(w window) bool {
		if w.metric != plan.Metric && p.account.foreign || w.start < from || w.start >= to {
			return true
		}
		if w.metric != plan.Metric || w.start%p.size != 0 || w.end-w.start != p.size || !w.exact && !p.account.foreign {
			f.odd = append(f.odd, Difference{Where: p.where(w.start), Expected: "a window of " + plan.Metric, Found: fmt.Sprintf("metric %q to %s, sum %v", w.metric, stamp(w.end), w.sum)})
		}
		f.windows[w.start] = f.windows[w.start].plus(w.sum)
		f.pending = f.pending || !w.final
		return true
	})
	if err != nil {
		return f, err
	}
	err = p.product.late(ctx, question{"tenant": {p.account.tenant}}, func(view string, t lateTotal) {
		if view == fleetView && t.metric == plan.Metric {
			g := p.group(t.hour)
			f.late[g] = f.late[g].plus(t.sum)
		}
	})
	return f, err
}

// ends is the event time that the tenant's windows lie in.
func (p *fleetPass) ends() (from, to int64) {
	for _, starts := range []map[int64]*bounds{p.want, p.stale} {
		for start := range starts {
			if to == 0 || start < from {
				from = start
			}
			to = max(to, start+p.size)
		}
	}
	return from, to
}

// compare returns what differs, and how many readings only the fleet view calls
// late; negative: so many that the devices' views call late and the fleet view
// still took, before it had a watermark. Where windows and late totals are not
// each as the truth says, their sum must be, by group, and no window may hold
// more than it may.
func (p *fleetPass) compare(f fleetFound) (diffs []Difference, late int64) {
	if p.account.foreign {
		return p.compareShared(f), 0
	}
	exact := p.eachExact(f)
	if len(exact) == 0 {
		return f.odd, 0
	}
	diffs, late = p.conserved(f)
	if late == 0 || len(diffs) > 0 { // nothing is explained by lateness: the windows say more
		return append(f.odd, exact...), 0
	}
	return f.odd, late
}

// eachExact compares window by window and hour by hour.
func (p *fleetPass) eachExact(f fleetFound) []Difference {
	var diffs []Difference
	for _, start := range starts(p.want, f.windows) {
		if b := orZero(p.want[start]); !b.fits(f.windows[start]) {
			diffs = append(diffs, Difference{Where: p.where(start), Expected: b.String(), Found: f.windows[start].String()})
		}
	}
	stale := p.grouped(p.stale)
	for _, g := range starts(stale, f.late) {
		if b := orZero(stale[g]); !b.fits(f.late[g]) {
			diffs = append(diffs, Difference{Where: p.whereLate(g), Expected: b.String(), Found: f.late[g].String()})
		}
	}
	return diffs
}

// conserved compares windows and late totals together.
func (p *fleetPass) conserved(f fleetFound) (diffs []Difference, late int64) {
	want, stale, got := p.grouped(p.want), p.grouped(p.stale), map[int64]sum{}
	for start, s := range f.windows {
		got[p.group(start)] = got[p.group(start)].plus(s)
		b := orZero(p.want[start])
		b.add(orZero(p.stale[start]))
		if most := b.most(); s.count > most.count || s.units > most.units {
			diffs = append(diffs, Difference{Where: p.where(start), Expected: "at most " + most.String(), Found: s.String()})
		}
	}
	for g, s := range f.late {
		got[g] = got[g].plus(s)
		late += s.count - orZero(stale[g]).most().count
	}
	for _, g := range starts(want, got) {
		b := orZero(want[g])
		b.add(orZero(stale[g]))
		if !b.fits(got[g]) {
			diffs = append(diffs, Difference{Where: p.whereLate(g) + ", with windows", Expected: b.String(), Found: got[g].String()})
		}
	}
	return diffs, late
}

// compareShared compares from below, where others have records in the tenant.
func (p *fleetPass) compareShared(f fleetFound) []Difference {
	var diffs []Difference
	want, got := p.grouped(p.want), map[int64]int64{}
	for start, s := range f.windows {
		got[p.group(start)] += s.count
	}
	for g, b := range want {
		if n := got[g] + f.late[g].count; n < b.sure.count {
			diffs = append(diffs, Difference{Where: p.whereLate(g) + ", with windows", Expected: fmt.Sprintf("count %d or more", b.sure.count), Found: fmt.Sprintf("count %d", n)})
		}
	}
	slices.SortFunc(diffs, byWhere)
	return diffs
}

func (p *fleetPass) grouped(windows map[int64]*bounds) map[int64]*bounds {
	groups := map[int64]*bounds{}
	for start, b := range windows {
		at(groups, p.group(start)).add(*b)
	}
	return groups
}

func (p *fleetPass) where(start int64) string {
	return fmt.Sprintf("fleet window %s %s %s to %s", p.account.tenant, plan.Metric, stamp(start), stamp(start+p.size))
}

func (p *fleetPass) whereLate(group int64) string {
	if hour%p.size != 0 {
		return fmt.Sprintf("late readings of the fleet view, tenant %s", p.account.tenant)
	}
	return fmt.Sprintf("late readings of the fleet view, tenant %s, hour %s", p.account.tenant, stamp(group))
}

func (f fleetFound) print() uint64 {
	var p uint64
	for _, s := range f.windows {
		p += s.digest ^ uint64(s.count)
	}
	return p
}

func orZero(b *bounds) bounds {
	if b == nil {
		return bounds{}
	}
	return *b
}

// starts are the keys of both maps, sorted.
func starts(a map[int64]*bounds, b map[int64]sum) []int64 {
	var all []int64
	for k := range a {
		all = append(all, k)
	}
	for k := range b {
		if a[k] == nil {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return all
}

func byWhere(a, b Difference) int { return strings.Compare(a.Where, b.Where) }
