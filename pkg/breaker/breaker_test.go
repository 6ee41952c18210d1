package breaker

import (
	"testing"

	"pgregory.net/rapid"
)

const second = 1_000_000_000

func made(t testing.TB, c Config) *Breaker {
	t.Helper()
	b, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ended makes a call that ends at once.
func ended(t testing.TB, b *Breaker, now int64, o Outcome) {
	t.Helper()
	p, ok, _ := b.Acquire(now)
	if !ok {
		t.Fatalf("no permit at %d while %v", now, b.State(now))
	}
	b.Done(now, p, o)
}

func TestOpensAtTheThreshold(t *testing.T) {
	for _, c := range []struct {
		name          string
		good, bad     int
		apart         int64
		want          State
		calls, inARow int
	}{
		{"nine in a row", 0, 9, 1, Closed, 0, 0},
		{"ten in a row", 0, 10, 1, Open, 10, 10},
		{"in a row, however long it takes", 0, 10, 3 * second, Open, 4, 10},
		{"half of twenty", 11, 9, 1, Closed, 0, 0},
	} {
		b := made(t, Default())
		now := int64(0)
		for range c.good {
			ended(t, b, now, Success)
		}
		for range c.bad {
			now += c.apart
			ended(t, b, now, Failure)
		}
		if got := b.State(now); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if e := b.Last(); e.To == Open && (e.Calls != c.calls || e.InARow != c.inARow || !e.Justified()) {
			t.Errorf("%s: opened on %+v", c.name, e)
		}
	}
}

func TestOpensByRate(t *testing.T) {
	b := made(t, Default())
	for i := range 20 {
		if b.State(0) != Closed {
			t.Fatalf("open after %d calls", i)
		}
		ended(t, b, 0, []Outcome{Success, Failure}[i%2])
	}
	if e := b.Last(); b.State(0) != Open || e.Calls != 20 || e.Failures != 10 || !e.Justified() {
		t.Errorf("after 10 failures of 20: %v on %+v", b.State(0), e)
	}
}

// TestForgets: failures that are more than ten slices old say nothing.
func TestForgets(t *testing.T) {
	b := made(t, Default())
	for i := range 19 {
		ended(t, b, 0, []Outcome{Failure, Success}[i%2])
	}
	for range 19 {
		ended(t, b, 10*second, Success)
	}
	ended(t, b, 10*second, Failure)
	if b.State(10*second) != Closed {
		t.Error("opened by what is forgotten")
	}
}

func TestSlowIsFailed(t *testing.T) {
	c := Default()
	c.Slow = second
	b := made(t, c)
	now := int64(0)
	for range 10 {
		p, _, _ := b.Acquire(now)
		now += second + 1
		b.Done(now, p, Success)
	}
	if b.State(now) != Open {
		t.Error("slow calls did not open it")
	}
}

func TestIgnoredIsNothing(t *testing.T) {
	b := made(t, Default())
	for range 1000 {
		ended(t, b, 0, Ignored)
	}
	if b.State(0) != Closed {
		t.Error("calls that were given up opened it")
	}
}

func opened(t testing.TB, c Config) (b *Breaker, until int64) {
	b = made(t, c)
	b.Trip(0)
	_, ok, wait := b.Acquire(0)
	if ok || wait < c.Pause*8/10 || wait > c.Pause*12/10 || !b.Last().Justified() {
		t.Fatalf("open: permit %v, wait %d", ok, wait)
	}
	return b, wait
}

func TestProbes(t *testing.T) {
	b, now := opened(t, Default())
	var permits []Permit
	for {
		p, ok, wait := b.Acquire(now)
		if !ok {
			if wait != Default().Lease {
				t.Errorf("wait %d for a probe's lease", wait)
			}
			break
		}
		permits = append(permits, p)
	}
	if len(permits) != 3 {
		t.Fatalf("%d probes", len(permits))
	}
	b.Done(now, permits[0], Success)
	b.Done(now, permits[0], Success) // twice counts once
	b.Done(now, permits[1], Success)
	if b.State(now) != HalfOpen {
		t.Fatal("closed by two probes")
	}
	b.Done(now, permits[2], Success)
	if b.State(now) != Closed || !b.Last().Justified() {
		t.Errorf("%v after three good probes", b.State(now))
	}
}

// TestStale: what began while it was closed neither closes nor opens it later.
func TestStale(t *testing.T) {
	b := made(t, Default())
	var old []Permit
	for range 10 {
		p, _, _ := b.Acquire(0)
		old = append(old, p)
	}
	b.Trip(0)
	_, _, now := b.Acquire(0)
	for i, p := range old {
		b.Done(now, p, []Outcome{Success, Failure}[i%2])
	}
	if b.State(now) != HalfOpen {
		t.Errorf("stale results made it %v", b.State(now))
	}
}

// TestHungProbe: one that never comes back opens the breaker again, for longer, and holds no place.
func TestHungProbe(t *testing.T) {
	c := Default()
	b, now := opened(t, c)
	hung, _, _ := b.Acquire(now)
	now += c.Lease
	_, ok, wait := b.Acquire(now)
	if ok || wait < 2*c.Pause*8/10 {
		t.Fatalf("after a lease has ended: permit %v, wait %d", ok, wait)
	}
	now += wait
	for range c.Successes {
		ended(t, b, now, Success)
	}
	b.Done(now, hung, Failure)
	if b.State(now) != Closed {
		t.Errorf("%v though all probes succeeded", b.State(now))
	}
}

func TestPausesGrow(t *testing.T) {
	c := Default()
	b, now := opened(t, c)
	longest := int64(0)
	for range 30 {
		ended(t, b, now, Failure)
		_, _, wait := b.Acquire(now)
		longest = max(longest, wait)
		now += wait
	}
	if longest > c.MaxPause*12/10 || longest < c.MaxPause*8/10 {
		t.Errorf("longest pause %d, want about %d", longest, c.MaxPause)
	}
}

func TestRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"slice": func(c *Config) { c.Slice = 0 }, "rate": func(c *Config) { c.FailureRate = 0 }, "probes": func(c *Config) { c.Probes = 17 },
		"pause": func(c *Config) { c.MaxPause = c.Pause - 1 }, "successes": func(c *Config) { c.Successes = 0 },
	} {
		c := Default()
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// judge is a slow model: it keeps every call that ended since the breaker closed.
type judge struct {
	gen   uint64
	calls []call
}

type call struct {
	at   int64
	fail bool
}

// justifies reports whether the calls alone do.
func (j *judge) justifies(now int64, c Config) bool {
	calls, fail, row := 0, 0, 0
	for _, k := range j.calls {
		if floor(k.at, c.Slice) > floor(now, c.Slice)-slices {
			calls++
			if k.fail {
				fail++
			}
		}
		if row++; !k.fail {
			row = 0
		}
	}
	return calls >= c.MinCalls && float64(fail) >= c.FailureRate*float64(calls) || row >= c.Consecutive
}

// TestLaws: whatever is done, and however time jumps, the breaker opens exactly with a call whose end justifies it, and
// lets nothing through that its state does not.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Default()
		c.MinCalls, c.Consecutive, c.Seed = 5, 4, rapid.Uint64().Draw(t, "seed")
		b, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		j, now, newest := judge{}, int64(0), int64(0)
		b.State(newest) // its time begins here, too
		var out []Permit
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = newest + rapid.SampledFrom([]int64{0, 1, second / 3, 2 * second, 20 * second, -5 * second}).Draw(t, "step")
			newest = max(newest, now)
			was := b.State(now)
			gen := b.gen
			if rapid.Bool().Draw(t, "ask") || len(out) == 0 {
				p, ok, wait := b.Acquire(now)
				if ok != (wait == 0) || ok && was == Open {
					t.Fatalf("permit %v, wait %d while %v", ok, wait, was)
				}
				if ok {
					out = append(out, p)
				}
			} else {
				i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
				o := rapid.SampledFrom([]Outcome{Success, Failure, Failure, Ignored}).Draw(t, "outcome")
				counts := was == Closed && out[i].gen == gen && o != Ignored
				if counts {
					if j.gen != gen {
						j = judge{gen: gen}
					}
					j.calls = append(j.calls, call{newest, o == Failure})
				}
				b.Done(now, out[i], o)
				out = append(out[:i], out[i+1:]...)
				if opened := was == Closed && b.state == Open; opened != (counts && j.justifies(newest, c)) {
					t.Fatalf("opened %v, but the calls say otherwise: %+v", opened, j.calls)
				}
			}
			if l := b.Last(); l.Generation != 0 && !l.Justified() {
				t.Fatalf("not justified: %+v", l)
			}
			inFlight := 0
			for _, p := range out {
				if p.gen == b.gen && p.probe > 0 {
					inFlight++
				}
			}
			if inFlight > c.Probes {
				t.Fatalf("%d probes in flight", inFlight)
			}
		}
	})
}

func TestAllocatesNothing(t *testing.T) {
	b := made(t, Default())
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += 1000
		p, _, _ := b.Acquire(now)
		b.Done(now, p, Success)
	}); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}

func BenchmarkCall(b *testing.B) {
	k := made(b, Default())
	now := int64(0)
	for b.Loop() {
		now += 1000
		p, _, _ := k.Acquire(now)
		k.Done(now, p, Success)
	}
}
