package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// SeqAtTime is the sequence of the first message of a stream that was stored at
// t (Unix ns) or later; one past the newest if there is none. Times are those
// of the server's clock.
func (b *Bus) SeqAtTime(ctx context.Context, stream string, t int64) (uint64, error) {
	s, err := b.js.Stream(ctx, b.prefix+stream)
	if err != nil {
		return 0, fmt.Errorf("find time in stream %s: %w", stream, class(err))
	}
	start := time.Unix(0, t)
	// The server does the search when a consumer starts there: one that nobody
	// reads, in memory, gone in a moment.
	c, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &start,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: time.Second,
	})
	if err != nil {
		return 0, fmt.Errorf("find time %s in stream %s: %w", start.UTC().Format(time.RFC3339Nano), stream, class(err))
	}
	info := c.CachedInfo()
	if err := s.DeleteConsumer(ctx, info.Name); err != nil && ctx.Err() == nil {
		return 0, fmt.Errorf("find time in stream %s: %w", stream, class(err))
	}
	return info.Delivered.Stream + 1, nil
}

// maxUntold bounds how many messages in a row may tell nothing to a search.
const maxUntold = 64

// Search halves a stream and returns the sequence from which reached holds, one
// past the newest if it never does. It sees messages of some subjects (a pattern)
// and asks of each whether it has been reached; one that tells nothing is passed
// over for the next. The result is exact where what messages tell never goes back.
func (b *Bus) Search(ctx context.Context, stream, subjects string, reached func(Message) (yes, tells bool)) (uint64, error) {
	s, err := b.js.Stream(ctx, b.prefix+stream)
	if err != nil {
		return 0, fmt.Errorf("search stream %s: %w", stream, class(err))
	}
	st := s.CachedInfo().State
	low, high := max(st.FirstSeq, 1), st.LastSeq+1
	for low < high {
		seq, yes, err := told(ctx, s, subjects, low+(high-low)/2, reached)
		switch {
		case err != nil:
			return 0, fmt.Errorf("search stream %s: %w", stream, class(err))
		case yes || seq == 0 || seq >= high:
			high = low + (high-low)/2
		default:
			low = seq + 1
		}
	}
	return low, nil
}

// told asks the first message from a sequence on that tells something; seq is 0 if
// there is none.
func told(ctx context.Context, s jetstream.Stream, subjects string, from uint64, reached func(Message) (yes, tells bool)) (seq uint64, yes bool, err error) {
	for range maxUntold {
		m, err := s.GetMsg(ctx, from, jetstream.WithGetMsgSubject(subjects))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return 0, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		if yes, tells := reached(Message{Subject: m.Subject, Seq: m.Sequence, Data: m.Data}); tells {
			return m.Sequence, yes, nil
		}
		from = m.Sequence + 1
	}
	return 0, false, nil
}

// Reconnects is how often the connection was made anew. The server may have been another one
// meanwhile, or have lost the end of a stream: what was read before may be there no more, and other messages in
// its place.
func (b *Bus) Reconnects() uint64 { return b.nc.Stats().Reconnects }
