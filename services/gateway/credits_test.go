package gateway

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

const megabyte = 1e6

func newCredits(budget float64) *credits {
	c := new(credits)
	c.setBudget(0, budget)
	return c
}

// TestCreditsKeepTheBudget: whoever reports what and when, what is granted in any
// stretch of time is at most the budget of that time and one second more.
func TestCreditsKeepTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		budget := float64(rapid.IntRange(1, 8_000_000).Draw(t, "budget"))
		c := newCredits(budget)
		producers := rapid.IntRange(1, 1000).Draw(t, "producers")
		now, shadow, at := int64(0), budget, int64(0) // shadow: a bucket of one second of the budget
		for range rapid.IntRange(1, 300).Draw(t, "reports") {
			now += rapid.SampledFrom([]int64{0, 1, 1e6, 1e8, 1e9, 7e9}).Draw(t, "pause")
			who := fmt.Sprint(rapid.IntRange(1, producers).Draw(t, "who"))
			backfill := rapid.SampledFrom([]int64{-1, 0, 1, 5_000, 1e6, 1e9, math.MaxInt64}).Draw(t, "backfill")
			n := c.grant(now, who, backfill, rapid.Bool().Draw(t, "behind"))
			if n < 0 || n > max(0, backfill) {
				t.Fatalf("%d bytes granted to who has %d", n, backfill)
			}
			shadow = min(budget, shadow+budget*seconds(now-at)) - float64(n)
			if at = now; shadow < -1 {
				t.Fatalf("%.0f bytes more than the budget of %.0f a second", -shadow, budget)
			}
		}
	})
}

// returning is a producer that has backfill, reports each second, and can bring
// so many bytes in a second.
type returning struct {
	name           string
	backfill, rate int64
	message        int64 // bytes; less credit than that is of no use
	got            int64
	first          int64 // when it had its first credit, ns; 0: not yet
}

// rounds lets everybody report once in each second of a time, spread over it.
func rounds(c *credits, all []*returning, from, to int64, behind bool) {
	for round := from; round < to; round++ {
		for i, r := range all {
			now := round*wholeSecond + int64(i)*wholeSecond/int64(len(all))
			granted := c.grant(now, r.name, r.backfill, behind)
			if granted < min(r.message, r.backfill) {
				continue
			}
			if r.first == 0 {
				r.first = now + 1
			}
			used := min(granted, r.rate)
			r.backfill -= used
			r.got += used
		}
	}
}

func manyReturning(n int, rate int64) (all []*returning) {
	for i := range n {
		all = append(all, &returning{name: fmt.Sprint(n, i), backfill: 1e9, rate: rate, message: 1})
	}
	return all
}

// TestAThousandReturn: each has its first credit within two seconds, and in the
// long run an equal share of the whole budget.
func TestAThousandReturn(t *testing.T) {
	c, all := newCredits(4*megabyte), manyReturning(1000, math.MaxInt64)
	rounds(c, all, 0, 3, false)
	late := 0
	for _, r := range all {
		if r.first == 0 || r.first > 2*wholeSecond {
			late++
		}
	}
	if late > 50 {
		t.Errorf("%d of 1000 have no credit after two seconds", late)
	}
	rounds(c, all, 3, 63, false)
	if got := total(all); got < 0.9*63*4*megabyte {
		t.Errorf("%.0f bytes in a minute of 4 MB a second", got)
	}
	for _, r := range all {
		if r.got < 120_000 || r.got > 400_000 {
			t.Fatalf("%s got %d bytes, a fair share is 240,000", r.name, r.got)
		}
	}
}

func total(all []*returning) (n float64) {
	for _, r := range all {
		n += float64(r.got)
	}
	return n
}

// TestSlowOnesLeaveTheRest: who can bring little gets what it can bring, and the
// others share the rest.
func TestSlowOnesLeaveTheRest(t *testing.T) {
	c, slow, fast := newCredits(4*megabyte), manyReturning(10, 20_000), manyReturning(4, math.MaxInt64)
	rounds(c, append(slow, fast...), 0, 60, false)
	for _, r := range slow {
		if r.got < 50*20_000 {
			t.Errorf("a slow one got %d bytes in a minute at 20,000 a second", r.got)
		}
	}
	for _, r := range fast {
		if r.got < 40*900_000 {
			t.Errorf("a fast one got %d bytes in a minute; its share is 900,000 a second", r.got)
		}
	}
}

// TestFirstCreditIsAtOnce: one that comes back alone, or among few, has credit at
// its first report, and all of the budget in a few seconds.
func TestFirstCreditIsAtOnce(t *testing.T) {
	c := newCredits(4 * megabyte)
	for _, r := range manyReturning(100, 0) {
		if c.grant(0, r.name, r.backfill, false) < leastGrant {
			t.Fatalf("%s has no credit at its first report", r.name)
		}
	}
	c, one := newCredits(4*megabyte), manyReturning(1, math.MaxInt64)
	rounds(c, one, 0, 15, false)
	if one[0].got < 4*4*megabyte {
		t.Errorf("one alone got %d bytes in 15 s", one[0].got)
	}
}

// TestLargeMessages: where a grant is less than the next message needs, it grows
// until it is enough.
func TestLargeMessages(t *testing.T) {
	c, all := newCredits(4*megabyte), manyReturning(3, math.MaxInt64)
	for _, r := range all {
		r.message = 900_000
	}
	rounds(c, all, 0, 60, false)
	for _, r := range all {
		if r.got == 0 {
			t.Errorf("%s never had credit for a message of 900,000 bytes", r.name)
		}
	}
}

// TestTrickleWhileBehind: while the fold is behind, little is granted, but not
// nothing.
func TestTrickleWhileBehind(t *testing.T) {
	c, all := newCredits(4*megabyte), manyReturning(10, math.MaxInt64)
	rounds(c, all, 0, 60, true)
	if got := total(all) / 60; got < 10_000 || got > 4*megabyte/trickle*1.1 {
		t.Errorf("%.0f bytes a second while the fold is behind", got)
	}
}

func TestFill(t *testing.T) {
	for _, c := range []struct {
		budget float64
		sizes  []float64
		want   float64
	}{
		{100, []float64{10, 20, 1000}, 70},
		{100, []float64{1000, 1000}, 50},
		{100, []float64{30, 60, 40}, 30 + 5},
		{100, []float64{10, 20}, 100},
		{100, nil, 100},
	} {
		if got := fill(c.budget, c.sizes); got != c.want {
			t.Errorf("fill(%v, %v) = %v, want %v", c.budget, c.sizes, got, c.want)
		}
	}
}
