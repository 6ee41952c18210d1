package sights

import (
	"fmt"
	"slices"
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
func saw(at float64, device string, end float64, records int) Sight {
	return Sight{At: after(at), Line: fmt.Appendf(nil, `{"tenant":"bench","view":"device","key":{"device":%q,"metric":"temp"},"start":%q,"end":%q,"count":%d,"timing":"on_time"}`,
		device, schemas.RowTime(after(end-10).UnixNano()), schemas.RowTime(after(end).UnixNano()), records)}
}

// TestDelays: a window is seen when the first line comes that holds all of its
// records.
func TestDelays(t *testing.T) {
	windows, err := ByWindow([]Sight{
		saw(10.9, "a", 10, 50), // 0.9 s
		saw(11.2, "b", 10, 40), // not whole yet
		saw(11.5, "b", 10, 50), // 1.5 s
		saw(12.5, "b", 10, 50), // said again, as final
		saw(24, "a", 20, 50),   // 4 s
		saw(31, "a", 30, 50),   // does not count
	})
	if err != nil {
		t.Fatal(err)
	}
	f := func(due time.Duration, want ...float64) {
		t.Helper()
		var got []float64
		for _, late := range Delays(windows, due, func(w Shown) bool { return w.Start.Before(after(15)) }) {
			got = append(got, late.Round(time.Millisecond).Seconds())
		}
		if !slices.Equal(got, want) {
			t.Errorf("due after %v: %v, wanted %v", due, got, want)
		}
	}
	f(0, 0.9, 1.5, 4)
	f(5*time.Second, -4.1, -3.5, -1)
}

func TestByWindowRefuses(t *testing.T) {
	good := string(saw(1, "a", 10, 1).Line)
	for _, bad := range []string{"", "torn", strings.Replace(good, `"start":"2`, `"start":"x`, 1), strings.Replace(good, `"end":"2`, `"end":"x`, 1)} {
		if _, err := ByWindow([]Sight{{Line: []byte(bad)}}); err == nil {
			t.Errorf("the line %q was read", bad)
		}
	}
}

func TestSpread(t *testing.T) {
	f := func(late []time.Duration, wanted int, want Spread, text string) {
		t.Helper()
		got := SpreadOf(late, wanted)
		if got != want || got.String() != text {
			t.Errorf("%d delays: %+v, %q, wanted %+v, %q", len(late), got, got, want, text)
		}
	}
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1)*10*time.Millisecond)
	}
	f(nil, 3, Spread{Unseen: 3}, "")
	f(hundred[:1], 1, Spread{P50: 0.01, P99: 0.01, Max: 0.01, Windows: 1}, "0.01 · 0.01 · 0.01")
	f(hundred, 101, Spread{P50: 0.5, P99: 0.99, Max: 1, Windows: 100, Unseen: 1}, "0.50 · 0.99 · 1.00")
}

// TestWatch: each line is kept with the time at which it came.
func TestWatch(t *testing.T) {
	before := time.Now()
	seen, err := Watch(strings.NewReader("{\"a\":1}\n{}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || string(seen[0].Line) != `{"a":1}` || seen[0].At.Before(before) || seen[1].At.Before(seen[0].At) {
		t.Errorf("saw %v", seen)
	}
}
