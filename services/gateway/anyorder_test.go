package gateway

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/fold"
	"weir/services/internal/parts"
)

// shuffle draws an order of all entries that need not keep any, with repeats:
// all at random, a little out of order, or one half before the other.
func shuffle(t *rapid.T, agents []*agentScript) []fold.Message {
	var all []fold.Message
	for _, a := range agents {
		for _, e := range a.entries {
			all = append(all, fold.Message{Subject: a.subject(), Data: e})
		}
	}
	for range rapid.IntRange(0, 5).Draw(t, "repeats") {
		all = append(all, all[rapid.IntRange(0, len(all)-1).Draw(t, "repeat")])
	}
	switch rapid.SampledFrom([]string{"any", "near", "live first"}).Draw(t, "order") {
	case "any":
		all = rapid.Permutation(all).Draw(t, "all")
	case "near":
		for from := 0; from < len(all); from += 4 {
			to := min(from+4, len(all))
			copy(all[from:to], rapid.Permutation(all[from:to]).Draw(t, "four"))
		}
	case "live first":
		at := rapid.IntRange(0, len(all)).Draw(t, "live from")
		all = append(slices.Clone(all[at:]), all[:at]...)
	}
	for i := range all {
		all[i].Seq = uint64(i + 1)
	}
	return all
}

// value is what every order must agree on.
type value struct {
	count, digest uint64
	sum, min, max float64
	first, last   schemas.Point
	sketch        string
}

// outcome follows what a fold puts out.
type outcome struct {
	f      *Fold
	n      uint64
	latest map[string]schemas.Window // by window and part
	logs   map[string]bool           // that went on
}

func (o *outcome) apply(t *rapid.T, m fold.Message) {
	commits, _ := play(t, o.f, []fold.Message{m}, &o.n)
	for _, b := range commits {
		c, err := new(schemas.CommitDecoder).Decode(b, schemas.WithAll)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range append(c.Windows, c.Local...) {
			k := fmt.Sprint(windowKey(&w), w.FirstN)
			if old := o.latest[k]; w.Revision <= old.Revision || old.Timing == schemas.FinalTiming {
				t.Fatalf("%s: revision %d, %s, after %d, %s", k, w.Revision, w.Timing, old.Revision, old.Timing)
			}
			o.latest[k] = w
		}
		for _, l := range c.Logs {
			if o.logs == nil {
				o.logs = map[string]bool{}
			}
			if o.logs[string(l.Data)] || l.Region != "r01" {
				t.Fatalf("log record %s of region %s goes on, and has gone on already: %v", l.Data, l.Region, o.logs[string(l.Data)])
			}
			o.logs[string(l.Data)] = true
		}
	}
	if c := o.f.Check(0); c.Unexplained != 0 {
		t.Fatalf("%d records are unexplained while entries are on their way", c.Unexplained)
	}
}

// values are the windows as their latest revisions say, and as they will say at
// the next.
func (o *outcome) values() map[string]value {
	latest := maps.Clone(o.latest)
	for k, m := range o.f.windows {
		w, _ := m.sum(nil)
		w.FirstN = m.firstN
		latest[fmt.Sprint(k, m.firstN)] = w
	}
	byWindow := map[string][]schemas.Window{}
	for _, w := range latest {
		byWindow[windowKey(&w)] = append(byWindow[windowKey(&w)], w)
	}
	out := map[string]value{}
	for k, all := range byWindow {
		var s parts.Sum
		for i := range all {
			s.Add(&all[i])
		}
		w, _ := s.Whole(nil)
		out[k] = value{w.Count, w.Digest, w.Sum, w.Min, w.Max, w.First, w.Last, string(w.Sketch)}
	}
	return out
}

// revisable are the parts that are not final.
func (o *outcome) revisable() map[string]bool {
	out := map[string]bool{}
	for k, m := range o.f.windows {
		for _, p := range m.parts {
			if !p.final {
				out[fmt.Sprint(k, p.Contributor, p.Epoch, p.FirstN)] = true
			}
		}
	}
	return out
}

