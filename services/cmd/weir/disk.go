package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"weir/services/internal/bus"
)

// restartable is the embedded server, as its guard sees it.
type restartable interface {
	Healthy() error
	Fails() <-chan struct{}
	Halt()
	Resume() error
}

// reserve is the room that is kept for the worst moment.
type reserve interface {
	Held() int64
	Make(size int64) error
	Free() error
}

// guard keeps the embedded server working on a disk that is full or fails. A
// store that has met either takes nothing any more, whatever becomes of the disk:
// the guard then gives up the reserve, and starts the server again as soon as
// there is room. What was acknowledged is on the disk all the while.
//
// A server that waits for itself cannot be stopped either. Then the guard gives up
// the whole process, which a new one replaces as after a kill.
type guard struct {
	server  restartable
	reserve reserve
	size    int64                 // of the reserve, bytes
	free    func() (int64, error) // bytes on the volume
	replace func() error          // puts a new process in the place of this one; returns only if it cannot
	log     *slog.Logger

	trouble atomic.Pointer[string] // nil: there is none
	seen    atomic.Pointer[sight]  // nil: nobody has looked yet
	room    atomic.Int64           // free bytes, as last seen
	mended  time.Time              // when it was last started again
	wait    time.Duration          // before the next start
}

// sight is what the server last said of its health.
type sight struct {
	at  time.Time
	err error
}

// Times of a guard.
const (
	guardEvery   = time.Second            // between two looks at the server while no append fails
	firstAgain   = 100 * time.Millisecond // between the first start, which is at once, and the second
	longestAgain = 2 * time.Second        // between two when starting does not help
	quietAfter   = 30 * time.Second       // without trouble: the next start is a first one
	silentAfter  = 5 * time.Second        // without an answer: the server does not count as healthy
	deadAfter    = time.Minute            // without an answer: there will be none
)

// needed is how many bytes must be free for a start.
func (g *guard) needed() int64 { return g.size / 2 }

// Run looks at the server, at once when an append has failed, until ctx ends.
func (g *guard) Run(ctx context.Context) error {
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-g.server.Fails():
		}
		var err error
		if !answers(ctx, func() { err = g.server.Healthy() }) {
			return g.giveUp(ctx, "say how it is")
		}
		g.seen.Store(&sight{time.Now(), err})
		room := g.look()
		switch {
		case errors.Is(err, bus.ErrStuck):
			if !g.mend(ctx, err) {
				return g.giveUp(ctx, "stop")
			}
		case err == nil:
			g.rearm(room)
		}
	}
}

// answers reports whether the server comes back from a call. One that does not in
// deadAfter never will, nor will the goroutine that waits for it.
func answers(ctx context.Context, call func()) bool {
	done := make(chan struct{})
	go func() { defer close(done); call() }()
	dead := time.NewTimer(deadAfter)
	defer dead.Stop()
	select {
	case <-done:
		return true
	case <-dead.C:
	case <-ctx.Done():
	}
	return false
}

// giveUp replaces the process, unless it is about to end.
func (g *guard) giveUp(ctx context.Context, what string) error {
	if ctx.Err() != nil {
		return nil
	}
	g.log.Error("the server does not "+what+": starting the process again", "waited", deadAfter)
	return g.replace()
}

// look is how many bytes are free.
func (g *guard) look() int64 {
	room, err := g.free()
	if err != nil {
		room = 0
	}
	g.room.Store(room)
	return room
}

// mend starts the server again, for ever trying. It reports false if the server
// cannot be stopped.
func (g *guard) mend(ctx context.Context, why error) bool {
	began := time.Now()
	g.say("the store is stuck: the server is being restarted")
	g.log.Error("the store takes nothing any more: restarting the server", "free_mb", g.look()>>20, "err", why)
	if full(why) || g.look() < g.needed() {
		g.giveUpReserve()
	}
	if !answers(ctx, g.server.Halt) {
		return false
	}
	if time.Since(g.mended) > quietAfter {
		g.wait = 0
	}
	for said := ""; g.pause(ctx); {
		state := g.resume()
		if state == "" {
			break
		}
		g.say(state)
		if state != said {
			g.log.Warn(state)
			said = state
		}
	}
	if ctx.Err() != nil {
		return true
	}
	g.mended = time.Now()
	g.seen.Store(&sight{at: g.mended})
	g.trouble.Store(nil)
	g.log.Info("the server is back", "after", g.mended.Sub(began).Round(time.Millisecond), "free_mb", g.look()>>20)
	return true
}

// pause waits before a start, each time longer. It reports false when ctx ended.
func (g *guard) pause(ctx context.Context) bool {
	wait := time.NewTimer(g.wait)
	defer wait.Stop()
	g.wait = min(max(2*g.wait, firstAgain), longestAgain)
	select {
	case <-wait.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// resume starts the server if there is room. It says why it could not.
func (g *guard) resume() string {
	if room := g.look(); room < g.needed() {
		g.giveUpReserve()
		if room = g.look(); room < g.needed() {
			return fmt.Sprintf("disk full, waiting for space (%d MB needed, %d MB free)", g.needed()>>20, room>>20)
		}
	}
	if err := g.server.Resume(); err != nil {
		return fmt.Sprintf("the server does not start: %v; trying again", err)
	}
	return ""
}

// giveUpReserve frees the reserve, if there is one.
func (g *guard) giveUpReserve() {
	held := g.reserve.Held()
	if held == 0 {
		return
	}
	if err := g.reserve.Free(); err != nil {
		g.log.Error(err.Error())
		return
	}
	g.log.Warn("the reserve was given up", "mb", held>>20)
}

// rearm makes the reserve again once there is room for it twice.
func (g *guard) rearm(room int64) {
	if g.reserve.Held() > 0 || room < 2*g.size {
		return
	}
	if err := g.reserve.Make(g.size); err != nil {
		g.log.Warn(err.Error())
		return
	}
	g.log.Info("the reserve is there again", "mb", g.size>>20)
}

func (g *guard) say(trouble string) { g.trouble.Store(&trouble) }

// healthy says what is wrong, or nil.
func (g *guard) healthy() error {
	if t := g.trouble.Load(); t != nil {
		return errors.New(*t)
	}
	last := g.seen.Load()
	if last == nil {
		return nil
	}
	if silent := time.Since(last.at); silent > silentAfter {
		return fmt.Errorf("the server has not said how it is for %v; the process is started again after %v", silent.Round(time.Second), deadAfter)
	}
	return last.err
}

// full reports whether an error says that a disk is full. What comes from the
// server is text.
func full(err error) bool {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, full) || strings.Contains(err.Error(), full.Error()) {
			return true
		}
	}
	return false
}
