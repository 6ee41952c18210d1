package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Message is one stored message. Data belongs to the receiver.
type Message struct {
	Subject string
	Seq     uint64
	Data    []byte
	Pending uint64 // messages behind this one when it was sent
}

// Read hands the messages of a stream to handle, in order, from sequence from
// on, until ctx ends (it returns nil) or handle or the stream fails. subjects
// narrow what is read; none means all. It does not wait for new messages when
// stopAtEnd is set: it returns nil after the last message there was when asked.
func (b *Bus) Read(ctx context.Context, stream string, from uint64, stopAtEnd bool, handle func(Message) error, subjects ...string) error {
	if stopAtEnd {
		u, err := b.Usage(ctx, stream, "")
		if err != nil {
			return err
		}
		if u.Messages == 0 || u.LastSeq < from {
			return nil
		}
	}
	c, err := b.js.OrderedConsumer(ctx, b.prefix+stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1),
		InactiveThreshold: time.Minute,
	})
	if err != nil {
		return readError(ctx, stream, err)
	}
	if stopAtEnd {
		if i := c.CachedInfo(); i != nil && i.NumPending == 0 {
			return nil
		}
	}
	it, err := c.Messages(jetstream.PullMaxMessagesWithBytesLimit(256, 8<<20))
	if err != nil {
		return readError(ctx, stream, err)
	}
	defer it.Stop()
	defer context.AfterFunc(ctx, it.Stop)()
	for {
		m, err := it.Next()
		if err != nil {
			return readError(ctx, stream, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return readError(ctx, stream, err)
		}
		msg := Message{Subject: m.Subject(), Seq: meta.Sequence.Stream, Data: m.Data(), Pending: meta.NumPending}
		if err := handle(msg); err != nil {
			return err
		}
		if stopAtEnd && meta.NumPending == 0 {
			return nil
		}
	}
}

func readError(ctx context.Context, stream string, err error) error {
	if ctx.Err() != nil && (errors.Is(err, jetstream.ErrMsgIteratorClosed) || errors.Is(err, ctx.Err())) {
		return nil
	}
	return fmt.Errorf("read stream %s: %w", stream, err)
}
