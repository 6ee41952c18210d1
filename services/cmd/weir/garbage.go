package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What may be garbage, beside what lives, before it is collected: as much as is made
// in some seconds, so that a process with little to do stays small and one with
// much to do is not held up. A large heap, as while a journal is caught up, may have
// less of it: twice a gigabyte of garbage is what gets a process killed.
const (
	mostGarbage  = 200             // percent of what lives
	leastGarbage = 25              // percent, where little is made
	largeGarbage = 25              // percent of a large heap at least; less would cost more CPU than it is worth
	garbageBytes = 64 << 20        // what a large heap may have
	garbageTime  = 2 * time.Second // between two collections, where the percentages allow it
)

// garbagePercent is how much garbage a heap may have of which so many bytes live,
// where so many bytes a second are made.
func garbagePercent(live uint64, made float64) int {
	if live == 0 {
		return mostGarbage
	}
	paced := made * garbageTime.Seconds() / float64(live) * 100
	bounded := max(largeGarbage, float64(100*garbageBytes/live))
	return int(min(mostGarbage, bounded, max(leastGarbage, paced)))
}

// sentinel is alive until the next collection. It is too large, and holds a
// pointer, so that it shares its memory with nothing that lives longer.
type sentinel struct {
	_ *sentinel
	_ [32]byte
}

// pace is what was seen at the newest collection.
type pace struct {
	at      time.Time
	made    uint64  // bytes, since the start
	rate    float64 // bytes per second, of the last seconds: one large buffer is no rate
	percent int
}

// rateTime is how long a rate must last to count half.
const rateTime = 8 * time.Second

// next is the pace after one more collection, which found so many bytes alive.
func (p pace) next(at time.Time, made, live uint64) pace {
	since := max(at.Sub(p.at), time.Millisecond).Seconds()
	rate := p.rate + (float64(made-p.made)/since-p.rate)*since/(since+rateTime.Seconds())
	return pace{at: at, made: made, rate: rate, percent: garbagePercent(live, rate)}
}

// paceGarbage sets the collector's percentage after each collection, by what
// it has found alive and how much was made since the one before. It needs no
// goroutine: the collector itself calls.
func paceGarbage() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	last := pace{at: time.Now(), made: sample[1].Value.Uint64(), percent: mostGarbage}
	debug.SetGCPercent(last.percent)
	var again func(struct{})
	again = func(struct{}) {
		metrics.Read(sample)
		now := last.next(time.Now(), sample[1].Value.Uint64(), sample[0].Value.Uint64())
		if now.percent != last.percent {
			debug.SetGCPercent(now.percent)
		}
		last = now
		runtime.AddCleanup(&sentinel{}, again, struct{}{}) // after the next collection
	}
	runtime.AddCleanup(&sentinel{}, again, struct{}{})
}
