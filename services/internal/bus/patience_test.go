package bus

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestPatiently: what nobody answers is asked again for a while, however nobody does;
// what is answered is not.
func TestPatiently(t *testing.T) {
	silent := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	says := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	f := func(want error, least, most time.Duration, asks ...func(context.Context) error) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			tries, began := 0, time.Now()
			err := new(Bus).patiently(t.Context(), func(ctx context.Context) error {
				tries++
				return asks[min(tries, len(asks))-1](ctx)
			})
			if took := time.Since(began); !errors.Is(err, want) || took < least || took > most {
				t.Errorf("%v after %v and %d tries; want %v after %v to %v", err, took, tries, want, least, most)
			}
		})
	}
	f(nil, 0, 0, says(nil))
	f(jetstream.ErrMsgNotFound, 0, 0, says(jetstream.ErrMsgNotFound))
	f(jetstream.ErrStreamNotFound, 0, 0, says(jetstream.ErrStreamNotFound))
	f(nil, firstTry, firstTry+againAfter, silent, says(nil))
	f(context.DeadlineExceeded, patience, patience+longestTry, silent)
	f(nats.ErrNoResponders, patience, patience+2*againAfter, says(nats.ErrNoResponders))
	refused := make([]func(context.Context) error, 40) // each of them makes the next try longer
	for i := range refused {
		refused[i] = says(nats.ErrNoResponders)
	}
	f(context.DeadlineExceeded, patience, patience+2*longestTry, append(refused, silent)...)
	f(jetstream.ErrJetStreamNotEnabled, patience, patience+2*againAfter, says(jetstream.ErrJetStreamNotEnabled))
}

// TestAskedWhileItEnds: who waits for the answer of a server in this process that ends
// is told so at once, and not that somebody has given up: an answer may come later.
func TestAskedWhileItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alive, die := context.WithCancel(t.Context())
		b := &Bus{sound: func() func() error { return nil }}
		b.alive.Store(&alive)
		time.AfterFunc(time.Second, die)
		began := time.Now()
		err := b.patiently(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if took := time.Since(began); !errors.Is(err, ErrHalted) || !Passing(err) || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}
