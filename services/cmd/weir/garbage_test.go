package main

import (
	"testing"
	"time"
)

func TestGarbagePercent(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		live uint64
		made float64 // bytes per second
		want int
	}{
		{0, 0, mostGarbage},
		{20 * mb, 0, leastGarbage},
		{20 * mb, 1 * mb, leastGarbage}, // 2 MB in 2 s
		{20 * mb, 10 * mb, 100},
		{20 * mb, 100 * mb, mostGarbage},
		{32 * mb, 100 * mb, 200}, // large heaps: by what is there, not by what is made
		{64 * mb, 500 * mb, 100},
		{128 * mb, 500 * mb, 50},
		{4096 * mb, 5000 * mb, largeGarbage},
		{4096 * mb, 1 * mb, leastGarbage},
	} {
		if got := garbagePercent(c.live, c.made); got != c.want {
			t.Errorf("%d MB alive, %g MB/s made: %d percent, want %d", c.live/mb, c.made/mb, got, c.want)
		}
	}
}

// TestPaceFollowsTheRate: one large buffer changes little, a load that lasts does.
func TestPaceFollowsTheRate(t *testing.T) {
	const mb = 1 << 20
	p := pace{at: time.Unix(0, 0)}
	collect := func(after time.Duration, made uint64) { p = p.next(p.at.Add(after), p.made+made, 20*mb) }
	for range 10 {
		collect(4*time.Second, 4*mb)
	}
	if p.percent != leastGarbage {
		t.Errorf("1 MB/s: %d percent, want %d", p.percent, leastGarbage)
	}
	if collect(100*time.Millisecond, 8*mb); p.percent > 2*leastGarbage {
		t.Errorf("after a buffer of 8 MB: %d percent, want at most %d", p.percent, 2*leastGarbage)
	}
	if collect(40*time.Second, 40*mb); p.percent != leastGarbage {
		t.Errorf("40 s later: %d percent, want %d", p.percent, leastGarbage)
	}
	for range 20 {
		collect(time.Second, 100*mb)
	}
	if p.percent != mostGarbage {
		t.Errorf("100 MB/s: %d percent, want %d", p.percent, mostGarbage)
	}
}
