package bus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Message is one stored message. Data belongs to the receiver.
type Message struct {
	Subject string
	Seq     uint64
	Data    []byte
	Pending uint64 // messages behind this one when it was sent
}

// What a reader asks the server for ahead of what it has handled. The bytes
// leave room for the largest message.
const (
	aheadMessages = 2048
	aheadBytes    = maxPayload + 1<<20
)

// heartbeat is how often the server says that a quiet reader is still known. The
// client drops a message when its queue is full to the last place, and notices at
// the next one; where none comes, two missed heartbeats make it read on.
const heartbeat = time.Second

// Read hands the messages of a stream to handle, in order, from sequence from
// on, until ctx ends (it returns nil), handle fails or the stream is not there.
// subjects narrow what is read; none means all. It does not wait for new messages
// when stopAtEnd is set: it returns nil after the last message there was when asked,
// and an error when the server does not answer; else it goes on when the server does.
// What was purged is passed over: the sequences of the messages tell.
func (b *Bus) Read(ctx context.Context, stream string, from uint64, stopAtEnd bool, handle func(Message) error, subjects ...string) error {
	if !stopAtEnd {
		return b.readOn(ctx, stream, from, handle, subjects)
	}
	u, err := b.Usage(ctx, stream, "")
	if err != nil {
		return readError(ctx, stream, err)
	}
	if u.Messages == 0 {
		return nil
	}
	return b.read(ctx, stream, from, u.LastSeq, handle, subjects)
}

// readOn reads until ctx ends, however often the server fails it.
func (b *Bus) readOn(ctx context.Context, stream string, from uint64, handle func(Message) error, subjects []string) error {
	var refused error // by handle
	note := func(m Message) error {
		if refused = handle(m); refused == nil {
			from = m.Seq + 1
		}
		return refused
	}
	for {
		err := b.read(ctx, stream, from, endless, note, subjects)
		if err == nil || refused != nil || lasting(err) {
			return err
		}
		if again(ctx) != nil {
			return nil
		}
	}
}

// ReadThrough is Read from one sequence to another, or to the end of the stream if that comes before.
func (b *Bus) ReadThrough(ctx context.Context, stream string, from, through uint64, handle func(Message) error) error {
	return b.read(ctx, stream, from, through, handle, nil)
}

// endless is the end of what goes on for ever.
const endless = math.MaxUint64

func (b *Bus) read(ctx context.Context, stream string, from, through uint64, handle func(Message) error, subjects []string) error {
	from = max(from, 1)
	if through < from {
		return nil
	}
	c, err := b.js.OrderedConsumer(ctx, b.prefix+stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		InactiveThreshold: time.Minute,
	})
	if err != nil {
		return readError(ctx, stream, err)
	}
	stops := through < endless
	if stops {
		defer b.dismiss(ctx, stream, c)
	}
	if i := c.CachedInfo(); stops && i != nil && i.NumPending == 0 {
		return nil
	}
	ahead := int(min(aheadMessages, through-from+1))
	it, err := c.Messages(jetstream.PullMaxMessagesWithBytesLimit(ahead, aheadBytes), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return readError(ctx, stream, err)
	}
	defer it.Stop()
	defer context.AfterFunc(ctx, it.Stop)()
	for more := true; more; {
		m, err := next(ctx, c, it, stops)
		if err != nil {
			return readError(ctx, stream, err)
		}
		if m == nil || m.Seq > through {
			return nil
		}
		if err := handle(*m); err != nil {
			return err
		}
		more = !stops || m.Seq < through && m.Pending > 0
	}
	return nil
}

// dismiss removes the consumer of a reader that has ended: the server would keep it, with three goroutines, until it has been inactive
// for long enough. One that is gone already, or cannot be removed now, the server removes.
func (b *Bus) dismiss(ctx context.Context, stream string, c jetstream.Consumer) {
	i := c.CachedInfo()
	if i == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = b.js.DeleteConsumer(ctx, b.prefix+stream, i.Name)
}

// quiet is how long a reader that stops at the end waits before it asks whether
// what it waits for has been purged.
const quiet = time.Second

// mostUnknown is how many times in a row nobody may know such a reader.
const mostUnknown = 10

// next waits for a message. It is nil where stopAtEnd is set and none is left.
func next(ctx context.Context, c jetstream.Consumer, it jetstream.MessagesContext, stopAtEnd bool) (*Message, error) {
	// it.Stop does not end it where the client is just making its consumer anew, as
	// after this process was stopped for a while: the context does.
	opts := []jetstream.NextOpt{jetstream.NextContext(ctx)}
	if stopAtEnd {
		opts = []jetstream.NextOpt{jetstream.NextMaxWait(quiet)}
	}
	for unknown := 0; ; {
		m, err := it.Next(opts...)
		if errors.Is(err, nats.ErrTimeout) {
			i, err := c.Info(ctx)
			if errors.Is(err, jetstream.ErrConsumerNotFound) && unknown < mostUnknown {
				unknown++ // the client makes it anew, or a cluster does not agree on it yet
				continue
			}
			if err != nil || i.NumPending == 0 {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, err
		}
		return &Message{Subject: m.Subject(), Seq: meta.Sequence.Stream, Data: m.Data(), Pending: meta.NumPending}, nil
	}
}

func readError(ctx context.Context, stream string, err error) error {
	if ctx.Err() != nil && (errors.Is(err, jetstream.ErrMsgIteratorClosed) || errors.Is(err, ctx.Err())) {
		return nil
	}
	return fmt.Errorf("read stream %s: %w", stream, err)
}
