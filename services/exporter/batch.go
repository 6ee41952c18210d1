package exporter

import (
	"slices"

	"weir/schemas"
)

// Bounds of what is sent at once.
const (
	maxPoints  = 2_000 // of a request
	batchWants = 2_000 // points after which a batch is sent though more is there to read
	batchReads = 256   // messages likewise
)

// batch is what some messages of the outbox, read one after the other, have led to.
type batch struct {
	points   []point
	findings []schemas.Finding
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
	return pending == 0 || b.reads >= batchReads || len(b.points) >= batchWants
}

// empty makes it ready for the next messages.
func (b *batch) empty() {
	clear(b.points)
	clear(b.findings)
	*b = batch{points: b.points[:0], findings: b.findings[:0]}
}

// requests cuts the points of a batch into those of one request each.
func (b *batch) requests() [][]point { return slices.Collect(slices.Chunk(b.points, maxPoints)) }

// split halves a request that was refused whole. What is of one message, or of one
// series, is not told apart: half by half, only what cannot be taken is left.
func split(points []point) (a, b []point) {
	half := len(points) / 2
	return points[:half:half], points[half:]
}
