package fold

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"

	"weir/schemas"
)

// TestCommitted: each commit is told once, after it was written and before the
// next message, and not again by a process that makes it again.
func TestCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		var told []int64
		start := func() (func(), *session) {
			ctx, cancel := context.WithCancel(t.Context())
			c := &session{server: srv, die: cancel}
			log := slog.New(slog.DiscardHandler)
			r := NewRunner(Config{
				Input: schemas.StreamJournal, Output: schemas.StreamAgentOutbox,
				Route: func(string) []string { return []string{producer} },
				Make: func(p string) *Stage {
					return NewStage(p, &adder{every: 2, keys: 1}, boxed, c, log)
				},
				Committed: func(s *Stage, r *Results) {
					if n := len(entriesOf(t, srv)); int64(2*n) != r.Time {
						t.Errorf("the results of message %d are told when the outbox of %s has %d entries", r.Time, s.Producer, n)
					}
					told = append(told, r.Time)
				},
			}, c, log)
			done := make(chan error, 1)
			go func() { done <- r.Run(ctx) }()
			synctest.Wait()
			return func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}, c
		}
		want := func(what string, times ...int64) {
			t.Helper()
			if !slices.Equal(told, times) {
				t.Errorf("%s: told of %v, want %v", what, told, times)
			}
		}
		stop, c := start()
		srv.feed(upTo(5)...)
		want("two commits", 2, 4)
		c.mu.Lock()
		c.dead = true // no checkpoint: the next process makes them again
		c.mu.Unlock()
		stop()

		stop, _ = start()
		want("made again", 2, 4)
		srv.feed(6)
		want("a new one", 2, 4, 6)
		stop()
	})
}
