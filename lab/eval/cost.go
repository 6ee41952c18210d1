package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"

	"weir/pkg/detect"
)

// A cost is what a detector takes.
type cost struct {
	Kind   detect.Kind
	Update time.Duration
	Allocs float64 // per update
	Bytes  int     // of memory per series
	State  int     // bytes of a saved state
}

// How costs are measured: many series in turn, as an agent has them, so that caches are not all warm.
const (
	costSeries  = 1000
	costRounds  = 30
	costParts   = 20  // of so many rounds; the quickest counts, since others use the machine too
	costUnheard = 100 // first rounds, not measured: the first samples of a series are cheap
)

// measureCosts measures one detector after the other, alone.
func measureCosts(kinds []detect.Kind) ([]cost, error) {
	var all []cost
	for _, k := range kinds {
		c, err := measureCost(k)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func measureCost(kind detect.Kind) (cost, error) {
	values := chanceValues(4096)
	detectors := make([]detect.Detector, costSeries)
	before := memory()
	for i := range detectors {
		d, err := newDetector(kind)
		if err != nil {
			return cost{}, err
		}
		detectors[i] = d
	}
	c := cost{Kind: kind, Bytes: int(memory().HeapAlloc-before.HeapAlloc) / costSeries}
	round := func(n int) {
		s := detect.Sample{Time: epoch + int64(n)*int64(10*time.Second), Completeness: 1}
		for i, d := range detectors {
			s.Value = values[(n*costSeries+i)%len(values)]
			d.Update(s)
		}
	}
	for n := range costUnheard {
		round(n)
	}
	before = memory()
	c.Update = time.Hour
	for part := range costParts {
		began, err := cpuTime()
		if err != nil {
			return cost{}, err
		}
		for n := range costRounds {
			round(costUnheard + part*costRounds + n)
		}
		ended, err := cpuTime()
		if err != nil {
			return cost{}, err
		}
		c.Update = min(c.Update, (ended-began)/(costRounds*costSeries))
	}
	c.Allocs = float64(memory().Mallocs-before.Mallocs) / (costParts * costRounds * costSeries)
	c.State = len(detectors[0].AppendState(nil))
	return c, nil
}

// cpuTime is that of this process so far; unlike the time of day, it hardly depends on what else runs.
func cpuTime() (time.Duration, error) {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0, fmt.Errorf("read the CPU time: %w", err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano()), nil
}

// memory is what is in use now.
func memory() (m runtime.MemStats) {
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// chanceValues is Gaussian noise.
func chanceValues(n int) []float64 {
	values, luck := make([]float64, n), chance(1, 0)
	for i := range values {
		values[i] = 50 + luck.NormFloat64()
	}
	return values
}
