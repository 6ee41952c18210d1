package bus

import (
	"context"
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
