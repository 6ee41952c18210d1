package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/schemas"
)

var epoch = time.Unix(1_760_000_000, 0).UTC()

// after is so many seconds into the tests' runs.
func after(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second)))
}

// saw is a line of a window of 10 s that ends at a second, seen at another.
func saw(at float64, device string, end float64, records int) sight {
	return sight{at: after(at), line: fmt.Appendf(nil, `{"tenant":"bench","view":"device","key":{"device":%q,"metric":"temp"},"start":%q,"end":%q,"count":%d,"timing":"on_time"}`,
		device, schemas.RowTime(after(end-10).UnixNano()), schemas.RowTime(after(end).UnixNano()), records)}
}

// TestDelays: a window counts from the first line that holds all of its records,
// and only if it lies within the play, with the margin at its end.
func TestDelays(t *testing.T) {
	windows, err := byWindow([]sight{
		saw(1, "a", 0, 50),     // began before the devices
		saw(10.9, "a", 10, 50), // 0.9 s
		saw(11.2, "b", 10, 40), // not whole yet
		saw(11.5, "b", 10, 50), // 1.5 s
		saw(12.5, "b", 10, 50), // said again, as final
		saw(24, "a", 20, 50),   // 4 s
		saw(31, "a", 30, 50),   // too near the end
	})
	if err != nil {
		t.Fatal(err)
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

func TestByWindowRefuses(t *testing.T) {
	good := string(saw(1, "a", 10, 1).line)
	for _, bad := range []string{"", "torn", strings.Replace(good, `"start":"2`, `"start":"x`, 1), strings.Replace(good, `"end":"2`, `"end":"x`, 1)} {
		if _, err := byWindow([]sight{{line: []byte(bad)}}); err == nil {
			t.Errorf("the line %q was read", bad)
		}
	}
}

func TestSpread(t *testing.T) {
	f := func(late []time.Duration, wanted int, want spread, text string) {
		t.Helper()
		got := spreadOf(late, wanted)
		if got != want || got.String() != text {
			t.Errorf("%d delays: %+v, %q, wanted %+v, %q", len(late), got, got, want, text)
		}
	}
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1)*10*time.Millisecond)
	}
	f(nil, 3, spread{Unseen: 3}, "")
	f(hundred[:1], 1, spread{P50: 0.01, P99: 0.01, Max: 0.01, Windows: 1}, "0.01 · 0.01 · 0.01")
	f(hundred, 101, spread{P50: 0.5, P99: 0.99, Max: 1, Windows: 100, Unseen: 1}, "0.50 · 0.99 · 1.00")
}

// TestWatch: each line is kept with the time at which it came.
func TestWatch(t *testing.T) {
	var f follower
	before := time.Now()
	if err := f.watch(strings.NewReader("{\"a\":1}\n{}\n")); err != nil {
		t.Fatal(err)
	}
	if len(f.seen) != 2 || string(f.seen[0].line) != `{"a":1}` || f.seen[0].at.Before(before) || f.seen[1].at.Before(f.seen[0].at) {
		t.Errorf("saw %v", f.seen)
	}
}
