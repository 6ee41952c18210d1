package gcra

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// model is the algorithm in exact fractions, as simply as it can be said.
type model struct {
	rate, burst *big.Rat // units per ns, units
	tat         *big.Rat // ns
}

func rat(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

func newModel(l Limit) *model {
	return &model{rate: big.NewRat(l.Rate, second), burst: rat(l.Burst), tat: rat(-horizon)}
}

func (m *model) owed(now int64) *big.Rat {
	d := new(big.Rat).Sub(m.tat, rat(now))
	if d.Sign() < 0 {
		return rat(0)
	}
	return d.Mul(d, m.rate)
}

func (m *model) left(now int64) *big.Rat { return new(big.Rat).Sub(m.burst, m.owed(now)) }

func (m *model) allow(now, n int64) bool { return m.left(now).Cmp(rat(n)) >= 0 }

func (m *model) take(now, n int64) {
	if m.tat.Cmp(rat(now)) < 0 {
		m.tat = rat(now)
	}
	m.owe(m.tat, rat(n))
}

// owe puts units on top of a time; what is too far away to be told is cut.
func (m *model) owe(from, units *big.Rat) {
	m.tat = new(big.Rat).Quo(units, m.rate)
	if m.tat.Add(m.tat, from); m.tat.Cmp(rat(furthest)) > 0 {
		m.tat = rat(furthest)
	}
}

func (m *model) refund(n int64) { m.tat.Sub(m.tat, new(big.Rat).Quo(rat(n), m.rate)) }

func (m *model) resize(now int64, l Limit) {
	left, next := m.left(now), newModel(l)
	if left.Cmp(next.burst) > 0 {
		left = next.burst
	}
	next.owe(rat(now), new(big.Rat).Sub(next.burst, left))
	*m = *next
}

// available is left, rounded down, and at least 0.
func (m *model) available(now int64) int64 {
	left := m.left(now)
	if left.Sign() < 0 {
		return 0
	}
	return new(big.Int).Quo(left.Num(), left.Denom()).Int64()
}

func limits() *rapid.Generator[Limit] {
	return rapid.Custom(func(t *rapid.T) Limit {
		size := rapid.SampledFrom([]int64{1, 3, 10, 1e3, 1e6, 1e9, 1e12, 1e15}).Draw(t, "size")
		rate := rapid.Int64Range(1, size).Draw(t, "rate")
		return Limit{Rate: rate, Burst: rapid.Int64Range(1, max(rate, 1_000_000)).Draw(t, "burst")}
	})
}

// TestBucketIsExact: a bucket does what exact fractions do, whatever is asked of it, and whichever way the clock goes.
func TestBucketIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := limits().Draw(t, "limit")
		b, m := New(l), newModel(l)
		now := rapid.Int64Range(-1e18, 1e18).Draw(t, "start")
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += rapid.OneOf(rapid.Int64Range(-20, 200), rapid.Int64Range(-second, 2*second), rapid.Int64Range(0, 1e15)).Draw(t, "dt")
			n := rapid.Int64Range(1, b.limit.Burst).Draw(t, "n")
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			default:
				want := m.allow(now, n)
				if ok, wait := b.Allow(now, n); ok != want || ok != (wait == 0) {
					t.Fatalf("allow %d at %d: %v, wait %d, want %v", n, now, ok, wait, want)
				} else if ok {
					m.take(now, n)
				} else if now+wait < horizon && (!m.allow(now+wait, n) || m.allow(now+wait-1, n)) {
					t.Fatalf("wait %d for %d at %d is not the shortest", wait, n, now)
				}
			case 3:
				b.Take(now, n)
				m.take(now, n)
			case 4:
				b.Refund(n)
				m.refund(n)
			case 5:
				l := limits().Draw(t, "resized")
				before := b.Available(now)
				b.Resize(now, l)
				m.resize(now, l)
				if after := b.Available(now); after > before || after > l.Burst {
					t.Fatalf("resizing to %+v made %d of %d available", l, after, before)
				}
			}
			if got, want := b.Available(now), m.available(now); got != want {
				t.Fatalf("available at %d: %d, want %d", now, got, want)
			}
		}
	})
}

// TestAnyInterval: in no interval more than rate·T + burst passes, though the times given are in no order.
func TestAnyInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Limit{Rate: rapid.Int64Range(1, 1e6).Draw(t, "rate"), Burst: rapid.Int64Range(1, 1000).Draw(t, "burst")}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		span := 200 * l.Burst * second / l.Rate
		b := New(l)
		type pass struct{ at, n int64 }
		var passed []pass
		for i := range int64(2000) {
			at := i*span/2000 + rng.Int64N(span/4) - span/8
			if n := 1 + rng.Int64N(l.Burst); pick(b.Allow(at, n)) {
				passed = append(passed, pass{at, n})
			}
		}
		for i := range passed {
			from, to, sum := passed[i].at, passed[i].at, int64(0)
			for _, p := range passed[i:] {
				from, to, sum = min(from, p.at), max(to, p.at), sum+p.n
				if most := float64(l.Burst) + float64(l.Rate)*float64(to-from)/second; float64(sum) > most {
					t.Fatalf("%d passed in %d ns, at most %v may", sum, to-from, most)
				}
			}
		}
	})
}

func pick(ok bool, _ int64) bool { return ok }