// TestAnyOrderIsInOrder: entries of producers, some of which begin a second
// epoch, come in any order and again, over a restart from a checkpoint. In the
// end all is as if they had come in order: windows, what is final, progress,
// totals; and nothing is unexplained on the way.
func TestAnyOrderIsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var agents []*agentScript
		for i := range rapid.IntRange(1, 3).Draw(t, "agents") {
			a := &agentScript{name: fmt.Sprintf("a%d", i), latest: map[string]schemas.Window{}}
			through := a.play(t, byte(i+1), 0)
			if rapid.Bool().Draw(t, "second epoch") {
				a.play(t, byte(i+101), through+10*second)
			}
			agents = append(agents, a)
		}
		want := &outcome{f: NewFold("r01/0", schemas.TierRegion), latest: map[string]schemas.Window{}}
		for _, m := range interleave(t, agents) {
			want.apply(t, m)
		}
		got := &outcome{f: NewFold("r01/0", schemas.TierRegion), latest: map[string]schemas.Window{}}
		in := shuffle(t, agents)
		restart := rapid.IntRange(0, len(in)).Draw(t, "restart")
		for i, m := range in {
			if i == restart {
				got.f = restarted(t, got.f)
			}
			got.apply(t, m)
		}
		logs := 0
		for _, a := range agents {
			logs += a.logs
		}
		if len(got.logs) != logs || len(want.logs) != logs {
			t.Fatalf("%d and %d log records have gone on, want %d", len(got.logs), len(want.logs), logs)
		}
		if a, b := got.values(), want.values(); !reflect.DeepEqual(a, b) {
			t.Fatalf("windows\n got %+v\nwant %+v", a, b)
		}
		if a, b := got.revisable(), want.revisable(); !maps.Equal(a, b) {
			t.Fatalf("parts that are not final\n got %v\nwant %v", a, b)
		}
		if a, b := got.told(), want.told(); a != b {
			t.Fatalf("in the end\n got %s\nwant %s", a, b)
		}
	})
}

// restarted is the fold that goes on from a checkpoint.
func restarted(t *rapid.T, f *Fold) *Fold {
	g := NewFold(f.producer, f.tier)
	state := f.Append(nil)
	if err := g.Restore(state); err != nil {
		t.Fatal(err)
	}
	if again := g.Append(nil); !bytes.Equal(state, again) {
		t.Fatal("restored state is written as other bytes")
	}
	return g
}

// told is what a fold says of its producers.
func (o *outcome) told() string {
	f, c := o.f, o.f.Check(0)
	s := fmt.Sprint("now ", f.now, " entries ", f.entries, " debt ", c.Debt, " totals ", f.totals())
	for _, name := range f.names {
		p := f.producers[name]
		s += fmt.Sprint(" ", name, " ", p.current.newest.views)
		for _, row := range p.current.newest.views {
			s += fmt.Sprint(" ", p.finalThrough(row.View))
		}
	}
	return s
}

// TestAnyOrderAtBothTiers: regions get the entries of agents in any order, the
// center those of regions, and the records at the center are those of the agents.
func TestAnyOrderAtBothTiers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agents, left := drawAgents(t, "fleet")
		var regions []*agentScript
		for i, of := range [][]*agentScript{agents[:len(agents)/2], agents[len(agents)/2:]} {
			if len(of) == 0 {
				continue
			}
			r, n := &agentScript{name: schemas.Producer("r", i)}, uint64(0)
			f := NewFold(r.name, schemas.TierRegion)
			r.entries, _ = play(t, f, shuffle(t, of), &n)
			left.open(f, "fleet", false)
			if len(r.entries) > 0 {
				regions = append(regions, r)
			}
		}
		f, n := NewFold("center/0", schemas.TierCenter), uint64(0)
		if len(regions) > 0 {
			_, lines := play(t, f, shuffle(t, regions), &n)
			left.lines(t, lines, "fleet", "center/0")
		}
		left.open(f, "fleet", true)
		left.wantNone(t)
		if c := f.Check(0); c.Unexplained != 0 || c.Debt != 0 {
			t.Fatalf("center: %+v", c)
		}
	})
}

