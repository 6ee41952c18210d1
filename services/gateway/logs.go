package gateway

import (
	"slices"

	"weir/schemas"
	"weir/services/internal/fold"
)

// Log records that are passed through go on with the commit of the entry that brought
// them. What is known of them afterwards is how many there were, and, of the last ones of
// each epoch, which: an epoch that goes on from an older copy of a store may bring those
// again that the lost copy had brought.

// passedLogs is what a space knows of the log records in its entries.
type passedLogs struct {
	came  map[string]uint64 // by tenant, what is left out included
	shed  map[string]uint64 // of these, left out below: the outbox was full
	again map[string]uint64 // of these, left out here: a lost copy has brought them
	doubt map[string]uint64 // of these, left out here: nobody knows any more whether a lost copy has brought them
	recall
}

func newPassedLogs() passedLogs {
	return passedLogs{
		came: map[string]uint64{}, shed: map[string]uint64{}, again: map[string]uint64{}, doubt: map[string]uint64{}, recall: newRecall(),
	}
}

// broughtLog reports whether another epoch of a producer has brought a log record that is in
// entry n of this one; unsure: it may have. Only what one knows and the other does not can be
// in both, whichever comes first.
func (p *producer) broughtLog(s *space, n uint64, l *schemas.PassedLog) (has, unsure bool) {
	look := func(other *space, after uint64) {
		h, u := other.logs.has(after, l.ID, l.Ingest)
		has, unsure = has || h, unsure || u
	}
	for _, k := range s.after {
		if old := p.spaces[k.Epoch]; old != nil && old.last() > k.State {
			look(old, k.State)
		}
	}
	for _, x := range p.spaces {
		if x == s {
			continue
		}
		if s.fromNothing() || x.fromNothing() {
			look(x, 0)
		}
		for _, k := range x.after {
			if p.spaces[k.Epoch] == s && n > k.State {
				look(x, 0)
			}
		}
	}
	for _, x := range s.rivals {
		look(x, 0)
	}
	return has, unsure && !has
}

// fromNothing reports whether an epoch knows no other, and none knows it.
func (s *succession) fromNothing() bool { return len(s.after)+len(s.endings) == 0 }

// pass takes the log records of an entry, for the next commit.
func (f *Fold) pass(p *producer, s *space, c *schemas.Commit) {
	for i := range c.Logs {
		l := &c.Logs[i]
		s.logs.came[l.Tenant]++
		has, unsure := p.broughtLog(s, c.N, l)
		s.logs.note(c.N, l.ID, l.Ingest)
		switch {
		case has:
			s.logs.again[l.Tenant]++
			continue
		case unsure:
			s.logs.doubt[l.Tenant]++
			continue
		}
		if f.tier == schemas.TierRegion {
			l.Region = f.home()
		}
		f.passed[l.Tenant]++
		if f.now == never { // it waits, see passes
			l.Data = slices.Clone(l.Data)
		}
		f.logs = append(f.logs, *l)
	}
}

// passes reports whether there are log records for a commit. Before the first commit of any
// producer is whole there is no time for one: they wait.
func (f *Fold) passes() bool { return len(f.logs) > 0 && f.now != never }

// lack notes log records that a folded entry says were left out.
func (s *passedLogs) lack(r schemas.ShedRecords) {
	s.came[r.Tenant] += r.N
	s.shed[r.Tenant] += r.N
}

// said is how many log records of each tenant totals say were passed through.
func said(rows []schemas.Total) map[string]uint64 {
	n := map[string]uint64{}
	for _, t := range rows {
		if t.Outcome == schemas.Passed {
			n[t.Tenant] += t.N
		}
	}
	return n
}

// off is the difference between the log records that have come and those that totals say
// were passed through.
func (s *passedLogs) off(totals []schemas.Total) (off int64) {
	all := said(totals)
	for tenant, n := range s.came {
		d := int64(all[tenant] - n)
		off += max(d, -d)
		delete(all, tenant)
	}
	for _, n := range all {
		off += int64(n)
	}
	return off
}

// whole reports whether all that has come goes on.
func (s *passedLogs) whole() bool { return len(s.shed)+len(s.again)+len(s.doubt) == 0 }

// settle takes off what totals say was passed through what is left out, and books it. Of an
// epoch of which nothing comes any more, what never came is lost.
func (s *passedLogs) settle(sum map[schemas.Total]uint64, over bool) {
	tenants := map[string]bool{}
	for tenant := range s.came {
		tenants[tenant] = true
	}
	for t := range sum {
		if t.Outcome == schemas.Passed {
			tenants[t.Tenant] = true
		}
	}
	for tenant := range tenants {
		row := passedTotal(tenant)
		hold := func(at schemas.Stage, why schemas.Reason, n uint64) {
			if n > 0 {
				move(sum, row, schemas.Total{Tenant: tenant, Signal: schemas.Logs, Stage: at, Outcome: schemas.HeldBack, Reason: why}, n)
			}
		}
		came := s.came[tenant]
		if over && sum[row] < came {
			sum[row] = came // entries of a commit that has no end
		} else if over {
			hold(schemas.StageGateway, schemas.StoreLost, sum[row]-came)
		}
		hold(schemas.StageOutbox, schemas.OutboxFull, s.shed[tenant])
		hold(schemas.StageGateway, schemas.InDoubt, s.doubt[tenant])
		take(sum, row, s.again[tenant])
	}
}

// passedTotal names the log records of a tenant that are passed through.
func passedTotal(tenant string) schemas.Total {
	return schemas.Total{Tenant: tenant, Signal: schemas.Logs, Stage: schemas.StageAggregator, Outcome: schemas.Passed}
}

func (s *passedLogs) counts() [4]map[string]uint64 {
	return [...]map[string]uint64{s.came, s.shed, s.again, s.doubt}
}

func (s *passedLogs) append(b []byte) []byte {
	for _, m := range s.counts() {
		b = appendCounts(b, m)
	}
	return s.recall.append(b)
}

func (s *passedLogs) read(r *fold.StateReader, version byte) {
	for _, m := range s.counts() {
		readCounts(r, m)
	}
	s.recall.read(r, version)
}
