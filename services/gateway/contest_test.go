package gateway

import (
	"fmt"
	"math/bits"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/fold"
)

// A record of a window in these tests has a bit of its own as its identity, so that a
// digest names the records in it.

// fieldAgent is an agent with an outbox.
type fieldAgent struct {
	name    string
	n       uint64
	through int64
	emitted uint64
	parts   map[int64]*schemas.Window
	outbox  []*schemas.Commit // what has not been removed
	next    int               // of outbox: what has not been sent to the region that there is
	gone    bool              // it does not come again
}

// field is a region with its agents and the center, and what they know.
type field struct {
	t      *rapid.T
	agents []*fieldAgent
	ids    map[int64]uint // records made, by window
	truth  map[int64]uint64

	region *Fold
	epoch  byte
	n      uint64
	outbox []fold.Message // of the region: what the center has not got

	center  *outcome
	sent    []fold.Message
	brought map[string]schemas.Window // parts that the center has got
	removed bool                      // agents have removed something that the center may lack
}

func newField(t *rapid.T) *field {
	f := &field{
		t: t, ids: map[int64]uint{}, truth: map[int64]uint64{}, brought: map[string]schemas.Window{},
		center: &outcome{f: NewFold("center/0", schemas.TierCenter), latest: map[string]schemas.Window{}},
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "agents") {
		f.agents = append(f.agents, &fieldAgent{name: fmt.Sprintf("a%d", i), parts: map[int64]*schemas.Window{}})
	}
	f.begin()
	return f
}

// begin begins a region with an empty folder.
func (f *field) begin() {
	f.region, f.n, f.outbox = NewFold("r01/0", schemas.TierRegion), 0, nil
	f.epoch++
}

// emit lets an agent put out an entry.
func (f *field) emit(a *fieldAgent, advance int64, revisions int) {
	a.n++
	a.through += advance
	c := &schemas.Commit{Producer: a.name, Epoch: schemas.Epoch{a.name[1]}, N: a.n, RunFirst: a.n, End: true, Time: a.through + 80*second, Wall: 1}
	in := map[int64]bool{}
	for range revisions {
		start := a.through + int64(rapid.IntRange(0, 5).Draw(f.t, "start"))*10*second
		if f.ids[start] >= 60 || in[start] {
			continue
		}
		in[start] = true
		c.Windows = append(c.Windows, f.revise(a, start))
	}
	for start, w := range a.parts {
		if w.End <= a.through {
			delete(a.parts, start)
		}
	}
	c.Views = []schemas.Progress{{View: "fleet", Size: 10 * second, Uplink: schemas.TierCenter, OnTimeThrough: a.through + 60*second, FinalThrough: a.through, Emitted: a.emitted}}
	c.Totals = []schemas.Total{
		{Tenant: "t", Signal: schemas.Metrics, N: a.emitted},
		{Tenant: "t", Signal: schemas.Metrics, Stage: schemas.StageAggregator, Outcome: schemas.Counted, N: a.emitted},
	}
	a.outbox = append(a.outbox, c)
}

// revise is a window of an agent with a few records more.
func (f *field) revise(a *fieldAgent, start int64) schemas.Window {
	w := a.parts[start]
	if w == nil {
		w = &schemas.Window{
			View: "fleet", Dims: []string{"class", "metric"}, Key: schemas.Key{Tenant: "t", Values: []string{"c", "m"}},
			Start: start, End: start + 10*second, FirstN: a.n,
		}
		a.parts[start] = w
	}
	w.Revision++
	w.Timing = schemas.OnTime
	if w.End <= a.through {
		w.Timing = schemas.FinalTiming
	} else if w.Revision > 1 {
		w.Timing = schemas.LateTiming
	}
	for range rapid.IntRange(1, 3).Draw(f.t, "records") {
		id := uint64(1) << f.ids[start]
		f.ids[start]++
		f.truth[start] |= id
		w.Count, w.Sum, w.Max, w.Digest = w.Count+1, w.Sum+1, 1, w.Digest+id
		a.emitted++
	}
	return *w
}

