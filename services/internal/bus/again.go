package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// againAfter is the time between two tries to go on with what never ends.
const againAfter = 250 * time.Millisecond

// again waits for the next try.
func again(ctx context.Context) error {
	select {
	case <-time.After(againAfter):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lasting reports whether trying again is of no use: what was asked for is not
// there, or nobody can be asked any more. A server that is away, or slow, or in the
// middle of its start, will answer one day.
func lasting(err error) bool {
	for _, one := range []error{jetstream.ErrBucketNotFound, jetstream.ErrStreamNotFound, nats.ErrConnectionClosed, nats.ErrBadSubscription} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}
