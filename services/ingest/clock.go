package ingest

import (
	"time"

	"weir/schemas"
)

// longestGap is how far agent time advances at most over a restart, in ns.
const longestGap = int64(60 * time.Second)

// agentClock is agent time: it never steps and never goes back. It advances by
// the monotonic clock only. The wall clock counts once, at the very start and,
// limited, for the time between two runs.
type agentClock struct {
	base  int64 // agent time at start, ns
	start time.Time
}

// resumeClock continues behind the last tick in the journal; the zero Tick means
// that there is none.
func resumeClock(last schemas.Tick, now time.Time) agentClock {
	if last == (schemas.Tick{}) {
		return agentClock{base: now.UnixNano(), start: now}
	}
	gap := min(max(now.UnixNano()-last.Wall, 0), longestGap)
	return agentClock{base: last.Time + gap, start: now}
}

// lead is how far agent time is ahead of the wall clock, in ns, where it is: the
// wall clock has been set back, and what devices say is from the future only for
// that.
func (c agentClock) lead(now time.Time) int64 {
	return max(0, c.base+int64(now.Sub(c.start))-now.UnixNano())
}

// tick is agent time at a moment of this run.
func (c agentClock) tick(now time.Time) schemas.Tick {
	return schemas.Tick{Time: c.base + int64(now.Sub(c.start)), Wall: now.UnixNano()}
}
