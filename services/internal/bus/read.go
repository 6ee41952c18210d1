package bus

import (
	"context"
	"math"

	"github.com/nats-io/nats.go"
)

// Message is one stored message. Data belongs to the receiver.
type Message struct {
	Subject string
	Seq     uint64
	Data    []byte
	Pending uint64 // messages behind this one where it was read: a replica may lack the newest

	header nats.Header
}

// Read hands the messages of a stream to handle, in order, from sequence from
// on, until ctx ends (it returns nil), handle fails or the stream is not there.
// subjects narrow what is read; none means all. It does not wait for new messages
// when stopAtEnd is set: it returns nil after the last message there was when asked,
// and an error when the server does not answer; else it goes on when the server does.
// What was purged is passed over: the sequences of the messages tell.
func (b *Bus) Read(ctx context.Context, stream string, from uint64, stopAtEnd bool, handle func(Message) error, subjects ...string) error {
	r := b.reader(b.prefix+stream, from, handle, subjects...)
	if stopAtEnd {
		return r.toTheEnd(ctx)
	}
	return r.through(ctx, endless)
}

// ReadThrough is Read from one sequence to another, or to the end of the stream if that comes before.
func (b *Bus) ReadThrough(ctx context.Context, stream string, from, through uint64, handle func(Message) error) error {
	return b.reader(b.prefix+stream, from, handle).through(ctx, through)
}

// endless is the end of what goes on for ever.
const endless = math.MaxUint64

// reader makes a reader of a stream by its whole name.
func (b *Bus) reader(stream string, from uint64, handle func(Message) error, subjects ...string) *reader {
	return &reader{bus: b, stream: stream, subjects: subjects, handle: handle, next: max(from, 1), beat: firstBeat}
}
