package run_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/services/internal/run"
)

// diary notes in which order things happen.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// drains is a service that takes a while to end.
func (d *diary) drains(name string, takes time.Duration) run.Func {
	return func(ctx context.Context) error {
		<-ctx.Done()
		d.note(name + " asked")
		<-time.After(takes)
		d.note(name + " ended")
		return nil
	}
}

func fails(after time.Duration, err error) run.Func {
	return func(ctx context.Context) error {
		select {
		case <-time.After(after):
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

func within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func TestStopsTheNewestFirstAndWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		g := run.NewGroup()
		for _, name := range []string{"console", "gateway", "ingest"} {
			g.Start(name, d.drains(name, time.Second))
		}
		synctest.Wait()
		if err := g.Stop(within(10 * time.Second)); err != nil {
			t.Error(err)
		}
		want := []string{"ingest asked", "ingest ended", "gateway asked", "gateway ended", "console asked", "console ended"}
		if !slices.Equal(d.lines, want) {
			t.Errorf("got  %v\nwant %v", d.lines, want)
		}
	})
}

func TestFirstCauseWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full, broken := errors.New("disk full"), errors.New("broken by the first")
		g := run.NewGroup()
		g.Start("gateway", fails(2*time.Second, broken))
		g.Start("aggregator", fails(time.Second, full))
		if g.Cause() != nil {
			t.Error("a cause before anything ended")
		}
		<-g.Failed()
		time.Sleep(2 * time.Second)
		err := g.Stop(within(time.Second))
		if !errors.Is(err, full) || errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "aggregator: ") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnEndThatNobodyAskedForIsACause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := run.NewGroup()
		g.Start("ingest", fails(time.Second, nil))
		<-g.Failed()
		if err := g.Stop(within(time.Second)); err == nil || !strings.Contains(err.Error(), "ingest: ended") {
			t.Errorf("got %v", err)
		}
	})
}

func TestErrorWhileStoppingIsACause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("could not write the last frame")
		g := run.NewGroup()
		g.Start("ingest", run.Func(func(ctx context.Context) error { <-ctx.Done(); return lost }))
		if err := g.Stop(within(time.Second)); !errors.Is(err, lost) {
			t.Errorf("got %v", err)
		}
	})
}

// TestAskedToEndWhileStarting: a question that was in flight ends with what the context
// says, which is what was asked for. What else went wrong is still a cause.
func TestAskedToEndWhileStarting(t *testing.T) {
	lost := errors.New("could not write the last frame")
	f := func(name string, want error, end func(context.Context) error) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			g := run.NewGroup()
			g.Start(name, run.Func(end))
			synctest.Wait()
			if err := g.Stop(within(time.Second)); !errors.Is(err, want) || (want == nil) != (err == nil) {
				t.Errorf("%s: got %v", name, err)
			}
		})
	}
	f("asks", nil, func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("read state: %w", ctx.Err()) })
	f("asks twice", nil, func(ctx context.Context) error { <-ctx.Done(); return errors.Join(ctx.Err(), ctx.Err()) })
	f("loses", lost, func(ctx context.Context) error { <-ctx.Done(); return errors.Join(ctx.Err(), lost) })
	f("gives up", context.Canceled, func(context.Context) error { return context.Canceled })
	f("is late", context.DeadlineExceeded, func(ctx context.Context) error { <-ctx.Done(); return context.DeadlineExceeded })
}

func TestOneDeadlineForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		g := run.NewGroup()
		g.Start("quick", d.drains("quick", 0))
		g.Start("stuck", d.drains("stuck", time.Hour))
		g.Start("slow", d.drains("slow", 3*time.Second))
		begin := time.Now()
		err := g.Stop(within(5 * time.Second))
		if took := time.Since(begin); took != 6*time.Second { // the deadline and the last call
			t.Errorf("took %v", took)
		}
		if err == nil || !strings.Contains(err.Error(), "stuck") || strings.Contains(err.Error(), "slow") || strings.Contains(err.Error(), "quick") {
			t.Errorf("got %v", err)
		}
		time.Sleep(2 * time.Hour) // let the stuck one end inside the bubble
		synctest.Wait()
		if !slices.Contains(d.lines, "quick ended") {
			t.Error("the last one was never asked to end")
		}
	})
}
