package bus

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"weir/schemas"
)

// TestUsersOutliveTheServer: every kind of user of an embedded bus goes on by
// itself when its server was stopped and started again. The reader has every
// message once and in order.
func TestUsersOutliveTheServer(t *testing.T) {
	t.Parallel()
	up := region(t, Config{Leaf: freeAddr(t)})
	e := agent(t, "a1", upstream(up))
	u := newUsers(t, e)
	s := sender(t, e, "a1")
	for round := range 3 {
		for _, server := range []*Embedded{e, up} {
			server.Halt()
			if err := server.Healthy(); !errors.Is(err, ErrHalted) {
				t.Errorf("healthy while it is halted: %v", err)
			}
			if server == e {
				u.fail(t)
			}
			if err := server.Resume(); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			u.work(t)
			await(t, "the link carries again", 15*time.Second, func() bool { return send(t, s, inbox("a1"), strconv.Itoa(round)) == nil })
			t.Logf("round %d: all go on after %v", round, time.Since(began).Round(time.Millisecond))
		}
	}
	if e.Restarts() != 3 {
		t.Errorf("%d restarts are counted", e.Restarts())
	}
}

// TestUsersOutliveQuickRestarts: the server goes away again while its users are just
// coming back.
func TestUsersOutliveQuickRestarts(t *testing.T) {
	t.Parallel()
	e := agent(t, "a1", upstream(region(t, Config{})))
	u := newUsers(t, e)
	for round := range 12 {
		for range round % 4 {
			e.Halt()
			if err := e.Resume(); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Duration(round) * 20 * time.Millisecond) // a restart at every moment of a return
		}
		u.work(t)
	}
}

// users are what services do with a bus.
type users struct {
	e      *Embedded
	bucket *Bucket
	last   uint64 // sequence on s.a

	mu      sync.Mutex
	read    []uint64
	watched []string
	heard   []string
}

