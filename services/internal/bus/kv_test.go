package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
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
