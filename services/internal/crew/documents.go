package crew

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// settleFor is how long policy may change before it is followed: a start reads its
// whole history.
const settleFor = 100 * time.Millisecond

// policyHistory is that of the bucket POLICY, which the policy service opens too.
const policyHistory = 20

// Documents calls apply with the documents of policy by key, again after every change,
// until ctx ends, which is no error, or the bucket cannot be had.
func Documents(ctx context.Context, b *bus.Bus, log *slog.Logger, apply func(documents map[string][]byte)) error {
	var bucket *bus.Bucket
	err := bus.Await(ctx, log, func() (err error) {
		bucket, err = b.Bucket(ctx, schemas.BucketPolicy, policyHistory)
		return err
	})
	if err != nil {
		return err
	}
	return follow(ctx, bucket, apply)
}

// bucket is the part of a bucket that is followed.
type bucket interface {
	Watch(ctx context.Context, ready func(), handle func(bus.Entry)) error
}

func follow(ctx context.Context, b bucket, apply func(documents map[string][]byte)) error {
	changes, failed := make(chan bus.Entry, 64), make(chan error, 1)
	var watch sync.WaitGroup
	defer watch.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch.Go(func() {
		failed <- b.Watch(ctx, func() {}, func(e bus.Entry) {
			select {
			case changes <- e:
			case <-ctx.Done():
			}
		})
	})
	known := map[string][]byte{}
	settle := time.NewTimer(settleFor)
	defer settle.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-changes:
			if known[e.Key] = e.Value; e.Value == nil {
				delete(known, e.Key)
			}
			settle.Reset(settleFor)
		case <-settle.C:
			apply(known)
		case err := <-failed:
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}
