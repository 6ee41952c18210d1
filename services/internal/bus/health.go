package bus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ErrStuck: the server's store takes nothing any more, and only a restart of the
// server changes that.
var ErrStuck = errors.New("the store is stuck")

// silentFor is how long appends may stay without any answer, while the server
// says that all is well, before the store counts as stuck.
const silentFor = 15 * time.Second

// Healthy says what is wrong with the server, or nil. ErrStuck: it needs a
// restart. ErrHalted: it is being restarted.
func (e *Embedded) Healthy() error {
	if e.halted.Load() {
		return ErrHalted
	}
	h := e.life.Load().health()
	for _, one := range h.Errors {
		if strings.Contains(one.Error, "write error") {
			return fmt.Errorf("%w: %s", ErrStuck, one.Error)
		}
	}
	if d := e.silent(time.Now()); d > silentFor {
		return fmt.Errorf("%w: it has answered nothing for %v", ErrStuck, d.Round(time.Second))
	}
	switch {
	case len(h.Errors) > 0:
		return errors.New(h.Errors[0].Error)
	case h.Error != "":
		return errors.New(h.Error)
	}
	return nil
}

// Fails tells that an append has failed since it last did, other than for what was
// there already: a reason to ask whether the server is healthy.
func (e *Embedded) Fails() <-chan struct{} { return e.fails }

// fail notes that an append has failed.
func (b *Bus) fail() {
	select {
	case b.fails <- struct{}{}:
	default: // who is told has not looked yet, or there is nobody to tell
	}
}

// sound begins a look at what the server has stored. The function that it returns
// ends it: what was seen can be relied on if it says nil.
func (e *Embedded) sound() func() error {
	life := e.life.Load()
	return func() error {
		if err := e.Healthy(); errors.Is(err, ErrStuck) || errors.Is(err, ErrHalted) {
			return err
		}
		if e.life.Load() != life {
			return ErrHalted
		}
		return nil
	}
}

// health asks the server. It gives its own listeners a millisecond to say that they
// are there, which is too short for a busy machine: then it is asked again.
func (l *life) health() (h *server.HealthStatus) {
	for range 20 {
		h = l.srv.Healthz(&server.HealthzOptions{Details: true})
		if !slices.ContainsFunc(h.Errors, func(e server.HealthzError) bool { return e.Type == server.HealthzErrorConn }) {
			break
		}
	}
	return h
}

// unanswered notes that an append had no answer; answered, that one had.
func (b *Bus) unanswered(now time.Time) { b.since.CompareAndSwap(0, now.UnixNano()) }
func (b *Bus) answered()                { b.since.Store(0) }

// silent is for how long appends have had no answer; 0: the last one had.
func (b *Bus) silent(now time.Time) time.Duration {
	since := b.since.Load()
	if since == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, since))
}
