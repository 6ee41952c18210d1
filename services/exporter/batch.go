package exporter

import (
	"slices"

	"weir/schemas"
)

// Bounds of what is sent at once.
const (
	maxPoints  = 2_000   // of a request; of log records likewise
	maxLogs    = 1 << 20 // bytes of log records of a request, or one that is larger
	batchWants = 2_000   // points after which a batch is sent though more is there to read
	batchReads = 256     // messages likewise
)

// batch is what some messages of the outbox, read one after the other, have led to.
type batch struct {
	points   []point
	findings []schemas.Finding
	logs     []passedLog
	logBytes int    // of these
	last     uint64 // sequence of the newest message; 0: it is empty
	reads    int
}

// note takes a message that has been applied.
func (b *batch) note(seq uint64) {
	b.last = seq
	b.reads++
}

// due reports whether to send it now. A batch that a process before this one had
// begun to send is cut where that one cut it, so that it is sent again as it was.
func (b *batch) due(pending, begun uint64) bool {
	if begun != 0 && b.last <= begun {
		return b.last == begun
	}
	return pending == 0 || b.reads >= batchReads || len(b.points)+len(b.logs) >= batchWants || b.logBytes >= maxLogs
}

// empty makes it ready for the next messages.
func (b *batch) empty() {
	clear(b.points)
	clear(b.findings)
	clear(b.logs)
	*b = batch{points: b.points[:0], findings: b.findings[:0], logs: b.logs[:0]}
}

// requests cuts the points of a batch into those of one request each.
func (b *batch) requests() [][]point { return slices.Collect(slices.Chunk(b.points, maxPoints)) }

// passed adds a log record.
func (b *batch) passed(l passedLog) {
	b.logs = append(b.logs, l)
	b.logBytes += l.bytes
}

// logRequests cuts the log records of a batch into those of one request each.
func (b *batch) logRequests() (all [][]passedLog) {
	for rest := b.logs; len(rest) > 0; {
		n, bytes := 0, 0
		for n < len(rest) && n < maxPoints && (n == 0 || bytes+rest[n].bytes <= maxLogs) {
			bytes += rest[n].bytes
			n++
		}
		all, rest = append(all, rest[:n:n]), rest[n:]
	}
	return all
}

// split halves a request that was refused whole. What is of one message, or of one
// series, is not told apart: half by half, only what cannot be taken is left.
func split[T any](items []T) (a, b []T) {
	half := len(items) / 2
	return items[:half:half], items[half:]
}
