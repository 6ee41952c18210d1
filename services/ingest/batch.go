package ingest

import (
	"time"

	"weir/schemas"
)

// batch collects one frame and who waits for it.
type batch struct {
	builder schemas.FrameBuilder
	due     []answer
	first   time.Time // when the first thing was added; zero: nothing yet
	urgent  bool      // somebody waits
}

// answer is owed to a device once the frame is in the journal.
type answer struct {
	to   answerer
	id   uint16         // MQTT packet identifier
	why  schemas.Reason // why nothing of the message was taken; "" if something was
	text []byte         // reply to a NATS request
}

// answerer delivers answers. It must not block.
type answerer interface{ answer(a *answer) }

func (b *batch) reset() {
	b.builder.Reset()
	clear(b.due)
	b.due = b.due[:0]
	b.first, b.urgent = time.Time{}, false
}

// touch notes that something was added and reports whether the writer must look
// again at when to cut.
func (b *batch) touch(now time.Time, waits bool) (look bool) {
	look = b.first.IsZero() || waits && !b.urgent
	if b.first.IsZero() {
		b.first = now
	}
	b.urgent = b.urgent || waits
	return look
}

// cutAt is when the batch becomes a frame, if its size does not make it one
// before. Zero: there is nothing in it.
func (b *batch) cutAt(prompt, patient time.Duration) time.Time {
	switch {
	case b.first.IsZero():
		return time.Time{}
	case b.urgent:
		return b.first.Add(prompt)
	}
	return b.first.Add(patient)
}

// empty reports whether nothing is in the batch and nobody waits for it.
func (b *batch) empty() bool { return b.builder.Empty() && len(b.due) == 0 }
