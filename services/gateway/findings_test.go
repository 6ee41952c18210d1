package gateway

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/fold"
)

const found0 = int64(1763760000) * wholeSecond

// finder plays the detectors below a partition.
type finder struct {
	t    testing.TB
	fold *Fold
	n    map[string]uint64
	seq  uint64
	log  []fold.Message
	told []schemas.Finding
}

func newFinder(t testing.TB, producer string, tier schemas.Tier) *finder {
	return &finder{t: t, fold: NewFold(producer, tier), n: map[string]uint64{}}
}

// entry is what a detector commits.
func (f *finder) entry(agent string, at int64, found ...schemas.Finding) fold.Message {
	f.n[agent]++
	f.seq++
	c := schemas.Commit{Producer: schemas.Detector(agent), Epoch: schemas.Epoch{1}, N: f.n[agent], RunFirst: f.n[agent], End: true, Time: at, Wall: at, Findings: found}
	return fold.Message{Subject: schemas.AgentOutbox(agent, schemas.KindFinding), Seq: f.seq, Data: new(schemas.CommitEncoder).Append(nil, &c)}
}

// say commits, and returns what the gateway has to say to it.
func (f *finder) say(agent string, at int64, found ...schemas.Finding) []schemas.Finding {
	f.t.Helper()
	return f.apply(f.entry(agent, at, found...))
}

func (f *finder) apply(m fold.Message) []schemas.Finding {
	f.t.Helper()
	f.log = append(f.log, m)
	r, err := f.fold.Apply(m)
	if err != nil {
		f.t.Fatal(err)
	}
	if r == nil {
		return nil
	}
	f.told = append(f.told, r.Findings...)
	return r.Findings
}

func silence(agent string, i int, at int64, state schemas.FindingState, revision uint32) schemas.Finding {
	device := fmt.Sprintf("%s-%d", agent, i)
	f := schemas.Finding{
		ID: schemas.FindingID(agent, device, 0), Revision: revision, State: state, Severity: schemas.Warning, Kind: schemas.Silent,
		Origin: agent, Tenant: "acme", Class: "pump", Device: device, Detector: "silent", Started: at - 30*wholeSecond, Updated: at, Devices: 1,
		Members: []schemas.FindingMember{{Device: device, Kind: schemas.Silent, Since: at - 30*wholeSecond}},
	}
	if state == schemas.FindingClosed {
		f.Ended = at
	}
	return f
}

// TestRegionalFinding: silence on devices of two agents is one finding of the region,
// which says who, how many, since when and what they share, and ends with the last.
func TestRegionalFinding(t *testing.T) {
	f := newFinder(t, "north/0", schemas.TierRegion)
	at := found0
	for i := range 3 {
		f.say("a001", at, silence("a001", i, at, schemas.FindingOpen, 1))
		at += wholeSecond
	}
	if len(f.told) != 3 || f.told[0].Region != "north" {
		t.Fatalf("told of %+v", f.told)
	}
	got := f.say("a002", at, silence("a002", 0, at, schemas.FindingOpen, 1), silence("a002", 1, at, schemas.FindingOpen, 1))
	if len(got) != 3 {
		t.Fatalf("five devices of two agents lead to %+v", got)
	}
	w := got[2]
	if w.Origin != "north" || w.Device != "" || w.Devices != 5 || len(w.Members) != 5 || len(w.Parts) != 5 || w.State != schemas.FindingOpen || w.Started != found0-30*wholeSecond {
		t.Errorf("the region's finding is %+v", w)
	}
	want := []schemas.Attr{{Key: "class", Value: "pump"}, {Key: "detector", Value: "silent"}, {Key: "kind", Value: "silent"}, {Key: "region", Value: "north"}}
	if !slices.Equal(w.Shared, want) {
		t.Errorf("they share %v, want %v", w.Shared, want)
	}
	for _, row := range f.fold.foundReport().Findings {
		if row.Device != "" && row.PartOf != schemas.RowID(w.ID) {
			t.Errorf("%s is part of %q", row.Device, row.PartOf)
		}
	}
	for i := range 3 {
		at += 10 * wholeSecond
		f.say("a001", at, silence("a001", i, at, schemas.FindingClosed, 2))
	}
	at += 10 * wholeSecond
	got = f.say("a002", at, silence("a002", 0, at, schemas.FindingClosed, 2), silence("a002", 1, at, schemas.FindingClosed, 2))
	end := got[len(got)-1]
	if end.ID != w.ID || end.State != schemas.FindingClosed || end.Ended != at {
		t.Errorf("it ends as %+v", end)
	}
	if n := len(f.fold.findings.open) + len(f.fold.findings.wide); n != 0 {
		t.Errorf("%d findings are still open", n)
	}
}

