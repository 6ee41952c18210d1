package forwarder

// silence is how long the tier above may say nothing, neither answer nor confirm,
// before the link counts as down, ns.
const silence = 10 * second

// link is what is known of the link from what came down over it.
type link struct {
	ever           bool  // there was one
	last, lastWall int64 // when the newest came: ns of the process, Unix ns
	since          int64 // when it came up last, or the start, Unix ns
}

// answer notes an answer, or a confirmation.
func (l *link) answer(now, wall int64) {
	if !l.up(now) {
		l.since = wall
	}
	l.ever, l.last, l.lastWall = true, now, wall
}

func (l *link) up(now int64) bool { return l.ever && now-l.last <= silence }

// changed is when it last went up or down, Unix ns.
func (l *link) changed(now int64) int64 {
	if l.ever && !l.up(now) {
		return l.lastWall + silence
	}
	return l.since
}

// Times between two reports, ns.
const (
	busyEvery  = second     // while something is owed
	quietEvery = 3 * second // else
	leastEvery = second / 10
)

// every is the time between two reports: within what the tier above expects.
func every(owed uint64, within int64) int64 {
	at := int64(quietEvery)
	if owed > 0 {
		at = busyEvery
	}
	if within > 0 {
		at = min(at, max(within/4*3, leastEvery))
	}
	return at
}
