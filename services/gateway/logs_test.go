package gateway

import (
	"fmt"
	"testing"

	"weir/schemas"
	"weir/services/internal/fold"
)

// logRecords are log records as an entry has them.
func logRecords(ids ...uint64) (all []schemas.PassedLog) {
	for _, id := range ids {
		all = append(all, schemas.PassedLog{ID: id, Agent: "a", Tenant: "t", Data: []byte{byte(id), byte(id >> 8)}, Ingest: int64(id) * 1e6})
	}
	return all
}

// passing plays commits of one agent to a region.
type passing struct {
	t *testing.T
	f *Fold
	n uint64
}

// apply returns the ids of the log records that go on.
func (p *passing) apply(c *schemas.Commit) (ids []uint64) {
	p.t.Helper()
	p.n++
	c.Producer, c.RunFirst, c.End, c.Time = "a", c.First(), true, int64(p.n)*second
	r, err := p.f.Apply(fold.Message{Subject: schemas.AgentOutbox("a", schemas.KindCommit), Seq: p.n, Data: new(schemas.CommitEncoder).Append(nil, c)})
	if err != nil {
		p.t.Fatal(err)
	}
	if r == nil {
		return nil
	}
	for _, l := range r.Logs {
		ids = append(ids, l.ID)
	}
	return ids
}

func saysPassed(n uint64) []schemas.Total {
	t := passedTotal("t")
	t.N = n
	return []schemas.Total{t}
}

func (p *passing) want(what string, unexplained int64, passing string) {
	p.t.Helper()
	c := p.f.Check(0)
	rows := ""
	for _, t := range c.Passing {
		rows += fmt.Sprintf("%s %s %s %d; ", t.Stage, t.Outcome, t.Reason, t.N)
	}
	if c.Unexplained != unexplained || rows != passing {
		p.t.Errorf("%s: %d unexplained, want %d\n got %s\nwant %s", what, c.Unexplained, unexplained, rows, passing)
	}
}

// TestLogsBalance: what an agent says it has passed through is compared with what has come, and
// what a full outbox has left out is held back.
func TestLogsBalance(t *testing.T) {
	p := &passing{t: t, f: NewFold("r01/0", schemas.TierRegion)}
	if got := p.apply(&schemas.Commit{N: 1, Logs: logRecords(1, 2), Totals: saysPassed(2)}); len(got) != 2 {
		t.Errorf("%d go on", len(got))
	}
	p.want("all has come", 0, "aggregator passed  2; ")
	p.apply(&schemas.Commit{N: 4, Since: 2, Totals: saysPassed(5), Shed: []schemas.ShedRecords{{View: schemas.PassedView, Tenant: "t", Signal: schemas.Logs, N: 3}}})
	p.want("a folded entry", 0, "aggregator passed  2; outbox held_back outbox_full 3; ")
	p.apply(&schemas.Commit{N: 5, Totals: saysPassed(7), Logs: logRecords(6)})
	p.want("one has not come", 1, "aggregator passed  3; outbox held_back outbox_full 3; ")
}

// TestLogsOfAnHeirComeFirst: entries come in any order, also those of two epochs that have a log
// record in common.
func TestLogsOfAnHeirComeFirst(t *testing.T) {
	p := &passing{t: t, f: NewFold("r01/0", schemas.TierRegion)}
	p.apply(&schemas.Commit{N: 1, Logs: logRecords(1), Totals: saysPassed(1)})
	p.apply(&schemas.Commit{
		Epoch: schemas.Epoch{2}, N: 1, Continues: []schemas.Continuation{{From: 2, N: 2, State: 1}}, Logs: logRecords(3, 4), Totals: saysPassed(2),
	})
	if got := p.apply(&schemas.Commit{N: 2, Logs: logRecords(2, 3), Totals: saysPassed(3)}); len(got) != 1 || got[0] != 2 {
		t.Errorf("%v go on, want 2", got)
	}
	p.want("one again", 0, "aggregator passed  4; ")
}

// TestLogsOfALostCopy: an agent goes on from an older copy of its stores and passes through again
// what the lost copy had; what nobody remembers any more is in doubt.
func TestLogsOfALostCopy(t *testing.T) {
	p := &passing{t: t, f: NewFold("r01/0", schemas.TierRegion)}
	p.apply(&schemas.Commit{N: 1, Logs: logRecords(1), Totals: saysPassed(1)})
	p.apply(&schemas.Commit{N: 2, Logs: logRecords(2, 3), Totals: saysPassed(3)}) // the copy does not know of it
	again := &schemas.Commit{
		Epoch: schemas.Epoch{2}, N: 1, Continues: []schemas.Continuation{{From: 2, N: 1, State: 1}}, Logs: logRecords(3, 4), Totals: saysPassed(2),
	}
	if got := p.apply(again); len(got) != 1 || got[0] != 4 {
		t.Errorf("%v go on, want 4", got)
	}
	p.want("one again", 0, "aggregator passed  4; ")
	for n := uint64(2); n < 8; n++ { // so many that the first of them are forgotten
		var ids []uint64
		for i := range uint64(1000) {
			ids = append(ids, n*1000+i)
		}
		p.apply(&schemas.Commit{Epoch: schemas.Epoch{2}, N: n, Continues: again.Continues, Logs: logRecords(ids...), Totals: saysPassed(2 + 1000*(n-1))})
	}
	third := &schemas.Commit{
		Epoch: schemas.Epoch{3}, N: 1, Totals: saysPassed(3), Logs: logRecords(2000, 7999, 8000),
		Continues: []schemas.Continuation{{Epoch: schemas.Epoch{2}, From: 2, N: 1, State: 1}, again.Continues[0]},
	}
	if got := p.apply(third); len(got) != 1 || got[0] != 8000 {
		t.Errorf("%v go on, want 8000", got)
	}
	p.want("one is in doubt", 0, "aggregator passed  6005; gateway held_back in_doubt 1; ")
}
