package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// What may be garbage, beside what lives, before it is collected. A small heap
// trades memory for CPU; a large one, as while a journal is caught up, does not:
// twice a gigabyte of garbage is what gets a process killed.
const (
	mostGarbage  = 200       // percent of what lives
	leastGarbage = 50        // percent; less would cost more CPU than it is worth
	garbageBytes = 192 << 20 // between the two
)

// garbagePercent is how much garbage a heap of so many live bytes may have.
func garbagePercent(live uint64) int {
	if live == 0 {
		return mostGarbage
	}
	return int(min(mostGarbage, max(leastGarbage, 100*garbageBytes/live)))
}

// sentinel is alive until the next collection. It is too large, and holds a
// pointer, so that it shares its memory with nothing that lives longer.
type sentinel struct {
	_ *sentinel
	_ [32]byte
}

// paceGarbage sets the collector's percentage after each collection, by what
// it has found alive. It needs no goroutine: the collector itself calls.
func paceGarbage() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var now int
	var again func(struct{})
	again = func(struct{}) {
		metrics.Read(sample)
		if p := garbagePercent(sample[0].Value.Uint64()); p != now {
			now = p
			debug.SetGCPercent(p)
		}
		runtime.AddCleanup(&sentinel{}, again, struct{}{}) // after the next collection
	}
	again(struct{}{})
}
