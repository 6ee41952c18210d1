package bus

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"weir/schemas"
)

func TestReadToTheEnd(t *testing.T) {
	e := embed(t, Config{})
	f := func(from uint64, want []uint64, subjects ...string) {
		t.Helper()
		if got := sequences(t, e.Bus, from, subjects...); !slices.Equal(got, want) {
			t.Errorf("from %d of %s: %d, want %d", from, subjects, got, want)
		}
	}
	f(0, nil) // nothing yet
	f(5, nil)
	fill(t, e.Bus, "s.a", "s.b", "s.a", "s.b", "s.c")
	f(0, []uint64{1, 2, 3, 4, 5})
	f(3, []uint64{3, 4, 5})
	f(6, nil)
	f(0, []uint64{1, 3}, "s.a") // the newest of the stream is another's
	f(4, []uint64{4, 5}, "s.b", "s.c")
	f(0, nil, "s.none")
	if err := e.Compact(t.Context(), "S", 4); err != nil {
		t.Fatal(err)
	}
	f(1, []uint64{4, 5})
	f(1, nil, "s.a")
	if err := e.Compact(t.Context(), "S", 6); err != nil {
		t.Fatal(err)
	}
	f(0, nil) // empty, but with sequences behind it
}

// TestReadThrough reads pieces of a stream, and leaves nothing behind in the server: questions read hundreds of them a second.
func TestReadThrough(t *testing.T) {
	e := embed(t, Config{})
	fill(t, e.Bus, "s.a", "s.b", "s.a", "s.b", "s.c")
	if err := e.Delete(t.Context(), "S", 3); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, through uint64
		want          []uint64
	}{
		{0, 2, []uint64{1, 2}}, {2, 2, []uint64{2}}, {2, 4, []uint64{2, 4}}, {3, 3, nil}, {4, 9, []uint64{4, 5}}, {6, 9, nil}, {4, 2, nil},
	} {
		var got []uint64
		err := e.ReadThrough(t.Context(), "S", c.from, c.through, func(m Message) error {
			got = append(got, m.Seq)
			return nil
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("from %d through %d: %d, %v; want %d", c.from, c.through, got, err, c.want)
		}
	}
	failed := errors.New("failed")
	if err := e.ReadThrough(t.Context(), "S", 1, 5, func(Message) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("the handler's error is %v", err)
	}
	await(t, "no consumer is left", 20*time.Second, func() bool {
		s, err := e.js.Stream(t.Context(), e.prefix+"S")
		return err == nil && s.CachedInfo().State.Consumers == 0
	})
}

// TestReadToTheEndOfAMovingStream: what comes meanwhile is not waited for.
func TestReadToTheEndOfAMovingStream(t *testing.T) {
	e := embed(t, Config{})
	fill(t, e.Bus, "s.a", "s.b", "s.a")
	f := func(want []uint64, subjects ...string) {
		t.Helper()
		var got []uint64
		err := e.Read(t.Context(), "S", 0, true, func(m Message) error {
			got = append(got, m.Seq)
			fill(t, e.Bus, "s.a")
			return nil
		}, subjects...)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("read %d, %v; want %d", got, err, want)
		}
	}
	f([]uint64{1, 2, 3})
	f([]uint64{2}, "s.b")
}

// TestReadToAnEndThatIsPurged: nobody waits for a message that is gone.
func TestReadToAnEndThatIsPurged(t *testing.T) {
	e := embed(t, Config{})
	large := make([]byte, 4<<20)
	for range 6 { // more than is asked for ahead
		if _, err := e.Store(t.Context(), "s.a", large); err != nil {
			t.Fatal(err)
		}
	}
	read := 0
	err := e.Read(t.Context(), "S", 0, true, func(Message) error {
		if read++; read > 1 {
			return nil
		}
		return e.Compact(t.Context(), "S", 7)
	})
	if err != nil || read == 0 || read == 6 {
		t.Errorf("read %d, %v", read, err)
	}
}

