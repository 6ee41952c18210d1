package harness

import (
	"testing"
	"time"
)

// lookEvery is the time between two looks at a condition.
const lookEvery = 20 * time.Millisecond

// Until looks until missing returns "", and ends the test with what was missing
// last if that takes longer than within.
func Until(tb testing.TB, within time.Duration, missing func() string) {
	tb.Helper()
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
