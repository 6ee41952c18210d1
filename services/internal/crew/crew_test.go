package crew

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/services/internal/bus"
)

// TestCrew: a worker runs until it is halted, and whoever halts it waits for its end.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Crew[int]
		var mu sync.Mutex // held while a worker notes its end: several end at once
		ended := map[string]bool{}
		work := func(name string) func(context.Context) {
			return func(ctx context.Context) {
				<-ctx.Done()
				time.Sleep(time.Second) // last words
				mu.Lock()
				defer mu.Unlock()
				ended[name] = true
			}
		}
		for i, name := range []string{"a", "b", "c"} {
			c.Start(t.Context(), name, i, work(name))
		}
		if all := c.All(); !maps.Equal(all, map[string]int{"a": 0, "b": 1, "c": 2}) {
			t.Errorf("the crew is %v", all)
		}
		c.Halt("b")
		c.Halt("nobody")
		if !ended["b"] || c.Has("b") || !c.Has("a") || len(ended) != 1 {
			t.Errorf("after the end of b: %v, ended %v", c.All(), ended)
		}
		c.Start(t.Context(), "b", 4, work("b again"))
		before := time.Now()
		c.Close()
		if len(c.All()) > 0 || len(ended) != 4 || time.Since(before) != time.Second {
			t.Errorf("after the end: %v, ended %v within %v", c.All(), ended, time.Since(before))
		}
	})
}

// watched is a bucket that tells what it is given.
type watched chan bus.Entry

func (w watched) Watch(ctx context.Context, _ func(), handle func(bus.Entry)) error {
	for {
		select {
		case e, open := <-w:
			if !open {
				return errors.New("the bucket is gone")
			}
			handle(e)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TestDocuments: changes that follow each other at once are told once, what was deleted is gone, the end is no error, and
// that of the bucket is one.
func TestDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := make(watched)
		ctx, cancel := context.WithCancel(t.Context())
		var told [][]string
		ended := make(chan error, 1)
		run := func() {
			ended <- follow(ctx, w, func(documents map[string][]byte) { told = append(told, slices.Sorted(maps.Keys(documents))) })
		}
		go run()
		w <- bus.Entry{Key: "default", Value: []byte("{}")}
		w <- bus.Entry{Key: "region.north", Value: []byte("{}")}
		time.Sleep(settleFor + time.Millisecond)
		w <- bus.Entry{Key: "default"}
		time.Sleep(settleFor + time.Millisecond)
		cancel()
		if err := <-ended; err != nil || len(told) != 2 || !slices.Equal(told[0], []string{"default", "region.north"}) || !slices.Equal(told[1], []string{"region.north"}) {
			t.Errorf("told %v, ended with %v", told, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		go run()
		close(w)
		if err := <-ended; err == nil {
			t.Error("the end of the bucket is no error")
		}
	})
}