func TestReadOn(t *testing.T) {
	e := embed(t, Config{})
	fill(t, e.Bus, "s.a", "s.b")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got, done := make(chan Message, 10), make(chan error, 1)
	go func() {
		done <- e.Read(ctx, "S", 2, false, func(m Message) error {
			got <- m
			return nil
		})
	}()
	if m := <-got; m.Seq != 2 || m.Subject != "s.b" || string(m.Data) != "s.b" || m.Pending != 0 {
		t.Errorf("read %+v", m)
	}
	fill(t, e.Bus, "s.c")
	if m := <-got; m.Seq != 3 {
		t.Errorf("read %+v", m)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the end of ctx is no error, but %v", err)
	}
}

func TestReadFails(t *testing.T) {
	e := embed(t, Config{})
	fill(t, e.Bus, "s.a")
	enough := errors.New("enough")
	if err := e.Read(t.Context(), "S", 0, false, func(Message) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("error of handle: %v", err)
	}
	for _, stopAtEnd := range []bool{false, true} {
		if err := e.Read(t.Context(), "NONE", 0, stopAtEnd, nil); err == nil {
			t.Error("read a stream that is not there")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.Read(ctx, "S", 0, stopAtEnd, func(Message) error { return nil }); err != nil {
			t.Errorf("read after the end: %v", err)
		}
	}
	done := make(chan error, 1)
	go func() { done <- e.Read(t.Context(), "S", 2, false, func(Message) error { return nil }) }()
	time.AfterFunc(50*time.Millisecond, e.Close)
	if err := <-done; err == nil {
		t.Error("the connection is closed and Read does not tell")
	}
}

// TestReadLarge: a message near the greatest size fits what is asked for ahead.
func TestReadLarge(t *testing.T) {
	e := embed(t, Config{})
	for _, size := range []int{1, maxPayload - 100, 1} {
		if _, err := e.Store(t.Context(), "s.a", make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	if got := sequences(t, e.Bus, 0); len(got) != 3 {
		t.Errorf("read %d", got)
	}
}

// BenchmarkRead measures messages per second of a reader that does nothing.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{600, 10_000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) { benchmarkRead(b, size) })
	}
}

func benchmarkRead(b *testing.B, size int) {
	const messages = 10_000
	e := embed(b, Config{})
	if err := e.Ensure(b.Context(), []schemas.Stream{{Name: "L", Subjects: []string{"l"}, MaxBytes: 1 << 30}}); err != nil {
		b.Fatal(err)
	}
	data := make([]byte, size)
	for range messages {
		if _, err := e.Store(b.Context(), "l", data); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(messages * int64(size))
	for b.Loop() {
		n := 0
		if err := e.Read(b.Context(), "L", 0, true, func(Message) error { n++; return nil }); err != nil || n != messages {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(messages*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// TestReadInbox: a gateway reads the partitions that it owns.
func TestReadInbox(t *testing.T) {
	e := embed(t, Config{})
	if err := e.Ensure(t.Context(), schemas.Region(testSizes, "r01")); err != nil {
		t.Fatal(err)
	}
	var all []string
	for p := range schemas.Partitions {
		for _, l := range []schemas.Lane{schemas.LaneAlert, schemas.LaneLive, schemas.LaneBackfill} {
			all = append(all, schemas.Inbox("r01", p, "a1", l))
		}
	}
	fill(t, e.Bus, all...)
	f := func(from uint64, want []string, subjects ...string) {
		t.Helper()
		var got []string
		err := e.Read(t.Context(), schemas.StreamRegionInbox, from, true, func(m Message) error {
			got = append(got, m.Subject)
			return nil
		}, subjects...)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("read %q from %d: %q, %v", subjects, from, got, err)
		}
	}
	f(0, all)
	f(0, all[9:12], schemas.InboxPartition("r01", 3))
	f(11, all[10:12], schemas.InboxPartition("r01", 3))
	f(0, slices.Concat(all[3:6], all[45:]), schemas.InboxPartition("r01", 1), schemas.InboxPartition("r01", 15))
	var every []string
	for p := range schemas.Partitions {
		every = append(every, schemas.InboxPartition("r01", p))
	}
	f(0, all, every...)
	if seq, data, err := e.Last(t.Context(), all[5]); seq != 6 || string(data) != all[5] || err != nil {
		t.Errorf("last %d, %q, %v", seq, data, err)
	}
}
