package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/services/internal/bus"
)

// store is the bucket as one member reaches it.
type store struct {
	mu     *sync.Mutex // of the bucket
	bucket *bucket
	cut    bool // the server cannot be reached
}

var errCut = errors.New("no server")

func (s *store) Get(context.Context, string) (bus.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cut:
		return bus.Entry{}, errCut
	case s.bucket.revision == 0:
		return bus.Entry{}, bus.ErrNone
	}
	return bus.Entry{Value: s.bucket.data, Revision: s.bucket.revision}, nil
}

func (s *store) Update(_ context.Context, _ string, value []byte, after uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut {
		return 0, errCut
	}
	outcome, revision := s.bucket.do(&Write{Data: value, After: after})
	if outcome == Refused {
		return 0, bus.ErrWrongLast
	}
	return revision, nil
}

func (s *store) setCut(cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = cut
}

// site is some keepers over one bucket, and who serves what.
type site struct {
	bucket *store
	mu     sync.Mutex
	serves map[string][]string // by partition
	fail   map[string]chan error
}

// member starts a keeper.
func (s *site) member(t *testing.T, name string) (at *store, stop func()) {
	at = &store{mu: s.bucket.mu, bucket: s.bucket.bucket}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	fail := make(chan error)
	s.fail[name] = fail
	go func() {
		done <- New(Config{Store: at, Region: "r01", Partitions: partitions, Name: name}, slog.New(slog.DiscardHandler)).Keep(ctx, func(ctx context.Context, p int) error {
			s.change(p, func(names []string) []string { return append(names, name) })
			defer s.change(p, func(names []string) []string {
				return slices.DeleteFunc(names, func(n string) bool { return n == name })
			})
			select {
			case <-ctx.Done():
				return nil
			case err := <-fail:
				return err
			}
		})
	}()
	return at, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func (s *site) change(p int, f func([]string) []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serves[fmt.Sprint(p)] = f(s.serves[fmt.Sprint(p)])
}

// after, in a bubble, lets time pass, then counts the partitions of each member.
func (s *site) after(t *testing.T, d time.Duration) map[string]int {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	count := map[string]int{}
	for p, names := range s.serves {
		if len(names) > 1 {
			t.Errorf("partition %s is served by %v", p, names)
		}
		for _, name := range names {
			count[name]++
		}
	}
	return count
}

// TestKeep: two members share; one that loses the server lets go by itself before
// the other takes over; one that fails leaves the partition to the other; and an
// orderly end takes a second.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{bucket: &store{mu: new(sync.Mutex), bucket: new(bucket)}, serves: map[string][]string{}, fail: map[string]chan error{}}
		one, stopOne := s.member(t, "gw1")
		if got := s.after(t, 1500*time.Millisecond); got["gw1"] != partitions {
			t.Fatalf("alone: %v", got)
		}
		_, stopTwo := s.member(t, "gw2")
		split := s.after(t, 8*time.Second)
		if split["gw1"]+split["gw2"] != partitions || split["gw1"] == 0 || split["gw2"] == 0 {
			t.Fatalf("two: %v", split)
		}
		one.setCut(true)
		if got := s.after(t, 9*time.Second); got["gw1"] != 0 {
			t.Errorf("cut off for 9 s: %v", got)
		}
		if got := s.after(t, 4*time.Second); got["gw2"] != partitions {
			t.Errorf("cut off for 13 s: %v", got)
		}
		one.setCut(false)
		if got := s.after(t, 8*time.Second); !maps.Equal(got, split) {
			t.Errorf("back: %v, want %v", got, split)
		}
		s.fail["gw1"] <- errors.New("its work failed")
		if got := s.after(t, 4*time.Second); got["gw1"] != split["gw1"]-1 || got["gw2"] != split["gw2"]+1 {
			t.Errorf("one failed: %v", got)
		}
		if got := s.after(t, 20*time.Second); !maps.Equal(got, split) {
			t.Errorf("tried again: %v, want %v", got, split)
		}
		stopOne()
		if got := s.after(t, 1100*time.Millisecond); got["gw2"] != partitions {
			t.Errorf("a second after an orderly end: %v", got)
		}
		stopTwo()
		if got, want := string(s.bucket.bucket.data), `{"members":null,"owners":["","","","",""]}`; got != want {
			t.Errorf("left behind: %s", got)
		}
	})
}
