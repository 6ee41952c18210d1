package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestBucket(t *testing.T) {
	e := embed(t, Config{})
	k, err := e.Bucket(t.Context(), "B", 5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Get(t.Context(), "a"); !errors.Is(err, ErrNone) {
		t.Errorf("a key that is not there: %v", err)
	}
	for i, v := range []string{"one", "two"} {
		if rev, err := k.Put(t.Context(), "a", []byte(v)); rev != uint64(i+1) || err != nil {
			t.Errorf("put: %d, %v", rev, err)
		}
	}
	if got, err := k.Get(t.Context(), "a"); got.Key != "a" || string(got.Value) != "two" || got.Revision != 2 || err != nil {
		t.Errorf("get: %+v, %v", got, err)
	}
	if _, err := k.Put(t.Context(), "not a key", nil); err == nil {
		t.Error("a key with spaces")
	}
	again, err := e.Bucket(t.Context(), "B", 5)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Get(t.Context(), "a"); got.Revision != 2 || err != nil {
		t.Errorf("opened again: %+v, %v", got, err)
	}
}

// TestWatch: history in the order of writing, then ready, then changes.
func TestWatch(t *testing.T) {
	e := embed(t, Config{})
	k, err := e.Bucket(t.Context(), "B", 5)
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, value string) {
		if _, err := k.Put(t.Context(), key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "1")
	put("b", "2")
	put("a", "3")
	ctx, cancel := context.WithCancel(t.Context())
	seen, done := make(chan string, 10), make(chan error, 1)
	go func() {
		done <- k.Watch(ctx, func() { seen <- "ready" }, func(e Entry) {
			seen <- fmt.Sprintf("%s=%s at %d, deleted %v", e.Key, e.Value, e.Revision, e.Value == nil)
		})
	}()
	var got []string
	take := func(n int) {
		for range n {
			got = append(got, <-seen)
		}
	}
	take(4)
	put("b", "4")
	take(1)
	if err := k.kv.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	take(1)
	want := []string{
		"a=1 at 1, deleted false", "b=2 at 2, deleted false", "a=3 at 3, deleted false", "ready",
		"b=4 at 4, deleted false", "a= at 5, deleted true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the end of ctx is no error, but %v", err)
	}
}

// TestLease: of several that write a key at once, one gets it.
func TestLease(t *testing.T) {
	e := embed(t, Config{})
	k, err := e.Bucket(t.Context(), "LEASE", 1)
	if err != nil {
		t.Fatal(err)
	}
	update := func(key, value string, revision uint64, want error) uint64 {
		t.Helper()
		rev, err := k.Update(t.Context(), key, []byte(value), revision)
		if !errors.Is(err, want) || (err == nil) != (want == nil) || (err == nil) != (rev > 0) {
			t.Errorf("update %s after %d: %d, %v; want %v", key, revision, rev, err, want)
		}
		return rev
	}
	remove := func(key string, revision uint64, want error) {
		t.Helper()
		if err := k.Delete(t.Context(), key, revision); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("delete %s at %d: %v, want %v", key, revision, err, want)
		}
	}
	first := update("p.1", "a", 0, nil)
	update("p.1", "b", 0, ErrWrongLast)
	update("p.1", "b", first+7, ErrWrongLast)
	second := update("p.1", "b", first, nil)
	update("p.1", "a", first, ErrWrongLast)
	update("p.2", "a", second, ErrWrongLast) // revisions of other keys do not count
	remove("p.1", first, ErrWrongLast)
	remove("p.1", second, nil)
	update("p.1", "b", second, ErrWrongLast)
	update("p.1", "c", 0, nil) // what was deleted is not there
	remove("p.1", 0, nil)
	remove("p.9", 3, ErrWrongLast)
	remove("a b", 0, jetstream.ErrInvalidKey)

	won := make(chan string, 8)
	var all sync.WaitGroup
	for _, who := range strings.Split("abcdefgh", "") {
		all.Go(func() {
			if _, err := k.Update(t.Context(), "p.3", []byte(who), 0); err == nil {
				won <- who
			} else if !errors.Is(err, ErrWrongLast) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, err := k.Get(t.Context(), "p.3"); len(won) != 1 || err != nil || string(got.Value) != <-won {
		t.Errorf("%d won, the key has %q, %v", len(won), got.Value, err)
	}
}

func TestKeys(t *testing.T) {
	e := embed(t, Config{})
	k, err := e.Bucket(t.Context(), "B", 5)
	if err != nil {
		t.Fatal(err)
	}
	f := func(want ...Entry) {
		t.Helper()
		got, err := k.Keys(t.Context())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	f()
	put := func(key, value string) Entry {
		t.Helper()
		rev, err := k.Put(t.Context(), key, []byte(value))
		if err != nil {
			t.Fatal(err)
		}
		return Entry{Key: key, Value: []byte(value), Revision: rev}
	}
	put("b", "old")
	a, b := put("a", "1"), put("b", "new")
	put("c", "gone")
	if err := k.Delete(t.Context(), "c", 0); err != nil {
		t.Fatal(err)
	}
	f(a, b)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Keys(ctx); err == nil {
		t.Error("keys after the end")
	}
}
