package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// warmUp is how long every detector listens before anything counts.
const warmUp = 24 * time.Hour

// cyclesLearned is how long it listens where a daily cycle must be known.
const cyclesLearned = 4 * 24 * time.Hour

// A cadence is a time between samples and how much is made at it.
type cadence struct {
	Name     string
	Step     time.Duration
	Days     int  // per series of noise, after the warm-up
	Series   int  // of noise for the default detector
	Others   int  // of them also for all other detectors, and of families that nobody asked for
	Short    bool // other detectors hear one day only
	Repeats  int  // of each fault on each family
	Seasonal int  // of the seasonal break
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
			return nil, fmt.Errorf("-cadences %s: use 10 Hz, 1 s, 10 s", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// shortPlan takes a few minutes, fastest cadence first.
var shortPlan = []cadence{
	{"10 Hz", 100 * time.Millisecond, 7, 2, 1, true, 8, 3},
	{"1 s", time.Second, 7, 8, 1, false, 15, 8},
	{"10 s", 10 * time.Second, 7, 32, 2, false, 30, 15},
}

// fullPlan takes several times as long.
var fullPlan = []cadence{
	{"10 Hz", 100 * time.Millisecond, 7, 16, 1, true, 20, 8},
	{"1 s", time.Second, 7, 32, 4, false, 50, 20},
	{"10 s", 10 * time.Second, 7, 128, 16, false, 100, 50},
}

// epoch is the time of the first made sample: a Monday, 00:00 UTC.
const epoch = 1767571200_000000000