// bring lets the region have the next entry of an agent.
func (f *field) bring(a *fieldAgent) {
	if a.next == len(a.outbox) {
		return
	}
	c := a.outbox[a.next]
	a.next++
	m := message(c)
	r, err := f.region.Apply(m)
	if err != nil {
		f.t.Fatal(err)
	}
	if r == nil {
		return
	}
	for _, c := range fold.Entries("r01/0", f.n, m, r, 2048) {
		f.n, c.Epoch = c.N, schemas.Epoch{f.epoch}
		m := message(c)
		m.Subject = schemas.GatewayOutbox("r01", 0, schemas.KindCommit)
		f.outbox = append(f.outbox, m)
	}
}

// pass lets the center have the next entries of the region.
func (f *field) pass(n int) {
	for ; n > 0 && len(f.outbox) > 0; n-- {
		f.tell(f.outbox[0])
		f.outbox = f.outbox[1:]
	}
}

func (f *field) tell(m fold.Message) {
	f.sent = append(f.sent, m)
	c, err := new(schemas.CommitDecoder).Decode(m.Data, schemas.WithWindows)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, w := range c.Windows {
		k := fmt.Sprint(w.Start, w.Epoch, w.FirstN)
		if old := f.brought[k]; w.Revision > old.Revision {
			f.brought[k] = w
		}
	}
	f.center.apply(f.t, m)
}

// lose takes the region's folder away: what has not gone on is lost, and agents send what
// they still have again.
func (f *field) lose(removes bool) {
	for _, a := range f.agents {
		if removes {
			n := rapid.IntRange(0, max(0, min(a.next, len(a.outbox)-1))).Draw(f.t, "removed")
			a.outbox = a.outbox[n:]
			f.removed = f.removed || n > 0
		}
		a.next = 0
	}
	f.begin()
}

// settle lets all that will come have come.
func (f *field) settle() {
	through := int64(0)
	for _, a := range f.agents {
		through = max(through, a.through)
	}
	for range 2 {
		for _, a := range f.agents {
			if !a.gone {
				f.emit(a, through+300*second-a.through, 0)
			}
		}
		through += 300 * second
	}
	for again := true; again; {
		again = false
		for _, a := range f.agents {
			if !a.gone && a.next < len(a.outbox) {
				f.bring(a)
				again = true
			}
		}
	}
	f.pass(len(f.outbox))
}

// at is what the center holds of each window.
func (f *field) at() map[int64]uint64 {
	latest := map[string]schemas.Window{}
	for k, w := range f.center.latest {
		latest[k] = w
	}
	for k, m := range f.center.f.windows {
		if !m.empty() {
			w, _ := m.sum(nil)
			w.FirstN = m.firstN
			latest[fmt.Sprint(k, m.firstN)] = w
		}
	}
	out := map[int64]uint64{}
	for _, w := range latest {
		if int(w.Count) != bits.OnesCount64(w.Digest) || out[w.Start]&w.Digest != 0 {
			f.t.Fatalf("window %d: %d records of %b, beside %b", w.Start/second, w.Count, w.Digest, out[w.Start])
		}
		out[w.Start] |= w.Digest
	}
	return out
}

// known is what of each window any region has brought to the center.
func (f *field) known() map[int64]uint64 {
	out := map[int64]uint64{}
	for _, w := range f.brought {
		out[w.Start] |= w.Digest
	}
	return out
}

// inDoubt is how many records the center says that its windows may lack.
func (f *field) inDoubt() (n int) {
	for _, p := range f.center.f.producers {
		counts, _ := p.inDoubt()
		for _, k := range counts {
			n += int(k)
		}
	}
	return n
}

// TestRegionsBeginAnew: a region loses its folder, and agents bring again what they have.
// The center never has a record twice. It has all records where agents have removed
// nothing and all come again while windows are in memory, and else it has declared as
// many as it lacks of those that any region has brought.
func TestRegionsBeginAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newField(t)
		removes := rapid.Bool().Draw(t, "agents remove")
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			a := rapid.SampledFrom(f.agents).Draw(t, "agent")
			switch rapid.SampledFrom([]string{"emit", "emit", "bring", "bring", "bring", "pass", "pass", "lose", "restart", "again"}).Draw(t, "step") {
			case "emit":
				f.emit(a, int64(rapid.IntRange(0, 2).Draw(t, "advance"))*10*second, rapid.IntRange(0, 3).Draw(t, "revisions"))
			case "bring":
				for range rapid.IntRange(1, 5).Draw(t, "entries") {
					f.bring(a)
				}
			case "pass":
				f.pass(rapid.IntRange(1, 5).Draw(t, "entries"))
			case "lose":
				if f.epoch < 3 {
					f.lose(removes)
				}
			case "restart":
				f.center.f = restarted(t, f.center.f)
			case "again":
				if len(f.sent) > 0 {
					f.tell(rapid.SampledFrom(f.sent).Draw(t, "entry"))
				}
			}
		}
		for _, a := range f.agents[1:] {
			a.gone = rapid.IntRange(0, 9).Draw(t, "comes again") == 0
		}
		f.settle()
		f.check()
	})
}

