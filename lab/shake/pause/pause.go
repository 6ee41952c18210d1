// Package pause stops goroutines for moments, by chance: it is what shaken sources
// call. The product never imports it.
//
// In: SHAKE_SEED and SHAKE_CHANCE of the environment, read once. Out: nothing.
//
// Promises: a pause is a sleep of the operating system, so that fake time
// (testing/synctest) waits for it and does not move; the race detector sees no
// order between goroutines that pass one place.
//
// Limits: Linux and other Unix. The same seed pauses at the same visits of a place, but who comes
// first to it is up to the machine.
package pause

import (
	"cmp"
	"os"
	"strconv"
	"syscall"
	"time"
)

// How long a pause is, and how long a place then lets all pass: a place in a hot
// loop costs a few percent of the time, no more.
const (
	least = 100 * time.Microsecond
	most  = 5 * time.Millisecond
	rest  = 50 * time.Millisecond
)

var (
	seed   = number("SHAKE_SEED", 1)
	chance = number("SHAKE_CHANCE", 10) // percent
	places [1 << 14]place
)

// place is a place in the sources.
type place struct {
	visits uint64
	last   int64 // when somebody paused here, Unix nanoseconds
}

func number(name string, otherwise uint64) uint64 {
	n, err := strconv.ParseUint(cmp.Or(os.Getenv(name), strconv.FormatUint(otherwise, 10)), 10, 64)
	if err != nil {
		panic("read " + name + ": " + err.Error())
	}
	return n
}

// At pauses or not. Those that pass a place together may count themselves as one.
//
//go:norace
func At(id uint32) {
	p := &places[id%uint32(len(places))]
	p.visits++
	dice := mix(seed ^ uint64(id)<<40 ^ p.visits)
	if dice%100 >= chance {
		return
	}
	var now syscall.Timeval
	_ = syscall.Gettimeofday(&now) // not time.Now: that may be fake
	if now.Nano()-p.last < int64(rest) {
		return
	}
	p.last = now.Nano()
	length := syscall.NsecToTimespec(int64(least) + int64(dice>>32)%int64(most-least))
	_ = syscall.Nanosleep(&length, nil) // a signal may end it sooner
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