// TestOneAgentIsNoRegion: an agent has made one finding of its devices already.
func TestOneAgentIsNoRegion(t *testing.T) {
	f := newFinder(t, "north/0", schemas.TierRegion)
	for i := range 20 {
		f.say("a001", found0, silence("a001", i, found0, schemas.FindingOpen, 1))
	}
	if len(f.told) != 20 {
		t.Errorf("told of %d findings, want the 20 of the agent", len(f.told))
	}
}

// TestDetectorsHoldNothingBack: they have no ledger, and windows do not wait for them.
func TestDetectorsHoldNothingBack(t *testing.T) {
	f := newFinder(t, "north/0", schemas.TierRegion)
	f.say("a001", found0, silence("a001", 1, found0, schemas.FindingOpen, 1))
	if l := f.fold.Ledgers(found0); len(l) != 0 {
		t.Errorf("a detector has the ledger %+v", l)
	}
	if c := f.fold.Check(found0); c.Unexplained != 0 || len(c.Waiting) != 0 || c.Entries != 1 {
		t.Errorf("check %+v", c)
	}
}

// TestFindingsInAnyOrder: in whatever order entries come, repeated and over restarts,
// each finding ends in its newest revision, and no older one is told after a newer one.
func TestFindingsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFinder(t, "north/0", schemas.TierRegion)
		var all []fold.Message
		newest := map[uint64]schemas.Finding{}
		for i := range rapid.IntRange(1, 8).Draw(rt, "findings") {
			agent, at := []string{"a001", "a002"}[i%2], found0+int64(i)*wholeSecond
			last := uint32(rapid.IntRange(1, 4).Draw(rt, "revisions"))
			for r := uint32(1); r <= last; r++ {
				state := schemas.FindingUpdate
				switch {
				case r == 1:
					state = schemas.FindingOpen
				case r == last && rapid.Bool().Draw(rt, "closed"):
					state = schemas.FindingClosed
				}
				o := silence(agent, i, at+int64(r)*wholeSecond, state, r)
				newest[o.ID] = o
				all = append(all, f.entry(agent, o.Updated, o))
			}
		}
		all = rapid.Permutation(all).Draw(rt, "order")
		for _, m := range all {
			f.apply(m)
			switch rapid.IntRange(0, 5).Draw(rt, "fate") {
			case 0:
				f.apply(m) // it comes twice
			case 1:
				state := f.fold.Append(nil)
				f.fold = NewFold("north/0", schemas.TierRegion)
				if err := f.fold.Restore(state); err != nil {
					rt.Fatal(err)
				}
				if again := f.fold.Append(nil); string(again) != string(state) {
					rt.Fatalf("a state is written again with other bytes")
				}
			}
		}
		told := map[uint64]schemas.Finding{}
		for _, o := range f.told {
			if was, known := told[o.ID]; known && o.Revision <= was.Revision {
				rt.Fatalf("revision %d of %s is told after %d", o.Revision, o.Device, was.Revision)
			}
			told[o.ID] = o
		}
		for id, want := range newest {
			got := told[id]
			if got.Revision != want.Revision || got.State != want.State {
				rt.Fatalf("%s ends in revision %d, %s; want %d, %s", want.Device, got.Revision, got.State, want.Revision, want.State)
			}
		}
	})
}
