package gateway

import (
	"slices"

	"weir/schemas"
)

// What an aggregator says is lost is what its state knows: the numbers of devices that
// it has not seen, and records of frames that are gone. A state goes through epochs, so
// the newest epoch of a state speaks for those before it. It also speaks for those that
// a lost copy of the state has begun or gone on with: what they had brought is here, and
// stands among the missing numbers of the copy that goes on.

// lineage is which epochs of a producer are spoken for.
type lineage struct {
	spoken  map[*space]bool
	brought map[string]uint64 // records of numbers that only lost copies knew, by tenant
}

// retell finds out anew who speaks for whom.
func (p *producer) retell() {
	p.line = &lineage{spoken: map[*space]bool{}, brought: map[string]uint64{}}
	for e, s := range p.spaces {
		h := p.speaker(e)
		if h == nil {
			continue
		}
		p.line.spoken[s] = true
		if s.newest == nil {
			continue
		}
		for tenant, n := range schemas.Numbers(s.newest.totals) {
			if knew := h.knew[e][tenant]; n > knew {
				p.line.brought[tenant] += n - knew
			}
		}
	}
}

// speaker is the newest epoch that speaks for one; nil: it does so itself.
func (p *producer) speaker(e schemas.Epoch) (newest *space) {
	var by schemas.Epoch
	for _, other := range p.epochs() {
		h := p.spaces[other]
		if h.newest != nil && p.speaks(other, e, schemas.MaxContinued) && (newest == nil || p.speaks(other, by, schemas.MaxContinued)) {
			newest, by = h, other
		}
	}
	return newest
}

// speaks reports whether an epoch goes on from the state of another, or from one that
// the other, of which it knows nothing, has gone on from. depth bounds the search.
func (p *producer) speaks(by, of schemas.Epoch, depth int) bool {
	h, s := p.spaces[by], p.spaces[of]
	i := slices.IndexFunc(h.after, func(k schemas.Continuation) bool { return k.Epoch == of })
	if i < 0 || s == nil || depth == 0 {
		return false
	}
	return h.after[i].State > 0 || slices.ContainsFunc(s.after, func(k schemas.Continuation) bool {
		return k.State > 0 && p.speaks(by, k.Epoch, depth-1)
	})
}

// totals are the producer's, of all epochs: their sum, but what is lost only once. Those of
// a gateway are told again in each epoch.
func (p *producer) totals() map[schemas.Total]uint64 {
	if p.line == nil {
		p.retell()
	}
	if !p.agent && len(p.spaces) > 1 {
		sum := p.fullest()
		p.withhold(sum)
		return sum
	}
	sum := map[schemas.Total]uint64{}
	for _, s := range p.spaces {
		rows := s.account()
		if p.line.spoken[s] {
			rows = slices.DeleteFunc(slices.Clone(rows), lostBelow)
		}
		addTotals(sum, rows)
	}
	for tenant, n := range p.line.brought {
		reconcile(sum, tenant, n)
	}
	return sum
}

// fullest are the totals of a gateway that has begun anew, with an empty folder: its
// producers have told it once more all that they had come to. So of each share that epoch
// speaks which has received more, the current one where they are equal. Where a producer
// has not come back, and the others have had more since, its records are not among them.
func (p *producer) fullest() map[schemas.Total]uint64 {
	type share struct {
		tenant string
		signal schemas.Signal
	}
	most, speaks := map[share]uint64{}, map[share]*space{}
	rows := map[*space][]schemas.Total{}
	for _, e := range p.epochs() {
		s := p.spaces[e]
		rows[s] = s.account()
		received := map[share]uint64{}
		for _, t := range rows[s] {
			who, n := share{t.Tenant, t.Signal}, uint64(0)
			if t.Stage == "" && t.Outcome == "" {
				n = t.N
			}
			received[who] += n
		}
		for who, n := range received {
			if speaks[who] == nil || n > most[who] || n == most[who] && s == p.current {
				most[who], speaks[who] = n, s
			}
		}
	}
	sum := map[schemas.Total]uint64{}
	for s, told := range rows {
		addTotals(sum, slices.DeleteFunc(slices.Clone(told), func(t schemas.Total) bool { return speaks[share{t.Tenant, t.Signal}] != s }))
	}
	return sum
}

// reconcile takes n records off that a lost copy has brought from what the copy that
// goes on misses. Where there are more of them than it misses, it has had the rest, too:
// they are repeats among those in doubt, or have come anew for those that were lost.
func reconcile(sum map[schemas.Total]uint64, tenant string, n uint64) {
	row := func(s schemas.Stage, o schemas.Outcome, r schemas.Reason) schemas.Total {
		return schemas.Total{Tenant: tenant, Signal: schemas.Metrics, Stage: s, Outcome: o, Reason: r}
	}
	n -= take(sum, row(schemas.StageAggregator, schemas.LostDeclared, schemas.DeviceHole), n)
	for _, at := range [...]schemas.Stage{schemas.StageGateway, schemas.StageAggregator} {
		if repeats := take(sum, row(at, schemas.Shed, schemas.InDoubt), n); repeats > 0 {
			sum[row(at, schemas.Duplicate, schemas.Repeat)] += repeats
			n -= repeats
		}
	}
	take(sum, row(schemas.StageGateway, schemas.LostDeclared, schemas.StoreLost), n)
}

// take takes up to n off a total and says how many that were. One that is used up is
// left out.
func take(sum map[schemas.Total]uint64, t schemas.Total, n uint64) uint64 {
	n = min(n, sum[t])
	if sum[t] -= n; sum[t] == 0 {
		delete(sum, t)
	}
	return n
}

// lostBelow reports whether a total is of what an aggregator says is lost.
func lostBelow(t schemas.Total) bool {
	return t.Outcome == schemas.LostDeclared && t.Stage == schemas.StageAggregator
}

// know notes how many records of numbers the state of an epoch had, which this one
// goes on from.
func (s *succession) know(of schemas.Epoch, will []schemas.Total) {
	s.knew[of] = schemas.Numbers(will)
}
