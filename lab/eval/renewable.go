package main

import (
	"math/rand/v2"
	"time"

	"weir/lab/eval/synth"
)

// renewable is a source of healthy readings whose chance can be replaced while it runs: one past, many futures.
type renewable struct {
	at  synth.Source
	pcg *rand.PCG
}

// newSource is a family's source from the beginning of a series on.
func newSource(f synth.Family, c cadence, seed uint64, purpose ...uint64) *renewable {
	pcg := rand.NewPCG(seed, stream(purpose))
	return &renewable{f.NewSource(rand.New(pcg), c.Step), pcg}
}

// replay runs through the past.
func (r *renewable) replay(until, step time.Duration) {
	for at := time.Duration(0); at < until; at += step {
		r.at(at, 1)
	}
}

// renew gives it another future.
func (r *renewable) renew(seed uint64, purpose ...uint64) { r.pcg.Seed(seed, stream(purpose)) }
