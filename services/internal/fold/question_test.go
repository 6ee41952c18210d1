package fold

import (
	"context"
	"errors"
	"testing"
	"time"

	"weir/schemas"
)

func TestAsk(t *testing.T) {
	bubble(t, "runs between two messages", func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.feed(upTo(4)...)
		var n uint64
		if err := l.stage().Ask(t.Context(), func() { n = l.core.n }); err != nil || n != 4 {
			t.Errorf("%d messages, %v", n, err)
		}
		_ = l.stop()
	})
	bubble(t, "of a stage that has ended", func(t *testing.T, srv *server) {
		l := small.start(srv)
		st := l.stage()
		_ = l.stop()
		for range 2 * queueLen { // more than the queue holds
			if err := st.Ask(context.Background(), func() { t.Error("was answered") }); err == nil {
				t.Fatal("no error")
			}
		}
	})
	bubble(t, "of a stage that ends meanwhile", func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.setFull(schemas.StreamAgentOutbox, true)
		srv.feed(upTo(3)...)
		asked := make(chan error, 1)
		go func() { asked <- l.stage().Ask(context.Background(), func() { t.Error("was answered") }) }()
		later(time.Second)
		_ = l.stop()
		if err := <-asked; err == nil {
			t.Error("no error")
		}
	})
	bubble(t, "given up", func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.setFull(schemas.StreamAgentOutbox, true)
		srv.feed(upTo(3)...)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := l.stage().Ask(ctx, func() { t.Error("was answered") }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		srv.setFull(schemas.StreamAgentOutbox, false)
		later(time.Minute) // the stage comes to the question and leaves it
		_ = l.stop()
	})
	bubble(t, "an answer that has begun is waited for", func(t *testing.T, srv *server) {
		l := small.start(srv)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		answered := false
		err := l.stage().Ask(ctx, func() {
			time.Sleep(time.Minute)
			answered = true
		})
		if err != nil || !answered {
			t.Errorf("answered %v, error %v", answered, err)
		}
		_ = l.stop()
	})
}
