package fold

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Ask runs f between two messages, on the goroutine that owns the core, and
// waits for it. After an error f has not run and never will. Asking a stage
// that has ended, or that ends meanwhile, is an error.
func (s *Stage) Ask(ctx context.Context, f func()) error {
	var taken atomic.Bool // by the stage, or by us to give up
	done := make(chan struct{})
	q := work{ask: func() {
		if taken.CompareAndSwap(false, true) {
			f()
			close(done)
		}
	}}
	ended := fmt.Errorf("ask stage %s: it has ended", s.Producer)
	select {
	case s.queue <- q:
	case <-s.stop:
		return ended
	case <-ctx.Done():
		return ctx.Err()
	}
	var err error
	select {
	case <-done:
		return nil
	case <-s.stop:
		err = ended
	case <-ctx.Done():
		err = ctx.Err()
	}
	if taken.CompareAndSwap(false, true) {
		return err
	}
	<-done
	return nil
}