func (f *field) check() {
	at, known := f.at(), f.known()
	lacking := 0
	for start, all := range known {
		if at[start]&^all != 0 {
			f.t.Fatalf("window %d: %b at the center, and only %b has been brought", start/second, at[start], all)
		}
		lacking += bits.OnesCount64(all &^ at[start])
	}
	if said := f.inDoubt(); lacking > said {
		for k, w := range f.brought {
			f.t.Logf("brought %s rev %d %s missing %v: %b; center %b", k, w.Revision, w.Timing, w.Missing, w.Digest, at[w.Start])
		}
		f.t.Fatalf("the center lacks %d records and says %d", lacking, said)
	}
	if c := f.center.f.Check(0); c.Unexplained != 0 {
		f.t.Fatalf("%+v", c)
	}
	if l := schemas.NewLedger(f.center.f.Ledgers(0)).Totals; l.Unexplained != 0 {
		f.t.Fatalf("%+v", l)
	}
	if f.removed || slices.ContainsFunc(f.agents, func(a *fieldAgent) bool { return a.gone }) {
		return
	}
	for start, all := range f.truth {
		if known[start] != all {
			f.t.Fatalf("window %d: agents have made %b, and regions have brought %b", start/second, all, known[start])
		}
	}
}

// anew is a commit of an epoch of a region's partition that is through with all windows
// which end by then.
func anew(epoch byte, n uint64, through int64, received uint64, windows ...schemas.Window) *schemas.Commit {
	c := tellingOne("r01/0", n, through+20, windows...)
	c.Epoch, c.Knows = schemas.Epoch{epoch}, []schemas.Epoch{{0xa}}
	c.Views[0].Emitted, c.Views[0].WholeFrom, c.Views[0].WholeThrough = received, never, through*second
	c.Totals = []schemas.Total{
		{Tenant: "t", Signal: schemas.Metrics, N: received},
		{Tenant: "t", Signal: schemas.Metrics, Stage: schemas.StageAggregator, Outcome: schemas.Counted, N: received},
	}
	return c
}

// holding is a revision of a part of the first window, with some of its records.
func holding(firstN uint64, revision uint32, records uint64) schemas.Window {
	values := make([]float64, bits.OnesCount64(records))
	w := sketched("fleet", "class", "c", 0, firstN, values...)
	w.Revision, w.Digest = revision, records
	return w
}

