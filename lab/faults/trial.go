package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// trial is a testing.TB outside of a test, so that the harness serves the command
// as it serves tests. What would end a test ends the goroutine of run.
type trial struct {
	testing.TB // nil: what is not overridden must not be called

	name string
	dir  string // of all artefacts
	ctx  context.Context
	out  func(line string)

	mu       sync.Mutex
	problems []string
	cleanups []func()
	begun    time.Time
}

// newTrial makes a trial with a folder of its own below dir.
func newTrial(ctx context.Context, name, dir string, out func(string)) (*trial, error) {
	own, err := os.MkdirTemp(dir, name+"-")
	if err != nil {
		return nil, fmt.Errorf("make folder of artefacts: %w", err)
	}
	return &trial{name: name, dir: own, ctx: ctx, out: out, begun: time.Now()}, nil
}

// run calls f to its end, and then what was to be cleaned up, the newest first.
func (t *trial) run(f func()) {
	t.apart(f)
	for {
		t.mu.Lock()
		n := len(t.cleanups)
		if n == 0 {
			t.mu.Unlock()
			return
		}
		last := t.cleanups[n-1]
		t.cleanups = t.cleanups[:n-1]
		t.mu.Unlock()
		t.apart(last)
	}
}

// apart calls f in a goroutine of its own, which FailNow may end.
func (t *trial) apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// Problems are what went wrong, in order.
func (t *trial) Problems() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.problems)
}

// TempDir makes a folder among the artefacts.
func (t *trial) TempDir() string {
	dir, err := os.MkdirTemp(t.dir, "temp-")
	if err != nil {
		t.Fatalf("make folder: %v", err)
	}
	return dir
}

func (t *trial) Scratch() string          { return t.dir }
func (t *trial) Name() string             { return t.name }
func (t *trial) Context() context.Context { return t.ctx }
func (t *trial) Helper()                  {}

func (t *trial) Failed() bool { return len(t.Problems()) > 0 }

func (t *trial) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

// Logf writes a line with the name and the time since the trial began.
func (t *trial) Logf(format string, args ...any) {
	text := strings.ReplaceAll(strings.TrimRight(fmt.Sprintf(format, args...), "\n"), "\n", "\n          ")
	t.out(fmt.Sprintf("%-14s %8.2f  %s", t.name, time.Since(t.begun).Seconds(), text))
}

func (t *trial) Log(args ...any) { t.Logf("%s", fmt.Sprint(args...)) }

func (t *trial) Errorf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.mu.Lock()
	t.problems = append(t.problems, text)
	t.mu.Unlock()
	t.Logf("FAIL: %s", text)
}

func (t *trial) Error(args ...any) { t.Errorf("%s", fmt.Sprint(args...)) }

func (t *trial) FailNow() { runtime.Goexit() }

func (t *trial) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	t.FailNow()
}

func (t *trial) Fatal(args ...any) {
	t.Error(args...)
	t.FailNow()
}