// TestADifferenceShows: records that a producer says it has emitted and that are
// in no window show as unexplained once nothing is missing, whatever the order.
func TestADifferenceShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAgent(t, "a1", 1)
		lost := uint64(0)
		for i, e := range a.entries {
			c, err := new(schemas.CommitDecoder).Decode(e, schemas.WithWindows|schemas.WithLogs)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Windows) > 0 && lost == 0 && c.Windows[0].Revision == 1 {
				w := c.Windows[0]
				if a.latestOf(&w).Revision == 1 {
					lost = w.Count
					c.Windows = c.Windows[1:]
					a.entries[i] = new(schemas.CommitEncoder).Append(nil, c)
				}
			}
		}
		f := NewFold("r01/0", schemas.TierRegion)
		n := uint64(0)
		play(t, f, shuffle(t, []*agentScript{a}), &n)
		if c := f.Check(0); c.Unexplained != int64(lost) {
			t.Fatalf("%d records are unexplained, want %d", c.Unexplained, lost)
		}
	})
}

// latestOf is the latest revision of a part.
func (a *agentScript) latestOf(w *schemas.Window) (latest schemas.Window) {
	for _, l := range a.latest {
		if windowKey(&l) == windowKey(w) && l.FirstN == w.FirstN && l.Revision > latest.Revision {
			latest = l
		}
	}
	return latest
}

// tellingOne is a commit of an agent at a second of agent time: windows of its
// fleet view are final 20 s after they are on time.
func tellingOne(agent string, n uint64, at int64, windows ...schemas.Window) *schemas.Commit {
	return &schemas.Commit{
		Producer: agent, Epoch: schemas.Epoch{1}, N: n, RunFirst: n, End: true, Time: at * second, Windows: windows,
		Views: []schemas.Progress{{View: "fleet", Size: 10 * second, Uplink: schemas.TierRegion, OnTimeThrough: at * second, FinalThrough: (at - 20) * second}},
	}
}

// fleetFold is a fold that is told of commits and shows how far it is.
type fleetFold struct {
	t *testing.T
	*Fold
}

func (f fleetFold) tell(c *schemas.Commit) *fold.Results {
	f.t.Helper()
	r, err := f.Apply(message(c))
	if err != nil {
		f.t.Fatal(err)
	}
	if r != nil {
		commit(r, f.entries)
	}
	return r
}

func (f fleetFold) want(onTime, final int64) {
	f.t.Helper()
	v := f.viewNamed("fleet")
	if v.OnTimeThrough != onTime*second || v.FinalThrough != final*second {
		f.t.Errorf("on time through %d s, final through %d s; want %d, %d", v.OnTimeThrough/second, v.FinalThrough/second, onTime, final)
	}
}

// TestHoleHoldsFinal: where entries are missing windows go out on time, but none
// becomes final, until the hole is filled.
func TestHoleHoldsFinal(t *testing.T) {
	f := fleetFold{t, NewFold("r01/0", schemas.TierRegion)}
	f.tell(tellingOne("a1", 1, 10, sketched("fleet", "class", "c", 0, 1, 5)))
	f.want(10, -10)
	f.tell(tellingOne("a1", 3, 120))
	f.want(120, -10)
	f.tell(tellingOne("a1", 2, 30))
	f.want(120, 100)
}

// TestHoleIsGivenUp: after the hold time windows become final without what is
// missing and name its producer; what comes later is an amendment. Windows that
// cannot lack anything name nobody.
func TestHoleIsGivenUp(t *testing.T) {
	f := fleetFold{t, NewFold("r01/0", schemas.TierRegion)}
	missing := map[int64]string{}
	note := func(r *fold.Results) {
		for i := range r.Outputs {
			missing[r.Outputs[i].Window.Start/second] = fmt.Sprint(r.Outputs[i].Window.Timing, r.Outputs[i].Window.Missing)
		}
	}
	note(f.tell(tellingOne("a1", 1, 10, sketched("fleet", "class", "c", 0, 1, 5))))
	note(f.tell(tellingOne("a1", 3, 30, sketched("fleet", "class", "c", 20*second, 3, 5))))
	note(f.tell(tellingOne("a1", 4, 130)))
	f.want(130, -10)
	note(f.tell(tellingOne("a1", 5, 140, sketched("fleet", "class", "c", 120*second, 5, 5))))
	f.want(140, 120)
	wantMissing := func(want map[int64]string) {
		t.Helper()
		if !maps.Equal(missing, want) {
			t.Errorf("windows by start: %v, want %v", missing, want)
		}
		clear(missing)
	}
	wantMissing(map[int64]string{0: "late [a1]", 20: "final [a1]", 120: "on_time []"}) // the first may be revised by what is missing
	if c := f.Check(0); c.Debt != 1 || !slices.Equal(c.Waiting, []string{"a1"}) {
		t.Errorf("check: %+v", c)
	}
	r := f.tell(tellingOne("a1", 2, 20, sketched("fleet", "class", "c", 20*second, 2, 7, 8)))
	note(r)
	wantMissing(map[int64]string{0: "final []", 20: "final []"})
	if w := r.Outputs[1].Window; w.Count != 2 || w.FirstN == 3 {
		t.Errorf("the amendment: %+v", w)
	}
	f.want(140, 120)
}

