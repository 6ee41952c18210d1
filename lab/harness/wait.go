package harness

import (
	"testing"
	"time"
)

// lookEvery is the time between two looks at a condition.
const lookEvery = 20 * time.Millisecond

// Busy is how many times longer than promised things may take on a machine that runs
// other tests at the same time. What they take elsewhere is measured, not tested.
const Busy = 3

// Until looks until missing returns "", and ends the test with what was missing
// last if that takes Busy times longer than within.
func Until(tb testing.TB, within time.Duration, missing func() string) {
	tb.Helper()
	within *= Busy
	deadline := time.After(within)
	for {
		still := missing()
		if still == "" {
			return
		}
		select {
		case <-deadline:
			tb.Fatalf("after %v still: %s", within, still)
		case <-time.After(lookEvery):
		}
	}
}

// Pause lets time pass: the schedule of a fault, never a wait for a condition.
func Pause(d time.Duration) { <-time.After(d) }
