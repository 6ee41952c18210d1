package forwarder

import (
	"encoding/json"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"weir/pkg/gcra"
	"weir/schemas"
	"weir/services/internal/bus"
)

// shelf is a core with entries that a test writes by hand.
type shelf struct {
	*backlog
	t   *testing.T
	seq uint64
}

const testSubject = "weir.outbox.a.commit"

func newShelf(t *testing.T) *shelf {
	return &shelf{backlog: newBacklog("a", func(p string) bool { return p == "a" }), t: t}
}

// put notes an entry of a run.
func (s *shelf) put(epoch byte, n, first uint64, end bool) {
	s.seq += 10
	c := &schemas.Commit{Producer: "a", Epoch: schemas.Epoch{epoch}, N: n, RunFirst: first, End: end, Wall: int64(s.seq) * second}
	s.note(bus.Message{Subject: testSubject, Seq: s.seq, Data: make([]byte, 100)}, c, nil)
}

// applied answers the newest question with what is applied.
func (s *shelf) applied(now int64, spans ...schemas.Span) outcome {
	s.t.Helper()
	qs := s.questions()
	q := qs[len(qs)-1]
	o, err := s.granted(q, &schemas.LinkGrant{Epoch: q.report.Epoch, Applied: spans, Credit: 1000, Within: second}, now)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func (s *shelf) wantRemovable(want uint64) {
	s.t.Helper()
	if got := s.sources[0].removable(math.MaxUint64); got != want {
		s.t.Errorf("removable below %d, want %d", got, want)
	}
}

func TestRemovable(t *testing.T) {
	s := newShelf(t)
	s.put(1, 1, 1, true)
	s.put(1, 2, 2, false)
	s.put(1, 3, 2, true)
	s.wantRemovable(0) // nobody has said what is applied
	s.applied(0, schemas.Span{From: 1, To: 3})
	s.wantRemovable(20) // the newest commit stays, and it is a run of two
	s.put(1, 4, 4, false)
	s.applied(0, schemas.Span{From: 1, To: 4})
	s.wantRemovable(20) // a run without its end is no commit yet
	s.put(1, 5, 4, false)
	s.put(1, 6, 4, true)
	s.wantRemovable(40) // now it is one; that its end is not applied makes no difference to what was before it
	s.applied(0, schemas.Span{From: 1, To: 2}, schemas.Span{From: 4, To: 6})
	s.wantRemovable(40) // 3 was applied once: it stays so
	s.sources[0].removed(40)
	s.wantRemovable(0)
	s.put(1, 7, 7, true)
	s.put(1, 8, 8, true)
	s.applied(0, schemas.Span{From: 1, To: 6}, schemas.Span{From: 8, To: 8})
	s.wantRemovable(70) // 7 is not applied
	s.put(2, 1, 1, true)
	s.wantRemovable(0) // of the newest epoch nothing is known
	s.applied(0)
	s.wantRemovable(70)
}

// TestIncompleteRun: an outbox that begins with half a commit.
func TestIncompleteRun(t *testing.T) {
	s := newShelf(t)
	s.put(1, 8, 7, false)
	s.applied(0, schemas.Span{From: 1, To: 8})
	s.wantRemovable(0) // no commit is whole
	s.put(1, 9, 7, true)
	s.applied(0, schemas.Span{From: 1, To: 9})
	s.wantRemovable(0) // it is the newest
	s.put(1, 10, 10, true)
	s.applied(0, schemas.Span{From: 1, To: 9})
	s.wantRemovable(30)
}

func TestGrantsThatDoNotFit(t *testing.T) {
	f := func(name string, g schemas.LinkGrant, want string) {
		t.Helper()
		s := newShelf(t)
		s.put(1, 1, 1, true)
		q := s.questions()[0]
		if g.Epoch == "" {
			g.Epoch = q.report.Epoch
		}
		_, err := s.granted(q, &g, 0)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
		if s.debt().entries != 1 || s.sources[0].newest.known {
			t.Errorf("%s: it was taken all the same", name)
		}
	}
	f("of another epoch", schemas.LinkGrant{Epoch: "00", Applied: []schemas.Span{{From: 1, To: 1}}}, `epoch "00"`)
	f("backward", schemas.LinkGrant{Applied: []schemas.Span{{From: 2, To: 1}}}, "in no order")
	f("not ascending", schemas.LinkGrant{Applied: []schemas.Span{{From: 5, To: 6}, {From: 1, To: 1}}}, "in no order")
	f("overlapping", schemas.LinkGrant{Applied: []schemas.Span{{From: 1, To: 6}, {From: 6, To: 7}}}, "in no order")
}

// FuzzGrant: whatever the tier above answers, nothing that it does not name is
// taken for applied.
func FuzzGrant(f *testing.F) {
	epoch := schemas.Epoch{1}.String()
	f.Add([]byte(`{"epoch":"` + epoch + `","applied":[{"from":1,"to":2},{"from":4,"to":9}],"credit":100,"within":1000000000,"policy":3}`))
	f.Add([]byte(`{"epoch":"` + epoch + `","applied":[{"from":3,"to":2}]}`))
	f.Add([]byte(`{"epoch":"","applied":null}`))
	f.Add([]byte(`[1,2`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		s := &Service{core: newBacklog("a", func(string) bool { return true }), log: slog.New(slog.DiscardHandler)}
		sh := shelf{backlog: s.core, t: t}
		for n := range uint64(5) {
			sh.put(1, n+1, n+1, true)
		}
		err := s.take(s.core.questions()[0], answer)
		var g schemas.LinkGrant
		_ = json.Unmarshal(answer, &g)
		for n := range uint64(5) {
			named := slices.ContainsFunc(g.Applied, func(a schemas.Span) bool { return a.From <= n+1 && n+1 <= a.To })
			_, e := s.core.sources[0].find(10 * (n + 1))
			if want := err != nil || !named; (e != nil) != want {
				t.Errorf("entry %d: owed is %v after %+v, %v", n+1, !want, g, err)
			}
		}
	})
}

// TestLost: what was stored before something was taken that is applied, and is not applied itself, waits again;
// and longer and longer where that does not help.
func TestLost(t *testing.T) {
	s := newShelf(t)
	for n := range uint64(4) {
		s.put(1, n+1, n+1, true)
	}
	s.restart()
	src := s.sources[0]
	take := func(seq uint64) {
		if !s.claim(testSubject, seq) {
			t.Fatalf("%d does not wait", seq)
		}
	}
	lost := func(now int64, want int, spans ...schemas.Span) {
		t.Helper()
		if o := s.applied(now, spans...); o.again != want {
			t.Errorf("%d entries wait again, want %d", o.again, want)
		}
	}
	take(10)
	take(20)
	take(30)
	s.stored(src, 10)
	take(40)
	s.stored(src, 20)
	s.stored(src, 40)
	lost(0, 0, schemas.Span{From: 4, To: 4}) // what this answer shows counts for questions asked afterwards
	lost(0, 1, schemas.Span{From: 4, To: 4}) // 1 was stored before 4 was taken; 2 and 3 may still be on their way
	if first, last := src.waiting(); first != 10 || last != 10 {
		t.Errorf("from %d to %d wait, want 10", first, last)
	}
	take(10)
	s.stored(src, 10)
	lost(2*second, 0, schemas.Span{From: 4, To: 4}) // it was stored again after that
	s.put(1, 5, 5, true)
	take(50)
	s.stored(src, 50)
	lost(2*second, 0, schemas.Span{From: 4, To: 5})
	lost(2*second, 2, schemas.Span{From: 4, To: 5}) // now 2 too
	take(10)
	s.stored(src, 10)
	s.put(1, 6, 6, true)
	take(60)
	lost(3*second, 0, schemas.Span{From: 4, To: 6})
	lost(3*second, 0, schemas.Span{From: 4, To: 6}) // twice as patient
	lost(4*second, 1, schemas.Span{From: 4, To: 6})
}

// TestCounters: what the core counts along is what its entries add up to.
func TestCounters(t *testing.T) {
	s := newShelf(t)
	check := func() {
		t.Helper()
		sp := s.sources[0].newest
		bytes, live, idle := int64(0), int64(0), 0
		for i := range sp.owed {
			e := &sp.owed[i]
			bytes += e.bytes()
			if e.claimed == 0 {
				idle++
			}
			if e.size >= 1<<31 {
				live += e.bytes()
			}
		}
		if bytes != sp.bytes || live != sp.liveBytes || idle != sp.idle {
			t.Errorf("bytes %d, live %d, waiting %d; counted %d, %d, %d", bytes, live, idle, sp.bytes, sp.liveBytes, sp.idle)
		}
	}
	for n := range uint64(9) {
		s.put(1, n+1, n+1, true)
	}
	src := s.sources[0]
	for i := 5; i < 9; i++ {
		s.live(src, &src.newest.owed[i])
		check()
	}
	s.claim(testSubject, 10)
	s.claim(testSubject, 20)
	check()
	s.refused(src, 20)
	s.refused(src, 90)
	check()
	s.applied(0, schemas.Span{From: 1, To: 1}, schemas.Span{From: 3, To: 3}, schemas.Span{From: 7, To: 7})
	check()
	s.gone([]string{testSubject}, 30, 60)
	check()
	s.spoiled(src, 80, errLost)
	check()
	if d := s.debt(); d.entries != 3 || d.bytes != 300 || d.backfill != 200 || d.oldest != 20*second {
		t.Errorf("debt %+v", d)
	}
	s.restart()
	check()
}

// TestMemory: a hundred thousand entries that wait cost less than ten megabytes, and nothing when they are applied.
func TestMemory(t *testing.T) {
	const entries = 100_000
	used := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := used()
	s := newShelf(t)
	data, c := make([]byte, 2000), &schemas.Commit{Producer: "a", Epoch: schemas.Epoch{1}, End: true, Wall: 1}
	for n := range uint64(entries) {
		c.N, c.RunFirst = n+1, n+1
		s.note(bus.Message{Subject: testSubject, Seq: n + 1, Data: data}, c, nil)
	}
	if cost := used() - before; cost > 5<<20 {
		t.Errorf("%d entries cost %d bytes", entries, cost)
	}
	s.applied(0, schemas.Span{From: 1, To: entries - 10})
	if cost := used() - before; cost > 100<<10 {
		t.Errorf("ten entries cost %d bytes", cost)
	}
	runtime.KeepAlive(s)
}

func TestCredit(t *testing.T) {
	var c credit
	f := func(now, n int64, want bool) {
		t.Helper()
		if got := c.allows(now, n); got != want {
			t.Errorf("%d bytes at %d of %+v: %v", n, now, c, got)
		}
	}
	f(0, 1, false)
	c.grant(0, 1000, second)
	f(0, 1000, true)
	f(second-1, 1000, true)
	f(second, 1, false) // lapsed
	c.spend(400)
	f(0, 600, true)
	f(0, 601, false)
	c.grant(0, 500, second) // replaces what was left
	f(0, 500, true)
	f(0, 5000, true) // larger than a grant: alone
	c.spend(1200)
	f(0, 1, false)
	c.grant(0, 500, 0) // 700 too much were sent; how long it counts is not said
	f(0, 1, false)
	c.grant(0, 500, 0)
	f(usualWithin-1, 300, true)
	c.grant(0, -5, second)
	f(0, 1, false)
}

func TestDrain(t *testing.T) {
	var d drain
	f := func(rest int64, want float64) {
		t.Helper()
		if got := d.eta(rest); math.Abs(got-want) > 0.02*math.Abs(want) {
			t.Errorf("%d bytes take %v s, want %v", rest, got, want)
		}
	}
	f(100, -1)
	f(0, 0)
	d.observe(second, 1e9) // over no known time
	f(100, -1)
	d.observe(2*second, 500)
	f(1000, 2) // right from the first second
	for at := int64(3); at < 60; at++ {
		d.observe(at*second, 1000)
		d.observe(at*second+1, 1000) // another source, a moment later
	}
	f(20_000, 10)
	for at := int64(60); at < 300; at++ {
		d.observe(at*second, 0)
	}
	f(20_000, -1) // it has come to a stand
}

func TestWindow(t *testing.T) {
	var w window
	now := int64(0)
	fly := func(n, took int64) {
		w.send(n)
		now += took
		w.land(n)
		w.confirm(now, now-took, n)
	}
	if !w.open(1<<20) || !w.open(smallestWindow) {
		t.Error("one message may always fly")
	}
	w.send(smallestWindow)
	if w.open(1) {
		t.Error("more than the smallest window flies at first")
	}
	w.land(smallestWindow)
	for range 100 {
		fly(100_000, 50e6)
	}
	if w.size != largestWindow || w.flying != 0 {
		t.Errorf("on a fast link the window is %d, in flight %d", w.size, w.flying)
	}
	fly(100_000, 300e6)
	if w.size != largestWindow/2 {
		t.Errorf("a queue on the way leaves the window at %d", w.size)
	}
	w.confirm(now, now-400e6, 1) // flew at the same time
	if w.size != largestWindow/2 {
		t.Errorf("what flew together shrinks it again, to %d", w.size)
	}
	for range 100 {
		fly(1000, 300e6)
	}
	if w.size != smallestWindow {
		t.Errorf("a queue that stays leaves the window at %d", w.size)
	}
}

func TestPause(t *testing.T) {
	var p pause
	now := int64(0)
	f := func(want int64) {
		t.Helper()
		p.full(now, 1)
		if got := p.until - now; got != want {
			t.Errorf("pause of %d, want %d", got, want)
		}
	}
	f(second / 4)
	f(second / 4) // of messages that flew together
	now += second / 4
	f(second / 2)
	now += second / 2
	p.room()
	f(second / 4)
	for range 10 {
		now = p.until
		p.full(now, 1)
	}
	now = p.until
	f(longPause)
}

func TestLink(t *testing.T) {
	l := link{since: 1000}
	f := func(now int64, up bool, changed int64) {
		t.Helper()
		if l.up(now) != up || l.changed(now) != changed {
			t.Errorf("at %d: up %v since %d; want %v since %d", now, l.up(now), l.changed(now), up, changed)
		}
	}
	f(5, false, 1000)
	l.answer(10*second, 2000)
	l.answer(20*second, 3000)
	f(30*second, true, 2000)
	f(31*second, false, 3000+silence)
	l.answer(40*second, 4000)
	f(40*second, true, 4000)
}

func TestEvery(t *testing.T) {
	f := func(owed uint64, within, want int64) {
		t.Helper()
		if got := every(owed, within); got != want {
			t.Errorf("%d owed, within %d: every %d, want %d", owed, within, got, want)
		}
	}
	f(0, 0, 3*second)
	f(1, 0, second)
	f(1, 2*second, second)
	f(1, second, 3*second/4)
	f(0, 2*second, 3*second/2)
	f(1, 1, second/10)
}

func TestQueue(t *testing.T) {
	var q queue
	if !q.room(gcra.Alert, 1<<30) {
		t.Error("one message always fits")
	}
	for i := range 3 {
		q.push(parcel{seq: uint64(i), data: make([]byte, 400<<10)})
	}
	if q.room(gcra.Alert, 1) || !q.room(gcra.Live, 1<<20) {
		t.Errorf("room with %d bytes", q.bytes)
	}
	for i := range 3 {
		if p, ok := q.pop(); !ok || p.seq != uint64(i) {
			t.Errorf("popped %d, want %d", p.seq, i)
		}
	}
	if _, ok := q.pop(); ok || q.bytes != 0 {
		t.Errorf("the queue is not empty: %d bytes", q.bytes)
	}
}

func TestConfig(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		cfg := agentConfig
		change(&cfg)
		_, err := New(cfg, newOutbox(), newRegion(), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	f(func(c *Config) { c.Tier = schemas.TierCenter }, `tier "center"`)
	f(func(c *Config) { c.Name = "a/1" }, `name "a/1"`)
	f(func(c *Config) { c.Upstream = "" }, `upstream ""`)
	f(func(c *Config) { c.Stream = "" }, "no stream")
	f(func(c *Config) { c.Budget.BytesPerSecond = -1 }, "budget")
	f(func(c *Config) { c.Budget.BackfillShare = 1.5 }, "budget")
	f(func(c *Config) { c.Budget.Reserve = math.NaN() }, "budget")
}

func TestShares(t *testing.T) {
	f := func(b Budget, want gcra.Shares) {
		t.Helper()
		if got := b.shares(); got != want {
			t.Errorf("%+v: %+v, want %+v", b, got, want)
		}
	}
	f(Budget{}, gcra.Shares{Reserve: 0.1, Backfill: 0.5, Least: 0.05, Quiet: 2 * second})
	f(Budget{1000, 0.3, 0.2}, gcra.Shares{Rate: 1000, Reserve: 0.2, Backfill: 0.3, Least: 0.05, Quiet: 2 * second})
}

func TestOurs(t *testing.T) {
	f := func(tier schemas.Tier, producer string, want bool) {
		t.Helper()
		if got := (&Config{Tier: tier, Name: "n1"}).ours(producer); got != want {
			t.Errorf("%s of tier %s: %v", producer, tier, got)
		}
	}
	f(schemas.TierAgent, "n1", true)
	f(schemas.TierAgent, "n2", false)
	f(schemas.TierAgent, "n1/3", false)
	f(schemas.TierRegion, "n1/3", true)
	f(schemas.TierRegion, "n1", false)
	f(schemas.TierRegion, "n2/3", false)
}