// TestLateRevisionReplaces: a part whose final revision came before an earlier
// one is not forgotten while that one is on its way.
func TestLateRevisionReplaces(t *testing.T) {
	f := fleetFold{t, NewFold("r01/0", schemas.TierRegion)}
	old, newer := sketched("fleet", "class", "c", 0, 1, 5), sketched("fleet", "class", "c", 0, 1, 5, 6)
	newer.Revision, newer.Timing = 2, schemas.FinalTiming
	f.tell(tellingOne("a1", 3, 5, newer))
	f.tell(tellingOne("a1", 4, 400))
	if len(f.windows) != 1 {
		t.Fatal("the window is forgotten while its first revision is on its way")
	}
	if r := f.tell(tellingOne("a1", 1, 1, old)); r != nil && len(r.Outputs) > 0 {
		t.Errorf("an older revision came out: %+v", r.Outputs)
	}
	r := f.tell(tellingOne("a1", 2, 2))
	if len(f.windows) != 0 || r == nil || len(r.Outputs) != 1 || r.Outputs[0].Window.Count != 2 {
		t.Errorf("%d windows are open; put out: %+v", len(f.windows), r)
	}
}

// TestAnEpochIsGivenUp: the parts of an epoch that broke off become final a day
// after another one has gone on, and what still comes of it is not taken.
func TestAnEpochIsGivenUp(t *testing.T) {
	f := fleetFold{t, NewFold("r01/0", schemas.TierRegion)}
	f.tell(tellingOne("a1", 1, 5, sketched("fleet", "class", "c", 0, 1, 5)))
	next := func(n uint64, at int64) *schemas.Commit {
		c := tellingOne("a1", n, at)
		c.Epoch = schemas.Epoch{9}
		return c
	}
	f.tell(next(1, 20))
	f.tell(next(2, 24*3600))
	if len(f.windows) != 1 {
		t.Fatalf("%d windows are open after less than a day", len(f.windows))
	}
	f.tell(next(3, 24*3600+6))
	if len(f.windows) != 0 {
		t.Errorf("%d windows are open after a day", len(f.windows))
	}
	f.tell(tellingOne("a1", 2, 6, sketched("fleet", "class", "c", 10*second, 2, 5)))
	if len(f.windows) != 0 || f.repeats != 1 {
		t.Errorf("%d windows, %d repeats", len(f.windows), f.repeats)
	}
}

