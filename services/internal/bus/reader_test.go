package bus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// reading is a reader that never ends, and what it has handed over.
type reading struct {
	mu   sync.Mutex
	seqs []uint64
}

// readAlong reads a stream until the test ends.
func readAlong(t *testing.T, b *Bus, stream string, subjects ...string) *reading {
	t.Helper()
	r, done := new(reading), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		done <- b.Read(ctx, stream, 0, false, func(m Message) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.seqs = append(r.seqs, m.Seq)
			return nil
		}, subjects...)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the reader ended: %v", err)
		}
	})
	return r
}

// newest is the sequence that was handed over last; 0: none was.
func (r *reading) newest() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seqs) == 0 {
		return 0
	}
	return r.seqs[len(r.seqs)-1]
}

// wantOnce wants the sequences in order, each once, and all but those that were
// removed at some time.
func (r *reading) wantOnce(t *testing.T, stored []uint64, removed map[uint64]bool) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := 1; i < len(r.seqs); i++ {
		if r.seqs[i] <= r.seqs[i-1] {
			t.Errorf("%d came behind %d", r.seqs[i], r.seqs[i-1])
		}
	}
	for _, seq := range stored {
		if _, there := slices.BinarySearch(r.seqs, seq); !there && !removed[seq] {
			t.Errorf("%d has not been handed over", seq)
		}
	}
}

// forget has the server forget all consumers of a stream.
func forget(t *testing.T, b *Bus, stream string) {
	t.Helper()
	s, err := b.js.Stream(t.Context(), b.prefix+stream)
	if err != nil {
		t.Fatal(err)
	}
	names := s.ConsumerNames(t.Context())
	for name := range names.Name() {
		_ = s.DeleteConsumer(t.Context(), name) // it may have gone by itself
	}
}

// TestReaderGoesOn: whatever becomes of consumers, of the connection and of
// messages, a reader hands over each message once, in order.
func TestReaderGoesOn(t *testing.T) {
	t.Parallel()
	e := embed(t, Config{Listen: "127.0.0.1:0"})
	p := newProxy(t, e.Addr())
	far, err := Dial(t.Context(), "nats://"+p.addr, UserOperator, "secret", "T_")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(far.Close)
	all, some := readAlong(t, far, "S"), readAlong(t, far, "S", "s.a", "s.b")
	const seed = 3
	draw := rand.New(rand.NewPCG(seed, 0))
	stored, removed := map[string][]uint64{}, map[uint64]bool{}
	var last uint64
	store := func(n int) {
		for range n {
			subject := []string{"s.a", "s.b", "s.c"}[draw.IntN(3)]
			if last, err = e.Store(t.Context(), subject, make([]byte, draw.IntN(2000))); err != nil {
				t.Fatal(err)
			}
			stored[subject] = append(stored[subject], last)
		}
	}
	for range 30 {
		store(1 + draw.IntN(50))
		switch draw.IntN(5) {
		case 0:
			forget(t, e.Bus, "S")
		case 1:
			p.cut()
			store(draw.IntN(20))
			p.heal()
		case 2:
			for seq := min(all.newest(), some.newest()) + 1; seq < last; seq++ {
				removed[seq] = true
			}
			if err := e.Compact(t.Context(), "S", last); err != nil {
				t.Fatal(err)
			}
		case 3:
			removed[last] = true
			if err := e.Delete(t.Context(), "S", last); err != nil {
				t.Fatal(err)
			}
		}
	}
	if last, err = e.Store(t.Context(), "s.a", nil); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*reading{all, some} {
		await(t, fmt.Sprintf("message %d comes", last), 20*time.Second, func() bool { return r.newest() == last })
	}
	ab := slices.Sorted(slices.Values(slices.Concat(stored["s.a"], stored["s.b"])))
	some.wantOnce(t, ab, removed)
	all.wantOnce(t, slices.Sorted(slices.Values(slices.Concat(ab, stored["s.c"]))), removed)
}

// TestReaderOfACluster: readers go on when the server dies that holds their
// consumer or leads the stream, and writers when it comes back; who stops at the end
// has all there is at the leader.
func TestReaderOfACluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	b, err := DialWith(t.Context(), DialConfig{URL: c.urls, Prefix: "T_"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	c.replicate(t, b, testStreams[0])
	r := readAlong(t, b, "S")
	var last uint64
	store := func(n int) {
		for range n {
			last = appendAgain(t, b, "s.a", last)
		}
	}
	for round := range c.servers {
		store(20)
		leader, consumer := c.leaders(t, b, "S")
		c.stop(t, []string{leader, consumer, leader}[round])
		store(20)
		c.start(t, []string{leader, consumer, leader}[round])
		store(5)
		var read []uint64
		if err := b.Read(t.Context(), "S", 0, true, func(m Message) error { read = append(read, m.Seq); return nil }); err != nil {
			t.Fatal(err)
		}
		if uint64(len(read)) != last || read[last-1] != last {
			t.Errorf("read to the end: %d messages of %d", len(read), last)
		}
	}
	await(t, "the last message comes", 60*time.Second, func() bool { return r.newest() == last })
	var all []uint64
	for seq := range last {
		all = append(all, seq+1)
	}
	r.wantOnce(t, all, nil)
}

// appendAgain appends a message behind one, as often as it takes, and finds out what became of an
// append without an answer.
func appendAgain(t *testing.T, b *Bus, subject string, after uint64) (seq uint64) {
	t.Helper()
	await(t, fmt.Sprintf("a message behind %d is stored", after), 60*time.Second, func() bool {
		var err error
		if seq, err = b.Append(t.Context(), subject, nil, after); err == nil {
			return true
		}
		seq, _, err = b.Last(t.Context(), subject)
		return err == nil && seq > after
	})
	if seq != after+1 {
		t.Fatalf("stored %d behind %d", seq, after)
	}
	return seq
}
