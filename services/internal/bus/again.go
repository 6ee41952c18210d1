package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// patience is how long an answer is waited for that changes nothing: a server may be
// starved that long, and a cluster may need it to agree on who answers.
const patience = 20 * time.Second

// firstTry and longestTry bound the tries to ask. One that had no answer is followed by
// a longer one, for those that are slow: what was asked while there was no leader is lost.
const (
	firstTry   = 2 * time.Second
	longestTry = 10 * time.Second
)

// patiently asks again while nobody answers. A server in this process is not asked any
// more once it is halted.
func (b *Bus) patiently(ctx context.Context, ask func(context.Context) error) error {
	began := time.Now()
	for within := firstTry; ; within = min(within+within/2, longestTry) {
		err := b.once(ctx, within, ask)
		if err == nil || lasting(err) || definite(err) || b.hopeless(began, err) || again(ctx) != nil {
			return err
		}
	}
}

// once asks for some time, or until the server ends that would answer: ErrHalted.
func (b *Bus) once(asker context.Context, within time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(asker, within)
	defer cancel()
	life := b.alive.Load()
	if life == nil {
		return ask(ctx)
	}
	defer context.AfterFunc(*life, cancel)()
	err := ask(ctx)
	if err != nil && (*life).Err() != nil && asker.Err() == nil {
		return ErrHalted
	}
	return err
}

// definite reports whether an error is what a server says that knows.
func definite(err error) bool {
	var api jetstream.JetStreamError
	return errors.As(err, &api) && api.APIError() != nil && api.APIError().Code < 500
}

// hopeless reports whether it has been tried for long enough, or there is no server
// now that could answer.
func (b *Bus) hopeless(since time.Time, err error) bool {
	return time.Since(since) > patience || b.sound != nil && errors.Is(class(err), ErrHalted)
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

// askAgain is the time between two questions of Await.
const askAgain = time.Second

// Await asks until there is an answer, or ctx ends, or what is wrong will not pass, and
// says once that it waits. It is how every service asks what it cannot go on without, at
// its start above all: a server that is starved, or is being restarted because its disk
// was full, is no reason to end a process. ask is called again after such an error.
func Await(ctx context.Context, log *slog.Logger, ask func() error) error {
	for said := false; ; said = true {
		err := ask()
		if err == nil || !Passing(err) {
			return err
		}
		if !said && ctx.Err() == nil {
			log.Warn("waiting for the server", "err", err)
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return fmt.Errorf("%w before there was an answer: %v", ctx.Err(), err)
		}
	}
}

// Passing reports whether an answer may come later: the server is slow, or cannot be
// reached, or is being restarted, or its disk has no room for what was asked.
func Passing(err error) bool {
	for _, one := range []error{ErrHalted, ErrStuck, errNoRoom, context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}