// TestRegionAnew: a region has begun anew with an empty folder, and gets from its agents
// again what they still have. The center counts no record twice, in whichever order the
// entries of the two come, and its totals are those of the fuller one.
func TestRegionAnew(t *testing.T) {
	window := func(start int64, values ...float64) schemas.Window {
		return sketched("fleet", "class", "c", start*10*second, 1, values...)
	}
	told := func(epoch byte, n uint64, received uint64, windows ...schemas.Window) *schemas.Commit {
		c := tellingOne("r01/0", n, int64(10*n), windows...)
		c.Epoch = schemas.Epoch{epoch}
		c.Views[0].Emitted = received
		c.Totals = []schemas.Total{
			{Tenant: "t", Signal: schemas.Metrics, N: received},
			{Tenant: "t", Signal: schemas.Metrics, Stage: schemas.StageAggregator, Outcome: schemas.Counted, N: received},
		}
		return c
	}
	lost := []*schemas.Commit{told(1, 1, 2, window(0, 5, 6)), told(1, 2, 3, window(1, 7))}
	anew := []*schemas.Commit{told(2, 1, 3, window(0, 5, 6), window(1, 7)), told(2, 2, 5, window(2, 8, 9))}
	for _, commits := range [][]*schemas.Commit{{lost[0], lost[1], anew[0], anew[1]}, {lost[0], lost[1], anew[1], anew[0]}} {
		f := fleetFold{t, NewFold("center/0", schemas.TierCenter)}
		for _, c := range commits {
			f.tell(c)
		}
		n := uint64(0)
		for _, m := range f.windows {
			w, _ := m.sum(nil)
			n += w.Count
		}
		l := schemas.NewLedger(f.Ledgers(0)).Totals
		if c := f.Check(0); n != 5 || l.Received != 5 || l.Counted != 5 || c.Unexplained != 0 || c.Debt != 0 {
			t.Errorf("%d records in windows of 5: %+v, %+v", n, l, c)
		}
	}
}

// TestForgedEntries: numbers that no fold gives, entries in the name of others,
// and more holes than anybody makes leave the fold as it is.
func TestForgedEntries(t *testing.T) {
	f := fleetFold{t, NewFold("r01/0", schemas.TierRegion)}
	for _, c := range []*schemas.Commit{
		{N: 5, RunFirst: 6}, {N: math.MaxUint64, RunFirst: 1}, {N: 0, RunFirst: 0}, {N: 1, RunFirst: 0},
	} {
		c.Producer, c.End = "a1", true
		f.tell(c)
	}
	m := message(&schemas.Commit{Producer: "a1", N: 1, RunFirst: 1, End: true})
	m.Subject = schemas.AgentOutbox("a2", schemas.KindCommit)
	if _, err := f.Apply(m); err != nil || f.damaged != 5 || f.entries != 0 {
		t.Errorf("%d damaged, %d entries: %v", f.damaged, f.entries, err)
	}
	for n := uint64(2); n <= 3*maxHoles; n += 2 {
		f.tell(&schemas.Commit{Producer: "a1", N: n, RunFirst: n, End: true})
	}
	if f.entries != maxHoles+1 {
		t.Errorf("%d entries apart from each other are applied, want %d", f.entries, maxHoles+1)
	}
	for n := uint64(1); n <= 2*maxHoles; n++ {
		f.tell(&schemas.Commit{Producer: "a3", N: n, RunFirst: n})
	}
	for e := range 2 * maxEpochs {
		f.tell(&schemas.Commit{Producer: "a2", Epoch: schemas.Epoch{byte(e), byte(e >> 8)}, N: 1, RunFirst: 1})
	}
	if broken, epochs := len(f.producers["a3"].spaces[schemas.Epoch{}].runs), len(f.producers["a2"].spaces); broken != maxHoles+1 || epochs != maxEpochs {
		t.Errorf("%d commits without an end, %d epochs of one producer; want %d, %d", broken, epochs, maxHoles+1, maxEpochs)
	}
}

// FuzzRestore: bytes that are no state are refused, and those that pass for one can
// be gone on from.
func FuzzRestore(f *testing.F) {
	of := NewFold("r01/0", schemas.TierRegion)
	f.Add(of.Append(nil))
	for _, c := range []*schemas.Commit{
		tellingOne("a1", 1, 10, sketched("fleet", "class", "c", 0, 1, 5)),
		tellingOne("a1", 3, 30, sketched("fleet", "class", "c", 20*second, 2, 5)),
		{Producer: "a1", Epoch: schemas.Epoch{1}, N: 6, RunFirst: 5, End: true, Windows: []schemas.Window{sketched("late:fleet", "class", "c", 0, 6, 5)}},
	} {
		if _, err := of.Apply(message(c)); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(of.Append(nil))
	f.Fuzz(func(_ *testing.T, b []byte) {
		g := NewFold("r01/0", schemas.TierRegion)
		if g.Restore(b) != nil {
			return
		}
		for _, n := range []uint64{2, 4, 5} {
			_, _ = g.Apply(message(tellingOne("a1", n, int64(n)*10)))
		}
		g.Check(0)
		g.Append(nil)
	})
}