// TestNoDrift: ten million steps as early as they may come take exactly as long as they should.
func TestNoDrift(t *testing.T) {
	steps := int64(10_000_000)
	if testing.Short() {
		steps /= 10
	}
	f := func(rate, n int64) {
		t.Helper()
		burst := 2*n + rate/second // room for what comes back while a whole nanosecond is waited for
		b := New(Limit{Rate: rate, Burst: burst})
		now := int64(0)
		for range steps {
			wait := b.Wait(now, n)
			now += wait
			if ok, again := b.Allow(now, n); !ok {
				t.Fatalf("rate %d: at %d, after the wait of %d ns, it is %d more", rate, now, wait, again)
			}
		}
		// The last step is the first nanosecond at which all but the burst has come back.
		want := new(big.Int).Mul(big.NewInt(steps*n-burst), big.NewInt(second))
		want.Add(want, big.NewInt(rate-1)).Quo(want, big.NewInt(rate))
		if now != want.Int64() {
			t.Errorf("rate %d: %d steps of %d took %d ns, want %v", rate, steps, n, now, want)
		}
	}
	f(3, 1)
	f(999_999_937, 1500)
	f(1_000_000_000_000, 7)
	f(2_999_999_999_999, 1) // a third of a picosecond: many pass in the same nanosecond
}

func TestEdges(t *testing.T) {
	f := func(l Limit, now, n int64, ok bool, wait int64) {
		t.Helper()
		b := New(l)
		if gotOK, got := b.Allow(now, n); gotOK != ok || got != wait {
			t.Errorf("allow %d of %+v at %d: %v, %d; want %v, %d", n, l, now, gotOK, got, ok, wait)
		}
	}
	f(Limit{10, 5}, 0, 5, true, 0)
	f(Limit{10, 5}, 0, 6, false, Never) // more than the burst
	f(Limit{10, 5}, 0, 0, true, 0)
	f(Limit{10, 5}, 0, -7, true, 0)
	f(Limit{0, 5}, 0, 1, false, Never) // a rate of 0 lets nothing pass, whatever the burst
	f(Limit{-3, 5}, 0, 1, false, Never)
	f(Limit{3, -5}, 0, 1, false, Never)
	f(Limit{}, 0, 0, true, 0)
	f(Limit{math.MaxInt64, math.MaxInt64}, math.MaxInt64, math.MaxInt64, true, 0)
	f(Limit{math.MaxInt64, math.MaxInt64}, math.MinInt64, math.MaxInt64, true, 0)
	f(Limit{1, math.MaxInt64}, 0, math.MaxInt64, false, Never) // longer than 73 years to come back
	f(Limit{1, math.MaxInt64}, 0, 2_000_000_000, true, 0)
	f(Limit{1_000_000_000_000, 1 << 40}, 1<<60, 1<<40, true, 0)
}

func TestOwing(t *testing.T) {
	b := New(Limit{Rate: 100, Burst: 10})
	b.Take(0, 1000) // far beyond the burst: 990 owed beyond it
	f := func(now, n int64, want int64) {
		t.Helper()
		if got := b.Wait(now, n); got != want {
			t.Errorf("wait for %d at %d: %d, want %d", n, now, got, want)
		}
	}
	f(0, 1, 9_910_000_000)
	b.Refund(990)
	f(0, 1, 10_000_000)
	b.Refund(1000) // it never holds more than its burst
	f(0, 10, 0)
	f(0, 11, Never)
	b.Take(0, math.MaxInt64) // counted up to the furthest
	b.Take(0, math.MaxInt64)
	b.Take(0, math.MaxInt64)
	b.Take(0, math.MaxInt64)
	if got := b.Available(horizon); got != 0 {
		t.Errorf("available after taking for ever: %d", got)
	}
}

// TestBackward: a clock that goes back mints nothing, and what was waited for comes when it is there again.
func TestBackward(t *testing.T) {
	b := New(Limit{Rate: 1000, Burst: 3})
	const hour = 3600 * second
	for range 3 {
		b.Allow(hour, 1)
	}
	f := func(now int64, want int64) {
		t.Helper()
		if got := b.Wait(now, 1); got != want {
			t.Errorf("wait at %d: %d, want %d", now, got, want)
		}
	}
	f(hour, 1_000_000)
	f(0, hour+1_000_000)
	f(hour+1_000_000, 0)
}

func TestResize(t *testing.T) {
	const now = 5 * second
	f := func(from Limit, taken int64, to Limit, available, wait int64) {
		t.Helper()
		b := New(from)
		b.Take(now, taken)
		b.Resize(now, to)
		if got, w := b.Available(now), b.Wait(now, available+1); got != available || w != wait {
			t.Errorf("%+v with %d taken → %+v: %d available, %d ns for one more; want %d, %d", from, taken, to, got, w, available, wait)
		}
	}
	f(Limit{10, 10}, 4, Limit{10, 10}, 6, 100_000_000)
	f(Limit{10, 10}, 4, Limit{1000, 10}, 6, 1_000_000)
	f(Limit{10, 10}, 4, Limit{10, 100}, 6, 100_000_000) // a larger burst fills at the rate
	f(Limit{10, 10}, 4, Limit{10, 3}, 3, Never)
	f(Limit{10, 10}, 40, Limit{1, 10}, 0, 31*second) // what is owed beyond the burst stays owed
	f(Limit{0, 10}, 0, Limit{10, 10}, 0, 100_000_000)
	f(Limit{10, 10}, 4, Limit{0, 10}, 0, Never)
	f(Limit{1 << 62, 1 << 62}, 1<<62, Limit{1, 1 << 62}, 0, second)
}

func BenchmarkAllow(b *testing.B) {
	b.ReportAllocs()
	bucket, now := New(Limit{Rate: 12_345_678, Burst: 100_000}), int64(0)
	for b.Loop() {
		now += 97_531 // a little slower than the amounts come back: about as many pass as not
		bucket.Allow(now, 2411)
	}
}
