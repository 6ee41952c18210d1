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

// makeWithin bounds the making of what is not there yet. A server that has not
// answered for as long has no disk to speak of.
const makeWithin = time.Minute

// untilAnswered makes something again while a slow server does not answer: to make
// what is there already changes nothing.
func untilAnswered(ctx context.Context, make func() error) error {
	giveUp := time.Now().Add(makeWithin)
	for {
		err := make()
		slow := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)
		if !slow || ctx.Err() != nil || time.Now().After(giveUp) {
			return err
		}
		if again(ctx) != nil {
			return err
		}
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
