package gateway

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/pkg/sketch"
	"weir/schemas"
	"weir/services/internal/fold"
)

// agentScript is the commits of one producer: random revisions of random windows,
// as an aggregator would emit them, or what a partition makes of them.
type agentScript struct {
	name    string
	entries [][]byte
	latest  map[string]schemas.Window // by view, key, start, epoch and part
	before  []schemas.Continuation    // epochs that are over, and of which all may still come
	logs    int                       // that it has passed through
}

// subject is the outbox of an agent or a partition.
func (a *agentScript) subject() string {
	if region, partition := schemas.SplitProducer(a.name); region != a.name {
		return schemas.GatewayOutbox(region, partition, schemas.KindCommit)
	}
	return schemas.AgentOutbox(a.name, schemas.KindCommit)
}

const second = 1_000_000_000

// drawAgent plays an agent: windows of one device view and one fleet view open,
// are revised, become final by final_through or explicitly, and come again as
// new parts.
func drawAgent(t *rapid.T, name string, epoch byte) *agentScript {
	a := &agentScript{name: name, latest: map[string]schemas.Window{}}
	a.play(t, epoch, 0)
	return a
}

// play adds the commits of an epoch, whose final_through begins at a time.
func (a *agentScript) play(t *rapid.T, epoch byte, through int64) int64 {
	type open struct {
		w    schemas.Window
		held bool
	}
	windows := map[string]*open{}
	emitted := map[string]uint64{}
	var enc schemas.CommitEncoder
	name := a.name
	ids := uint64(epoch) << 32
	n, passed := uint64(0), uint64(0)
	for range rapid.IntRange(1, 25).Draw(t, "commits") {
		n++
		through += int64(rapid.IntRange(0, 3).Draw(t, "advance")) * 10 * second
		c := &schemas.Commit{Producer: name, Epoch: schemas.Epoch{epoch}, N: n, RunFirst: n, End: true, Time: through + 80*second, Wall: 1, Continues: a.before}
		in := map[string]bool{}
		for range rapid.IntRange(0, 4).Draw(t, "revisions") {
			view, key := "fleet", []string{"default", "m"}
			dims := []string{"class", "metric"}
			if rapid.Bool().Draw(t, "device") {
				view, key, dims = "device", []string{name + "-d", "m"}, []string{"device", "metric"}
			}
			start := through + int64(rapid.IntRange(-6, 6).Draw(t, "start"))*10*second
			k := fmt.Sprint(view, start)
			o := windows[k]
			if o == nil {
				o = &open{w: schemas.Window{View: view, Dims: dims, Key: schemas.Key{Tenant: "t", Values: key}, Start: start, End: start + 10*second, FirstN: n}}
				windows[k] = o
			}
			if in[k] {
				continue
			}
			in[k] = true
			grow(t, &o.w, &ids)
			o.w.Revision++
			o.w.Timing = schemas.OnTime
			if o.w.Revision > 1 {
				o.w.Timing = schemas.LateTiming
			}
			if o.w.End <= through {
				o.held = true
				if rapid.Bool().Draw(t, "explicit") {
					o.w.Timing = schemas.FinalTiming
				}
			}
			emitted[view] += o.w.Count - a.latest[fmt.Sprint(k, epoch, o.w.FirstN)].Count
			a.latest[fmt.Sprint(k, epoch, o.w.FirstN)] = o.w
			c.Windows = append(c.Windows, o.w)
			if o.w.Timing == schemas.FinalTiming {
				delete(windows, k)
			}
		}
		for k, o := range windows {
			if o.w.End <= through && !o.held {
				delete(windows, k) // final by final_through
			}
		}
		for _, v := range []string{"device", "fleet"} {
			up := schemas.TierRegion
			if v == "fleet" {
				up = schemas.TierCenter
			}
			c.Views = append(c.Views, schemas.Progress{View: v, Size: 10 * second, Uplink: up, Publish: true, OnTimeThrough: through + 60*second, FinalThrough: through, Emitted: emitted[v]})
		}
		for range rapid.IntRange(-2, 2).Draw(t, "logs") {
			passed++
			c.Logs = append(c.Logs, schemas.PassedLog{ID: uint64(epoch)<<32 | passed, Agent: name, Tenant: "t", Data: fmt.Appendf(nil, "%s %d %d", name, epoch, passed)})
		}
		c.Totals = []schemas.Total{{Tenant: "t", Signal: schemas.Logs, Stage: schemas.StageAggregator, Outcome: schemas.Passed, N: passed}}
		if cut := rapid.IntRange(-4, len(c.Windows)).Draw(t, "cut"); cut > 0 {
			begin := &schemas.Commit{Producer: name, Epoch: c.Epoch, N: n, RunFirst: n, Windows: c.Windows[:cut], Continues: a.before}
			begin.Logs, c.Logs = c.Logs[:len(c.Logs)/2], c.Logs[len(c.Logs)/2:]
			a.entries = append(a.entries, enc.Append(nil, begin))
			n++
			c.N, c.Windows = n, c.Windows[cut:]
		}
		a.entries = append(a.entries, enc.Append(nil, c))
	}
	a.before = append([]schemas.Continuation{{Epoch: schemas.Epoch{epoch}, From: 1, N: n, State: n}}, a.before...)
	a.logs += int(passed)
	return through
}

