package main

import (
	"time"

	"weir/lab/sights"
)

// playing is while all devices send.
type playing struct{ from, to time.Time }

// margin is how much earlier than the devices a window ends whose delay says
// something: after the last reading windows wait until their devices are idle.
const margin = 3 * time.Second

// covers reports whether all of a window, and what it is due after its end, lies
// well within the play.
func (p playing) covers(start, end time.Time, due time.Duration) bool {
	return !start.Before(p.from) && !end.Add(due+margin).After(p.to)
}

// windows is how many windows of a size it covers.
func (p playing) windows(size, due time.Duration) (n int) {
	for start := p.from.Truncate(size); start.Before(p.to); start = start.Add(size) {
		if p.covers(start, start.Add(size), due) {
			n++
		}
	}
	return n
}

// delays are those of the windows that it covers, which are due so long after their end.
func (p playing) delays(windows map[string][]sights.Shown, due time.Duration) []time.Duration {
	return sights.Delays(windows, due, func(w sights.Shown) bool { return p.covers(w.Start, w.End, due) })
}
