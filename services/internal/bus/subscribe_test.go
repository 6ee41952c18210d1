package bus

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestAskAndReply(t *testing.T) {
	e := embed(t, Config{})
	stop, err := e.Subscribe("weir.ask.*", 1<<20, func(r Request) {
		if err := r.Reply(append([]byte("got "), r.Data...), "Key", "value"); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Ask(t.Context(), "weir.ask.this", []byte("x")); string(got) != "got x" || err != nil {
		t.Errorf("answer %q, %v", got, err)
	}
	stop()
	if _, err := e.Ask(t.Context(), "weir.ask.this", nil); !errors.Is(err, ErrNone) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestAskGivesUp(t *testing.T) {
	e := embed(t, Config{})
	stop, err := e.Subscribe("weir.ask.silent", 1<<20, func(Request) {})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := e.Ask(ctx, "weir.ask.silent", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// TestReplyOnlyToInboxes: a device must not make a service publish elsewhere.
func TestReplyOnlyToInboxes(t *testing.T) {
	e := embed(t, Config{})
	other, err := e.Connect("listener")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	heard := make(chan string, 10)
	all, err := other.nc.Subscribe(">", func(m *nats.Msg) {
		if string(m.Data) == "answer" {
			heard <- m.Subject
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = all.Unsubscribe() }()
	stop, err := e.Subscribe("tel.>", 1<<20, func(r Request) { _ = r.Reply([]byte("answer")) })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	const subject = "tel.t.d.metrics"
	f := func(reply string, want bool) {
		t.Helper()
		if err := other.nc.PublishMsg(&nats.Msg{Subject: subject, Reply: reply}); err != nil {
			t.Fatal(err)
		}
		if err := other.nc.PublishRequest(subject, "_INBOX.end", nil); err != nil {
			t.Fatal(err)
		}
		var got []string
		for s := <-heard; s != "_INBOX.end"; s = <-heard {
			got = append(got, s)
		}
		if want != slices.Contains(got, reply) || len(got) > 1 {
			t.Errorf("reply %q: answers on %q", reply, got)
		}
	}
	f("_INBOX.x", true)
	f("", false)
	for _, reply := range []string{"weir.journal.a1", "$JS.API.STREAM.PURGE.T_S", "_INBOXX.x", "_INBOX", "cmd.t.d", serviceInbox} {
		f(reply, false)
	}
	f(serviceInbox+".x", true)
	f("_UP.a1.x", true)
}

// TestPendingBytes: what a slow handler leaves waiting is bounded.
func TestPendingBytes(t *testing.T) {
	e := embed(t, Config{})
	if _, err := e.Subscribe("x", 0, func(Request) {}); err == nil {
		t.Error("no bytes at all may wait")
	}
	first, goOn := make(chan bool), make(chan bool)
	n := 0
	last := make(chan int, 1)
	stop, err := e.Subscribe("x", 10_000, func(r Request) {
		if n++; n == 1 {
			close(first)
			<-goOn
		}
		if len(r.Data) == 1 {
			select {
			case last <- n:
			default: // one is enough
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	publish := func(size int) {
		if err := e.Publish("x", make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	publish(1000)
	<-first
	for range 50 {
		publish(1000)
	}
	if err := e.flush(); err != nil { // they have come, or were dropped
		t.Fatal(err)
	}
	close(goOn)
	for got := 0; got == 0; {
		publish(1)
		select {
		case got = <-last:
			if got < 5 || got > 15 {
				t.Errorf("%d messages were handled, want about ten", got)
			}
		case <-time.After(10 * time.Millisecond): // it was dropped too
		}
	}
}
