package main

import (
	"testing"
	"time"

	"weir/lab/sights"
)

var epoch = time.Unix(1_760_000_000, 0).UTC()

// after is so many seconds into the tests' runs.
func after(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second)))
}

// TestPlayingCovers: a window counts only if it lies within the play, with the
// margin at its end.
func TestPlayingCovers(t *testing.T) {
	saw := func(at, end float64) []sights.Shown {
		return []sights.Shown{{At: after(at), Start: after(end - 10), End: after(end), Count: 50}}
	}
	windows := map[string][]sights.Shown{
		"began before the devices": saw(1, 0), "a": saw(10.9, 10), "b": saw(11.5, 10), "c": saw(24, 20), "too near the end": saw(31, 30),
	}
	over := playing{from: after(0), to: after(31.5)}
	f := func(due time.Duration, wantWindows int, want ...float64) {
		t.Helper()
		got := over.delays(windows, due)
		ok := len(got) == len(want) && over.windows(10*time.Second, due) == wantWindows
		for i := 0; ok && i < len(got); i++ {
			ok = (got[i] - time.Duration(want[i]*float64(time.Second))).Abs() < time.Microsecond
		}
		if !ok {
			t.Errorf("due after %v: %v of %d windows, wanted %v of %d", due, got, over.windows(10*time.Second, due), want, wantWindows)
		}
	}
	f(0, 2, 0.9, 1.5, 4)
	f(5*time.Second, 2, -4.1, -3.5, -1)
	f(10*time.Second, 1, -9.1, -8.5)
	f(time.Minute, 0)
}
