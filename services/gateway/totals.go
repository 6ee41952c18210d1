package gateway

import (
	"maps"
	"sort"

	"weir/schemas"
)

// totals are the sums of what the producers' newest commits say, and how many log records have
// been passed through, sorted.
func (f *Fold) totals() []schemas.Total {
	sum := map[schemas.Total]uint64{}
	for _, name := range f.names {
		addSum(sum, f.producers[name].totals())
	}
	maps.DeleteFunc(sum, func(t schemas.Total, _ uint64) bool { return t.Outcome == schemas.Passed })
	for tenant, n := range f.passed { // what has gone on, whatever is on its way
		sum[passedTotal(tenant)] = n
	}
	return sortedTotals(sum)
}

func sortedTotals(sum map[schemas.Total]uint64) []schemas.Total {
	out := make([]schemas.Total, 0, len(sum))
	for t, n := range sum {
		t.N = n
		out = append(out, t)
	}
	sort.Slice(out, func(i, j int) bool { return totalLess(&out[i], &out[j]) })
	return out
}

func addSum(sum, more map[schemas.Total]uint64) {
	for t, n := range more {
		sum[t] += n
	}
}

func addTotals(sum map[schemas.Total]uint64, rows []schemas.Total) {
	for _, t := range rows {
		n := t.N
		t.N = 0
		sum[t] += n
	}
}

func totalLess(a, b *schemas.Total) bool {
	for _, p := range [...][2]string{
		{a.Tenant, b.Tenant},
		{string(a.Signal), string(b.Signal)},
		{string(a.Stage), string(b.Stage)},
		{string(a.Outcome), string(b.Outcome)},
		{string(a.Reason), string(b.Reason)},
	} {
		if p[0] != p[1] {
			return p[0] < p[1]
		}
	}
	return false
}

// Check is what the partition knows for the ledger, between two messages.
func (f *Fold) Check(wall int64) schemas.GatewayCheck {
	c := schemas.GatewayCheck{
		Producer: f.producer, Tier: f.tier, Time: f.now, Entries: f.entries, Repeats: f.repeats, Damaged: f.damaged,
		Open: len(f.windows), Windows: map[string]uint64{},
	}
	if f.wall > 0 {
		c.Lag = max(0, float64(wall-f.wall)/1e9)
	}
	for _, t := range f.totals() {
		if t.Outcome.OfPassing() {
			c.Passing = append(c.Passing, t)
		}
	}
	for k, n := range f.emits {
		c.Windows[k] = n
	}
	for _, name := range f.names {
		p := f.producers[name]
		c.Debt += p.debt()
		c.Unexplained += p.unexplained()
		if p.owes || f.behind(p) {
			c.Waiting = append(c.Waiting, name)
		}
	}
	return c
}

// behind reports whether a producer holds some view back, or would if it were
// not too far behind.
func (f *Fold) behind(p *producer) bool {
	for _, v := range f.views {
		q := p.view(v.View)
		if q != nil && q.OnTimeThrough != never && f.newest(v)-q.OnTimeThrough > 10*wholeSecond {
			return true
		}
	}
	return false
}