func newUsers(t *testing.T, e *Embedded) *users {
	t.Helper()
	u := &users{e: e}
	var err error
	if u.bucket, err = e.Bucket(t.Context(), "B", 5); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var joined sync.WaitGroup
	t.Cleanup(func() { cancel(); joined.Wait() })
	joined.Go(func() {
		if err := e.Read(ctx, "S", 1, false, func(m Message) error {
			u.mu.Lock()
			defer u.mu.Unlock()
			u.read = append(u.read, m.Seq)
			return nil
		}); err != nil {
			t.Errorf("the reader ended: %v", err)
		}
	})
	joined.Go(func() {
		if err := u.bucket.Watch(ctx, func() {}, func(e Entry) {
			u.mu.Lock()
			defer u.mu.Unlock()
			u.watched = append(u.watched, string(e.Value))
		}); err != nil {
			t.Errorf("the watch ended: %v", err)
		}
	})
	stop, err := e.Subscribe("said", 1<<20, func(r Request) {
		u.mu.Lock()
		u.heard = append(u.heard, string(r.Data))
		u.mu.Unlock()
		_ = r.Reply([]byte("yes"))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	u.work(t)
	return u
}

// fail expects that nothing works, and that nobody waits long to hear it.
func (u *users) fail(t *testing.T) {
	t.Helper()
	began := time.Now()
	if _, err := u.e.Append(t.Context(), "s.a", []byte("lost"), u.last); err == nil {
		t.Error("appended to a server that is down")
	}
	if _, err := u.bucket.Put(t.Context(), "lost", nil); err == nil {
		t.Error("put to a server that is down")
	}
	if _, err := u.e.Ask(t.Context(), "said", nil); err == nil {
		t.Error("asked at a server that is down")
	}
	if d := time.Since(began); d > 2*askTimeout {
		t.Errorf("failing took %v", d)
	}
}

// work expects that everything works, soon.
func (u *users) work(t *testing.T) {
	t.Helper()
	unknown := false // what became of an append that was not answered
	await(t, "an append", 15*time.Second, func() bool {
		seq, err := u.e.Append(t.Context(), "s.a", []byte("x"), u.last)
		if errors.Is(err, ErrWrongLast) && unknown {
			seq, _, err = u.e.Last(t.Context(), "s.a")
		}
		switch {
		case err == nil:
			u.last = seq
		case errors.Is(err, ErrWrongLast):
			t.Fatalf("something was stored that was reported as failed: %v", err)
		case errors.Is(err, context.DeadlineExceeded):
			unknown = true
		}
		return err == nil
	})
	mark := strconv.FormatUint(u.last, 10)
	await(t, "a put", 15*time.Second, func() bool {
		_, err := u.bucket.Put(t.Context(), "k", []byte(mark))
		return err == nil
	})
	await(t, "an answer", 15*time.Second, func() bool {
		a, err := u.e.Ask(t.Context(), "said", []byte(mark))
		return err == nil && string(a) == "yes"
	})
	last := func(list []string) bool { return len(list) > 0 && list[len(list)-1] == mark }
	for what, on := range map[string]func() bool{
		"reader":       func() bool { return len(u.read) > 0 && u.read[len(u.read)-1] == u.last },
		"watch":        func() bool { return last(u.watched) },
		"subscription": func() bool { return last(u.heard) },
	} {
		began := time.Now()
		await(t, "the "+what+" goes on", 20*time.Second, func() bool {
			u.mu.Lock()
			defer u.mu.Unlock()
			return on()
		})
		t.Logf("%s after %v", what, time.Since(began))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, seq := range u.read {
		if seq != uint64(i+1) {
			t.Fatalf("read %v", u.read)
		}
	}
}

// TestListenersStay: after a restart the server listens where it did, and clients
// from outside come back.
func TestListenersStay(t *testing.T) {
	t.Parallel()
	e := region(t, Config{Listen: freeAddr(t), Leaf: freeAddr(t)})
	addr, leaf := e.Addr(), e.LeafAddr()
	nc, err := nats.Connect("nats://"+addr, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	heard := make(chan string, 10)
	stop, err := e.Subscribe("tel.>", 1<<20, func(r Request) { heard <- string(r.Data) })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	e.Halt()
	if err := e.Resume(); err != nil {
		t.Fatal(err)
	}
	if e.Addr() != addr || e.LeafAddr() != leaf {
		t.Errorf("it listens at %s and %s, not at %s and %s", e.Addr(), e.LeafAddr(), addr, leaf)
	}
	await(t, "a client from outside is heard", 10*time.Second, func() bool {
		if nc.Publish("tel.t.d.metrics", []byte("x")) != nil || nc.Flush() != nil {
			return false
		}
		select {
		case <-heard:
			return true
		case <-time.After(200 * time.Millisecond):
			return false
		}
	})
}

// TestStopWins: a server that was stopped does not come again.
func TestStopWins(t *testing.T) {
	t.Parallel()
	e := embed(t, Config{})
	e.Halt()
	e.Stop()
	if err := e.Resume(); err != nil {
		t.Error(err)
	}
	if err := e.Healthy(); !errors.Is(err, ErrHalted) {
		t.Errorf("it is %v", err)
	}
}

// TestLastOfAServerThatEnds: a server that shuts down says of streams that it has
// closed that there is nothing in them. Nobody may believe it.
func TestLastOfAServerThatEnds(t *testing.T) {
	t.Parallel()
	e := embed(t, Config{Dir: t.TempDir()})
	if err := e.Ensure(t.Context(), []schemas.Stream{{Name: "KEPT", Subjects: []string{"kept.*"}, MaxBytes: 1 << 20}}); err != nil {
		t.Fatal(err)
	}
	want, err := e.Append(t.Context(), "kept.one", []byte("x"), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for ctx.Err() == nil {
				if seq, _, err := e.Last(ctx, "kept.one"); err == nil && seq != want || errors.Is(err, ErrNone) {
					t.Errorf("the last message is %d, not %d: %v", seq, want, err)
				}
			}
		})
	}
	for range 20 {
		e.Halt()
		if err := e.Resume(); err != nil {
			t.Error(err)
		}
		await(t, "an answer", 10*time.Second, func() bool {
			_, _, err := e.Last(t.Context(), "kept.one")
			return err == nil
		})
	}
	end()
	asking.Wait()
}