// grow adds records to a window's value.
func grow(t *rapid.T, w *schemas.Window, ids *uint64) {
	var s sketch.Sketch
	if len(w.Sketch) > 0 {
		if err := s.UnmarshalBinary(w.Sketch); err != nil {
			t.Fatal(err)
		}
	}
	for range rapid.IntRange(1, 12).Draw(t, "records") {
		*ids++
		p := schemas.Point{Time: w.Start + 1, Value: float64(*ids % 64), ID: *ids * 0x9e3779b97f4a7c15}
		if s.Count() == 0 {
			w.First, w.Last = p, p
		} else {
			w.First, w.Last = ends(w.First, w.Last, p)
		}
		s.Add(p.Value)
		w.Digest += p.ID
		w.Exemplars = slices.Clone(w.Exemplars).Add(schemas.Exemplar{Time: p.Time, Value: p.Value, TraceID: schemas.TraceID{Trace: [16]byte{byte(*ids % 16)}, Span: [8]byte{byte(*ids)}}})
	}
	w.Count, w.Sum, w.Min, w.Max = s.Count(), s.Sum(), s.Min(), s.Max()
	w.Sketch, _ = s.AppendBinary(nil)
}

// ends are the first and the last of three records, in the order of ties.
func ends(first, last, p schemas.Point) (schemas.Point, schemas.Point) {
	if schemas.Before(p.Time, p.ID, first.Time, first.ID) {
		first = p
	}
	if schemas.Before(last.Time, last.ID, p.Time, p.ID) {
		last = p
	}
	return first, last
}

// interleave draws one order of the agents' entries, each agent's own order
// kept, with repeats.
func interleave(t *rapid.T, agents []*agentScript) []fold.Message {
	next := make([]int, len(agents))
	var out []fold.Message
	for left := true; left; {
		left = false
		i := rapid.IntRange(0, len(agents)-1).Draw(t, "agent")
		a := agents[i]
		if next[i] < len(a.entries) {
			out = append(out, fold.Message{Subject: a.subject(), Data: a.entries[next[i]]})
			next[i]++
		}
		if next[i] > 0 && rapid.IntRange(0, 4).Draw(t, "repeat") == 0 {
			out = append(out, fold.Message{Subject: a.subject(), Data: a.entries[rapid.IntRange(0, next[i]-1).Draw(t, "again")]})
		}
		for j := range agents {
			left = left || next[j] < len(agents[j].entries)
		}
	}
	for i := range out {
		out[i].Seq = uint64(i + 1)
	}
	return out
}

// play folds messages and returns the encoded commits and the published lines.
func play(t *rapid.T, f *Fold, in []fold.Message, n *uint64) (out [][]byte, published []schemas.PublishedRow) {
	var enc schemas.CommitEncoder
	for _, m := range in {
		r, err := f.Apply(m)
		if err != nil {
			t.Fatal(err)
		}
		if r == nil {
			continue
		}
		for i := range r.Finals {
			published = append(published, publishedRow(f.producer, &r.Finals[i]))
		}
		for _, c := range fold.Entries(f.producer, *n, m, r, 2048) {
			out = append(out, enc.Append(nil, c))
			*n = c.N
		}
	}
	return out, published
}

