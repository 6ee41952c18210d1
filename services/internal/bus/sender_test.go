package bus

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"weir/schemas"
)

// TestSend: what comes of a message, by what the stream says to it. The stream is
// on the same server, which is enough to play the tier above.
func TestSend(t *testing.T) {
	e := embed(t, Config{})
	s, err := e.Bus.Sender("a1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := send(t, s, "s.a", "x"); err != nil {
		t.Error(err)
	}
	if _, data, err := e.Last(t.Context(), "s.a"); string(data) != "x" || err != nil {
		t.Errorf("stored %q, %v", data, err)
	}
	if err := send(t, s, "tiny.a", strings.Repeat("x", 3000)); !errors.Is(err, ErrFull) {
		t.Errorf("sent to a full stream: %v", err)
	}
	if err := send(t, s, "nowhere", "x"); !isNone(err) {
		t.Errorf("sent where nobody listens: %v", err)
	}
	if err := send(t, s, "s.a", strings.Repeat("x", maxPayload+1)); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("sent more than the server takes: %v", err)
	}
	stop, err := e.Subscribe("odd.*", 1<<20, func(r Request) { _ = r.Reply(r.Data) })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, answer := range []string{"", "{}", "[", `{"stream":"S"}`, `{"seq":1}`} {
		if err := send(t, s, "odd.a", answer); err == nil {
			t.Errorf("%q counts as stored", answer)
		}
	}
	if err := send(t, s, "odd.a", `{"stream":"S","seq":1}`); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "a.b", "a*", ">"} {
		if _, err := e.Bus.Sender(name); err == nil {
			t.Errorf("there is a sender of %q", name)
		}
	}
}