// TestWhatAnEpochBrings: of a window that two epochs of a region have brought, the center
// has what it may have of it, and says what it may lack.
func TestWhatAnEpochBrings(t *testing.T) {
	lost := func(through int64, records uint64) *schemas.Commit {
		return anew(1, 1, through, uint64(bits.OnesCount64(records)), holding(1, 1, records))
	}
	late := func(n uint64) *schemas.Commit { // its agents have removed what they had brought
		c := anew(2, n, 10, 1, holding(1, uint32(n), 0b100))
		c.Views[0].WholeFrom = 10 * second
		return c
	}
	end := anew(1, 2, 10, 2)
	for _, c := range []struct {
		name    string
		commits []*schemas.Commit
		want    uint64 // records at the center
		inDoubt uint64
	}{
		{"all again", []*schemas.Commit{lost(0, 0b11), anew(2, 1, 10, 2, holding(1, 1, 0b11))}, 0b11, 0},
		{"all again, and late ones", []*schemas.Commit{lost(0, 0b11), anew(2, 1, 0, 2, holding(1, 1, 0b11)), anew(2, 2, 10, 3, holding(1, 2, 0b111))}, 0b111, 0},
		{"the newer first", []*schemas.Commit{anew(2, 1, 10, 3, holding(1, 1, 0b111)), lost(0, 0b11)}, 0b111, 0},
		{"less again", []*schemas.Commit{lost(0, 0b11), end, anew(2, 1, 10, 1, holding(1, 1, 0b01))}, 0b11, 0},
		{"nothing again, but late ones", []*schemas.Commit{lost(0, 0b11), late(1), late(2)}, 0b11, 1},
		{"forgotten, all again", []*schemas.Commit{lost(0, 0b11), end, anew(2, 1, 10, 2, holding(1, 1, 0b11))}, 0b11, 0},
		{"forgotten, then a part by itself", []*schemas.Commit{lost(0, 0b11), end, anew(2, 1, 10, 2, holding(1, 1, 0b11)), anew(2, 2, 10, 3, holding(2, 1, 0b100))}, 0b111, 0},
		{"forgotten, and more again", []*schemas.Commit{lost(0, 0b11), end, anew(2, 1, 10, 3, holding(1, 1, 0b111))}, 0b11, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := NewFold("center/0", schemas.TierCenter)
			var got, n uint64
			latest := map[uint64]schemas.Window{}
			for _, e := range c.commits {
				m := message(e)
				r, err := f.Apply(m)
				if err != nil || r == nil {
					continue
				}
				for _, e := range fold.Entries("center/0", n, m, r, 2048) {
					n = e.N
					for _, w := range append(e.Windows, e.Local...) {
						latest[w.FirstN] = w
					}
				}
			}
			for _, m := range f.windows {
				if !m.empty() {
					latest[m.firstN], _ = m.sum(nil)
				}
			}
			for _, w := range latest {
				got += w.Digest
			}
			l := schemas.NewLedger(f.Ledgers(0)).Totals
			if check := f.Check(0); got != c.want || l.Shed != c.inDoubt || l.Unexplained != 0 || check.Unexplained != 0 {
				t.Errorf("%b at the center, want %b; %d in doubt, want %d: %+v", got, c.want, l.Shed, c.inDoubt, l)
			}
		})
	}
}

// TestStandsFade: of forgotten windows those that need no word are forgotten first.
func TestStandsFade(t *testing.T) {
	s := newStands()
	s.note(stand{key: 1, end: 1, worth: worth{3, 3}, counts: true, lacking: true}, false)
	for end := int64(2); end <= maxStands+2; end++ {
		s.note(stand{key: uint64(end), end: end, worth: worth{1, 1}, counts: true}, false)
	}
	remembered := func(key uint64) (n int) {
		s.each(key, func(*stand) { n++ })
		return n
	}
	if remembered(1) != 1 || remembered(2) != 0 || remembered(maxStands) != 1 {
		t.Errorf("%d of the first, %d of the second, %d of a late window are remembered", remembered(1), remembered(2), remembered(maxStands))
	}
	if !s.fades(2) || s.others.fades(2) || s.fades(maxStands) {
		t.Errorf("windows fade through %d and %d", s.whole.gone, s.others.gone)
	}
}

// TestStateOfBefore: a checkpoint of the version before is read. Nobody knows any more how
// much of the windows that were forgotten then had come, nor which agents the region knew:
// what comes again of the former is in doubt, and so is what does not count of others.
func TestStateOfBefore(t *testing.T) {
	state, err := os.ReadFile("testdata/state-v7.bin")
	if err != nil {
		t.Fatal(err)
	}
	f := fleetFold{t, NewFold("center/0", schemas.TierCenter)}
	if err := f.Restore(state); err != nil {
		t.Fatal(err)
	}
	if again := NewFold("center/0", schemas.TierCenter); again.Restore(f.Append(nil)) != nil {
		t.Fatal("what was read is not written so that it can be read")
	}
	window := func(i int64, values ...float64) schemas.Window {
		return sketched("fleet", "class", "c", i*10*second, 1, values...)
	}
	f.tell(anew(2, 1, 40, 9, window(0, 5, 6), window(3, 5, 6, 7)))
	l := schemas.NewLedger(f.Ledgers(0)).Totals
	if l.Received != 9 || l.Shed != 2+2 || l.Unexplained != 0 {
		t.Errorf("the first window has come again, and the last with one more: %+v", l)
	}
	for _, m := range f.windows {
		if w, _ := m.sum(nil); !m.empty() && w.Start == 30*second && w.Count != 3 {
			t.Errorf("the last window has %d records, want 3", w.Count)
		}
	}
}
