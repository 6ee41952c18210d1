package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/services/internal/bus"
)

// lock is a mutex that fake time knows.
type lock chan struct{}

func (l lock) take()    { l <- struct{}{} }
func (l lock) release() { <-l }

// fakeDisk is a disk and a server on it, in bytes.
type fakeDisk struct {
	room    atomic.Int64 // free without the reserve
	held    atomic.Int64 // by the reserve
	broken  atomic.Pointer[string]
	fails   chan struct{}
	down    atomic.Bool
	voice   lock // held by who is asked how it is
	life    lock // held by who ends it
	resumes atomic.Int64
	noStart atomic.Bool
}

func (d *fakeDisk) Healthy() error {
	d.voice.take()
	defer d.voice.release()
	if d.down.Load() {
		return bus.ErrHalted
	}
	if why := d.broken.Load(); why != nil {
		return fmt.Errorf("%w: %s", bus.ErrStuck, *why)
	}
	return nil
}

func (d *fakeDisk) Fails() <-chan struct{} { return d.fails }

func (d *fakeDisk) Halt() {
	d.life.take()
	defer d.life.release()
	d.down.Store(true)
}

func (d *fakeDisk) Resume() error {
	if d.noStart.Load() {
		return errors.New("input/output error")
	}
	d.resumes.Add(1)
	d.broken.Store(nil)
	d.down.Store(false)
	return nil
}

func (d *fakeDisk) fill() {
	d.room.Store(0)
	full := "write /x/1.blk: no space left on device"
	d.broken.Store(&full)
	d.fails <- struct{}{} // as somebody always writes
}

func (d *fakeDisk) Held() int64 { return d.held.Load() }

func (d *fakeDisk) Make(size int64) error {
	d.room.Add(-size)
	d.held.Store(size)
	return nil
}

func (d *fakeDisk) Free() error {
	d.room.Add(d.held.Swap(0))
	return nil
}

const fakeReserve = 16 << 20

func newFakeDisk() (*fakeDisk, *guard) {
	d := &fakeDisk{voice: make(lock, 1), life: make(lock, 1), fails: make(chan struct{}, 2)}
	d.room.Store(1 << 30)
	d.held.Store(fakeReserve)
	return d, &guard{
		server: d, reserve: d, size: fakeReserve, log: slog.New(slog.DiscardHandler),
		free:    func() (int64, error) { return d.room.Load(), nil },
		replace: func() error { return errReplaced },
	}
}

// errReplaced stands for the end of a process that another takes the place of.
var errReplaced = errors.New("replaced")

// TestGuard: a full disk costs the reserve once; the second time the guard waits
// for room, says so, and comes back by itself. The reserve comes back with the
// room.
func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := newFakeDisk()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- g.Run(ctx) }()
		expect := func(what string, within time.Duration, so func() bool) {
			t.Helper()
			for began := time.Now(); !so(); time.Sleep(10 * time.Millisecond) {
				if time.Since(began) > within {
					t.Fatalf("%s: not within %v; trouble %v", what, within, g.healthy())
				}
			}
		}
		well := func() bool { return d.Healthy() == nil && g.healthy() == nil }
		time.Sleep(time.Minute)
		if d.resumes.Load() != 0 || d.Held() == 0 {
			t.Fatal("a healthy server was touched")
		}

		d.fill()
		expect("a start with the reserve's room", time.Second, func() bool { return well() && d.Held() == 0 && d.resumes.Load() == 1 })

		d.fill()
		expect("it waits", time.Second, func() bool {
			err := g.healthy()
			return err != nil && strings.Contains(err.Error(), "disk full, waiting for space (8 MB needed")
		})
		time.Sleep(time.Hour)
		if d.resumes.Load() != 1 || !d.down.Load() {
			t.Error("it was started without room")
		}
		d.room.Store(100 << 20)
		expect("a start when there is room", 3*time.Second, func() bool { return well() && d.resumes.Load() == 2 })
		expect("the reserve again", time.Second, func() bool { return d.Held() == fakeReserve })

		failing := "write /x/1.blk: input/output error"
		d.noStart.Store(true)
		d.broken.Store(&failing)
		expect("it says that it does not start", 5*time.Second, func() bool {
			err := g.healthy()
			return err != nil && strings.Contains(err.Error(), "does not start: input/output error")
		})
		if d.Held() == 0 {
			t.Error("the reserve was given up for a disk that is not full")
		}
		time.Sleep(time.Hour)
		d.noStart.Store(false)
		expect("a start when the disk works", 3*time.Second, well)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestGuardEndsWhileItWaits: a process whose disk is full can be stopped.
func TestGuardEndsWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := newFakeDisk()
		d.held.Store(0)
		d.fill()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
		if d.resumes.Load() != 0 {
			t.Error("it was started without room")
		}
	})
}

// TestGuardGivesUpTheProcess: a server that waits for itself is not waited for.
func TestGuardGivesUpTheProcess(t *testing.T) {
	for name, lockOf := range map[string]func(*fakeDisk) lock{
		"silent":   func(d *fakeDisk) lock { return d.voice },
		"unending": func(d *fakeDisk) lock { d.fill(); return d.life },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, g := newFakeDisk()
				locked := lockOf(d)
				locked.take()
				defer locked.release()
				ended := make(chan error, 1)
				began := time.Now()
				go func() { ended <- g.Run(t.Context()) }()
				time.Sleep(silentAfter + time.Second)
				synctest.Wait()
				if name == "unending" && g.healthy() == nil {
					t.Error("a server that is being stopped counts as healthy")
				}
				if err := <-ended; !errors.Is(err, errReplaced) {
					t.Errorf("the guard ended with %v", err)
				}
				if took := time.Since(began); took < deadAfter || took > deadAfter+guardEvery {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestGuardSaysThatTheServerIsSilent: readiness does not wait for a server that
// does not answer.
func TestGuardSaysThatTheServerIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := newFakeDisk()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- g.Run(ctx) }()
		time.Sleep(3 * guardEvery / 2) // it has been asked once
		d.voice.take()
		time.Sleep(silentAfter + time.Second)
		if err := g.healthy(); err == nil || !strings.Contains(err.Error(), "has not said how it is for") {
			t.Errorf("it says %v", err)
		}
		d.voice.release()
		time.Sleep(2 * time.Second)
		if err := g.healthy(); err != nil {
			t.Errorf("it says %v of a server that answers again", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestGuardIsPatient: where starting does not help, the starts become rare.
func TestGuardIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := newFakeDisk()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var breaking sync.WaitGroup
		breaking.Go(func() {
			for ctx.Err() == nil {
				why := "write /x/1.blk: input/output error"
				d.broken.Store(&why)
				time.Sleep(100 * time.Millisecond)
			}
		})
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
		breaking.Wait()
		if n := d.resumes.Load(); n < 100 || n > 350 {
			t.Errorf("%d starts in ten minutes", n)
		}
	})
}