// silent makes a subject where questions are heard and not answered.
func silent(t *testing.T, e *Embedded) string {
	t.Helper()
	stop, err := e.Subscribe("silent", 64<<20, func(Request) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return "silent"
}

// TestSendBlocks: no more is in flight than may be, and who waits for room gives
// up when told, or goes on when there is some.
func TestSendBlocks(t *testing.T) {
	e := embed(t, Config{})
	s, err := e.Bus.Sender("a1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	subject := silent(t, e)
	fits := func(size int) {
		t.Helper()
		if err := s.Send(t.Context(), subject, make([]byte, size), func(error) {}); err != nil {
			t.Fatal(err)
		}
	}
	waits := func(size int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		if err := s.Send(ctx, subject, make([]byte, size), func(error) {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no room for %d bytes, yet %v", size, err)
		}
	}
	s.Limit(3, 100)
	for range 3 {
		fits(1)
	}
	waits(1)
	s.Limit(10, 100)
	waits(98)
	fits(97)
	waits(1)
	waiting := make(chan error)
	go func() { waiting <- s.Send(t.Context(), subject, []byte("x"), func(error) {}) }()
	s.Limit(10, 1000)
	if err := <-waiting; err != nil {
		t.Errorf("more room, yet %v", err)
	}
	go func() { waiting <- s.Send(t.Context(), subject, make([]byte, 1000), func(error) {}) }()
	s.Close()
	if err := <-waiting; !errors.Is(err, ErrLost) {
		t.Errorf("closed while it waits: %v", err)
	}
	alone, err := e.Bus.Sender("a1")
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	alone.Limit(1, 1)
	if err := send(t, alone, "s.a", "larger than the room"); err != nil {
		t.Error(err)
	}
}

// TestSilence: what is not answered fails in the end.
func TestSilence(t *testing.T) {
	t.Parallel()
	e := embed(t, Config{})
	s, err := e.Bus.Sender("a1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	began := time.Now()
	if err := send(t, s, silent(t, e), "x"); !errors.Is(err, ErrLost) {
		t.Errorf("not answered: %v", err)
	}
	if d := time.Since(began); d < sendSilence || d > sendSilence+4*sendCheck {
		t.Errorf("failed after %v", d)
	}
}

func TestSenderAsk(t *testing.T) {
	e := embed(t, Config{})
	s, err := e.Sender("a1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	question := schemas.Desired("r01", "a1")
	if _, err := s.Ask(t.Context(), question, nil); !isNone(err) && !errors.Is(err, ErrLost) {
		t.Errorf("asked nobody: %v", err)
	}
	stop, err := e.Answer(t.Context(), schemas.DesiredAll("r01"), quietLog, func(_ context.Context, q []byte) (any, error) {
		return string(q) + "!", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	own, err := e.Bus.Sender("a1") // no link is needed here
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if a, err := own.Ask(t.Context(), question, []byte("who")); string(a) != `"who!"` || err != nil {
		t.Errorf("answer %s, %v", a, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := own.Ask(ctx, silent(t, e), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("asked who does not answer: %v", err)
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	if n := len(own.flights.in); n != 0 {
		t.Errorf("%d questions are remembered", n)
	}
}

// TestExactlyOnce: many send at once while the link comes and goes and the sender
// is closed: each done is called once, or the call returned an error and it never
// is; what is said to be stored is.
func TestExactlyOnce(t *testing.T) {
	t.Parallel()
	r := region(t, Config{})
	p := newProxy(t, r.LeafAddr())
	a := agent(t, "a1", Upstream{URL: "nats-leaf://" + p.addr})
	s := sender(t, a, "a1")
	before := messages(t, r.Bus, schemas.StreamRegionInbox)

	var started, finished, stored, twice atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var senders sync.WaitGroup
	for i := range 8 {
		senders.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for ctx.Err() == nil {
				var called atomic.Bool
				wait, giveUp := context.WithTimeout(ctx, 10*time.Millisecond)
				err := s.Send(wait, inbox("a1"), make([]byte, random.IntN(20_000)), func(err error) {
					if called.Swap(true) {
						twice.Add(1)
					}
					finished.Add(1)
					if err == nil {
						stored.Add(1)
					}
				})
				giveUp()
				if err == nil {
					started.Add(1)
				}
				if errors.Is(err, ErrLost) {
					return // closed
				}
			}
		})
	}
	await(t, "messages", 20*time.Second, func() bool { return stored.Load() > 200 })
	for range 2 {
		p.cut()
		await(t, "the link is down", 2*time.Second, func() bool { return !a.LinkUp() })
		p.heal()
		n := stored.Load()
		await(t, "messages after a cut", 20*time.Second, func() bool { return stored.Load() > n+200 })
	}
	s.Close()
	senders.Wait()
	if started.Load() != finished.Load() || twice.Load() != 0 {
		t.Errorf("%d started, %d finished, %d of them twice", started.Load(), finished.Load(), twice.Load())
	}
	if n := messages(t, r.Bus, schemas.StreamRegionInbox) - before; int64(n) < stored.Load() {
		t.Errorf("%d are stored, %d are said to be", n, stored.Load())
	}
	if err := s.Send(t.Context(), inbox("a1"), nil, func(error) { t.Error("done is called") }); !errors.Is(err, ErrLost) {
		t.Errorf("sent by a closed sender: %v", err)
	}
	s.Close() // again
	t.Logf("%d sent, %d stored", started.Load(), stored.Load())
}

// TestSenderOverDial: a sender over a connection to a server elsewhere works,
// fails what is in flight when the connection is lost, and works again.
func TestSenderOverDial(t *testing.T) {
	t.Parallel()
	e := embed(t, Config{Listen: "127.0.0.1:0"})
	p := newProxy(t, e.Addr())
	b, err := Dial(t.Context(), "nats://"+p.addr, UserOperator, "secret", "T_")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s, err := b.Sender("r01")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := send(t, s, "s.a", "x"); err != nil {
		t.Fatal(err)
	}
	lost := make(chan error, 1)
	if err := s.Send(t.Context(), silent(t, e), nil, func(err error) { lost <- err }); err != nil {
		t.Fatal(err)
	}
	p.cut()
	began := time.Now()
	if err := <-lost; !errors.Is(err, ErrLost) || time.Since(began) > busy*time.Second {
		t.Errorf("in flight when the connection was lost: %v after %v", err, time.Since(began))
	}
	if err := send(t, s, "s.a", "x"); !errors.Is(err, ErrLost) {
		t.Errorf("sent without a connection: %v", err)
	}
	p.heal()
	await(t, "a message after the cut", 5*time.Second, func() bool { return send(t, s, "s.a", "y") == nil })
	b.Close()
	if err := send(t, s, "s.a", "x"); !errors.Is(err, ErrLost) {
		t.Errorf("sent over a closed bus: %v", err)
	}
}
