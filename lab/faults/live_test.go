package main

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"weir/lab/faults/scenario"
	"weir/lab/sights"
)

// TestAround: of an outage from 100 s to 160 s, windows of 10 s count that end in
// the 40 s up to 90 s, and in the 40 s from 162 s on.
func TestAround(t *testing.T) {
	epoch := time.Unix(1_760_000_000, 0)
	at := func(seconds float64) time.Time { return epoch.Add(time.Duration(seconds * float64(time.Second))) }
	windows := map[string][]sights.Shown{}
	saw := func(end, seen float64) {
		windows[fmt.Sprint(end)] = []sights.Shown{{At: at(seen), Start: at(end - 10), End: at(end), Count: 9}}
	}
	for end := 10.0; end <= 250; end += 10 {
		switch {
		case end <= 50 || end > 210:
			saw(end, end+9) // not near the outage
		case end <= 90:
			saw(end, end+1)
		case end <= 100:
			saw(end, 163.5) // on its way when the link went
		case end <= 160:
			saw(end, 165)
		default:
			saw(end, end+1.5)
		}
	}
	r := outage{from: at(100), to: at(160)}.around(windows, 10*time.Second)
	if r.before.Windows != 4 || r.before.Max != 1 || r.after.Windows != 4 || r.after.P50 != 1.5 {
		t.Errorf("before %+v, after %+v", r.before, r.after)
	}
	if r.back != 3500*time.Millisecond || math.Abs(r.ratio()-1.5) > 1e-9 {
		t.Errorf("the backlog is back after %v, p99 × %g", r.back, r.ratio())
	}
}

func TestMedianOfRises(t *testing.T) {
	of := func(ratios ...float64) (all []rise) {
		for _, q := range ratios {
			all = append(all, rise{before: sights.Spread{P99: 2}, after: sights.Spread{P99: 2 * q}})
		}
		return all
	}
	for _, c := range []struct {
		all  []rise
		want float64
	}{{of(1.5), 1.5}, {of(3, 1, 1.1), 1.1}, {of(1, 2), 2}, {of(9, 1, 1.2, 0.8, 1.05), 1.05}} {
		if got := median(c.all).ratio(); got != c.want {
			t.Errorf("the median of %v is %g, wanted %g", c.all, got, c.want)
		}
	}
	if got := median(nil); got != (rise{}) {
		t.Errorf("without outages: %+v", got)
	}
}

// TestOutages: an outage lasts from the first link that is cut to the last that is
// healed. Other faults are none.
func TestOutages(t *testing.T) {
	v := &live{}
	step := func(kind scenario.Kind, ends bool) {
		v.note(scenario.Step{Kind: kind, Ends: ends, Fault: new(scenario.Fault)})
	}
	v.note(scenario.Step{Kind: scenario.Cut, Fault: &scenario.Fault{Side: scenario.Devices}})
	step(scenario.Cut, false)
	step(scenario.Delay, false)
	step(scenario.Cut, false)
	step(scenario.Cut, true)
	if len(v.outages) != 1 || v.down != 1 || !v.outages[0].to.IsZero() {
		t.Errorf("one of two links is healed: %+v", v)
	}
	step(scenario.Cut, true)
	step(scenario.Delay, true)
	step(scenario.Cut, false)
	if len(v.outages) != 2 || v.outages[0].to.Before(v.outages[0].from) || !v.outages[1].to.IsZero() {
		t.Errorf("the first outage is over, the second is not: %+v", v)
	}
	var nobody *live
	nobody.note(scenario.Step{Kind: scenario.Cut}) // looks: nothing to note
}

func TestSlow(t *testing.T) {
	never, soon, late := rise{}, rise{back: 2 * time.Second}, rise{back: 2*time.Second + 1}
	if got := slow([]rise{never, soon, late}, 2*time.Second); !slices.Equal(got, []rise{never, late}) {
		t.Errorf("slow are %+v", got)
	}
}
