package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"

	"weir/lab/eval/corpus"
	"weir/pkg/detect"
)

// newDetector is a detector as shipped: nothing is told about the series.
func newDetector(kind detect.Kind) (detect.Detector, error) {
	d, err := detect.New(kind.Name, detect.Config{})
	if err != nil {
		return nil, fmt.Errorf("make a detector: %w", err)
	}
	return d, nil
}

// verdicts plays the first rows of a series to a detector.
func verdicts(d detect.Detector, s corpus.Series, rows int) []detect.Verdict {
	all := make([]detect.Verdict, 0, rows)
	for i := range rows {
		all = append(all, d.Update(sample(s, i)))
	}
	return all
}

func sample(s corpus.Series, row int) detect.Sample {
	return detect.Sample{Time: s.Times[row], Value: s.Values[row], Completeness: 1}
}

// chance is a source of randomness of its own for each purpose, so that results do not depend on the order of work.
func chance(seed uint64, purpose ...uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream(purpose)))
}

// stream mixes a purpose into one number.
func stream(purpose []uint64) uint64 {
	mixed := uint64(0x9e3779b97f4a7c15)
	for _, p := range purpose {
		mixed = (mixed ^ p) * 0xff51afd7ed558ccd
		mixed ^= mixed >> 32
	}
	return mixed
}

// Purposes of chance.
const (
	forBootstrap = 1 + iota
	forTransfer
	forNoise
	forHealth
	forFault
	forOracle
	forPairs
)

// each does n pieces of work, as many at once as there are cores, and returns the first error.
func each(n int, work func(i int) error) error {
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	turns := make(chan int, n)
	for i := range n {
		turns <- i
	}
	close(turns)
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := range turns {
				if err := work(i); err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return first
}