// TestEveryOrderGivesTheSameSums: whatever the order of agents and repeats, the
// latest revisions hold exactly what the agents' latest revisions hold, and the
// check against what the agents say is 0.
func TestEveryOrderGivesTheSameSums(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var agents []*agentScript
		want := map[string][2]uint64{}
		traced := map[string]schemas.Exemplars{}
		for i := range rapid.IntRange(1, 4).Draw(rt, "agents") {
			a := drawAgent(rt, fmt.Sprintf("a%d", i), byte(i+1))
			agents = append(agents, a)
			for _, w := range a.latest {
				k := fmt.Sprint(w.View, w.Key, w.Start)
				want[k] = [2]uint64{want[k][0] + w.Count, want[k][1] + w.Digest}
				traced[k] = traced[k].Merge(w.Exemplars)
			}
		}
		f := NewFold("r01/0", schemas.TierRegion)
		n := uint64(0)
		latest := map[string]schemas.Window{}
		commits, _ := play(rt, f, interleave(rt, agents), &n)
		for _, b := range commits {
			c, err := new(schemas.CommitDecoder).Decode(b, schemas.WithAll)
			if err != nil {
				rt.Fatal(err)
			}
			for _, w := range append(c.Windows, c.Local...) {
				k := fmt.Sprint(w.View, w.Key, w.Start, "/", w.FirstN)
				if w.Revision <= latest[k].Revision {
					rt.Fatalf("%s: revision %d after %d", k, w.Revision, latest[k].Revision)
				}
				if latest[k].Timing == schemas.FinalTiming {
					rt.Fatalf("%s: a revision after the final one", k)
				}
				latest[k] = w
			}
		}
		got := map[string][2]uint64{}
		shown := map[string]schemas.Exemplars{}
		for _, w := range latest {
			k := fmt.Sprint(w.View, w.Key, w.Start)
			got[k] = [2]uint64{got[k][0] + w.Count, got[k][1] + w.Digest}
			shown[k] = shown[k].Merge(w.Exemplars)
		}
		for k, m := range f.windows { // what has not come out yet
			_ = k
			if !m.out || m.changed {
				w, _ := m.sum(nil)
				k := fmt.Sprint(w.View, w.Key, w.Start)
				shown[k] = shown[k].Merge(w.Exemplars)
				last := latest[fmt.Sprint(k, "/", m.firstN)]
				got[k] = [2]uint64{got[k][0] + w.Count - last.Count, got[k][1] + w.Digest - last.Digest}
			}
		}
		for k, v := range want {
			if got[k] != v {
				rt.Fatalf("%s: got %v, want %v", k, got[k], v)
			}
			if !slices.Equal(shown[k], traced[k]) {
				rt.Fatalf("%s: exemplars %v, want %v", k, shown[k], traced[k])
			}
		}
		if len(got) != len(want) {
			rt.Fatalf("%d windows, want %d", len(got), len(want))
		}
		if c := f.Check(0); c.Unexplained != 0 || c.Debt != 0 {
			rt.Fatalf("check: %+v", c)
		}
	})
}

// TestSameCommitsFromAnyCheckpoint: the same input gives the same commits, byte
// for byte, from any checkpoint.
func TestSameCommitsFromAnyCheckpoint(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		agents := []*agentScript{drawAgent(rt, "a1", 1), drawAgent(rt, "a2", 2)}
		in := interleave(rt, agents)
		n := uint64(0)
		whole, lines := play(rt, NewFold("r01/0", schemas.TierRegion), in, &n)
		cut := rapid.IntRange(0, len(in)).Draw(rt, "checkpoint")
		f := NewFold("r01/0", schemas.TierRegion)
		n = 0
		got, gotLines := play(rt, f, in[:cut], &n)
		g := NewFold("r01/0", schemas.TierRegion)
		state := f.Append(nil)
		if err := g.Restore(state); err != nil {
			rt.Fatal(err)
		}
		if again := g.Append(nil); !bytes.Equal(state, again) {
			rt.Fatalf("restored state is written as other bytes")
		}
		rest, restLines := play(rt, g, in[cut:], &n)
		got, gotLines = append(got, rest...), append(gotLines, restLines...)
		if len(got) != len(whole) {
			rt.Fatalf("%d commits, want %d", len(got), len(whole))
		}
		for i := range whole {
			if !bytes.Equal(got[i], whole[i]) {
				rt.Fatalf("commit %d differs after a checkpoint at %d", i+1, cut)
			}
		}
		if !reflect.DeepEqual(gotLines, lines) {
			rt.Fatalf("after a checkpoint at %d other lines are published:\n%v\nwant\n%v", cut, gotLines, lines)
		}
	})
}

// TestADamagedCommitIsADebt: an entry that cannot be decoded is missing by its
// number, and those behind it are applied.
func TestADamagedCommitIsADebt(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := drawAgent(rt, "a1", 1)
		if len(a.entries) < 2 {
			return
		}
		a.entries[0] = []byte{a.entries[0][0], 0xc1}
		f := NewFold("r01/0", schemas.TierRegion)
		n := uint64(0)
		play(rt, f, interleave(rt, []*agentScript{a}), &n)
		if c := f.Check(0); c.Debt != 1 {
			rt.Fatalf("debt of %d entries, want 1", c.Debt)
		}
	})
}
