package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// cyclesLearned is how long it listens where a daily cycle must be known.
const cyclesLearned = 4 * 24 * time.Hour

// A cadence is a time between samples and how much is made at it.
type cadence struct {
	Name     string
	Step     time.Duration
	Warm     time.Duration // how long every detector listens before anything counts
	Days     int           // per series of noise, after the warm-up
	Series   int           // of noise for the default detector
	Others   int           // of them also for all other detectors, and of families that nobody asked for
	Short    bool          // other detectors hear one day only
	Pasts    int           // healthy series that faults are laid over, of each family
	Repeats  int           // of each fault on each of them
	Seasonal int           // of the seasonal break, on one
}

// newPlan is the named cadences, or all.
func newPlan(full bool, names string) ([]cadence, error) {
	all := shortPlan
	if full {
		all = fullPlan
	}
	if names == "" {
		return all, nil
	}
	var chosen []cadence
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(c cadence) bool { return c.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("-cadences %s: use 10 Hz, 1 s, 10 s, 1 min, 5 min", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// shortPlan takes a few minutes, fastest cadence first.
var shortPlan = []cadence{
	{"10 Hz", 100 * time.Millisecond, day, 6, 3, 1, true, 4, 4, 3},
	{"1 s", time.Second, day, 7, 8, 1, false, 5, 4, 8},
	{"10 s", 10 * time.Second, day, 7, 32, 2, false, 10, 4, 15},
	{"1 min", time.Minute, day, 7, 64, 4, false, 20, 3, 15},
	{"5 min", 5 * time.Minute, 2 * day, 10, 64, 4, false, 20, 3, 15},
}

// fullPlan takes several times as long.
var fullPlan = []cadence{
	{"10 Hz", 100 * time.Millisecond, day, 7, 16, 1, true, 10, 6, 8},
	{"1 s", time.Second, day, 7, 32, 4, false, 20, 6, 20},
	{"10 s", 10 * time.Second, day, 7, 128, 16, false, 40, 6, 50},
	{"1 min", time.Minute, day, 7, 256, 16, false, 80, 3, 50},
	{"5 min", 5 * time.Minute, 2 * day, 10, 256, 16, false, 80, 3, 50},
}

// firstFault is when faults of the first day can begin at the earliest.
const firstFault = 8 * time.Hour

// onFirstDay is the same with a warm-up of some hours, and half of the series.
func onFirstDay(plan []cadence) []cadence {
	early := slices.Clone(plan)
	for i := range early {
		early[i].Warm, early[i].Pasts, early[i].Seasonal = firstFault, (early[i].Pasts+1)/2, 0
	}
	return early
}

const day = 24 * time.Hour

// epoch is the time of the first made sample: a Monday, 00:00 UTC.
const epoch = 1767571200_000000000
