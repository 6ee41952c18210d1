package bus

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// TestUntilAnswered: what a slow server does not answer is made again, for a minute
// at most; what it refuses is not.
func TestUntilAnswered(t *testing.T) {
	silence := fmt.Errorf("make it: %w", context.DeadlineExceeded)
	f := func(wantTries int, wantTook time.Duration, want error, answers ...error) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			tries, begun := 0, time.Now()
			err := untilAnswered(t.Context(), func() error {
				time.Sleep(5 * time.Second)
				tries++
				return answers[min(tries, len(answers))-1]
			})
			if took := time.Since(begun); tries != wantTries || !errors.Is(err, want) || took != wantTook {
				t.Errorf("%d tries, %v after %v, wanted %d, %v after %v", tries, err, took, wantTries, want, wantTook)
			}
		})
	}
	f(1, 5*time.Second, nil, nil)
	f(3, 15*time.Second+2*againAfter, nil, silence, silence, nil)
	f(2, 10*time.Second+againAfter, jetstream.ErrInvalidStreamName, silence, jetstream.ErrInvalidStreamName)
	f(12, 60*time.Second+11*againAfter, context.DeadlineExceeded, silence)
}

func TestUntilAnsweredEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	err := untilAnswered(ctx, func() error {
		tries++
		cancel()
		return context.DeadlineExceeded
	})
	if tries != 1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d tries, %v, wanted one and what it came to", tries, err)
	}
}
