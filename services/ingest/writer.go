package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// busyFor is how long after its last record an agent still ticks often, so that
// the windows of what came last close in time.
const busyFor = 5 * time.Second

// At 90 % of its share an agent takes no more; below 85 % it does again.
const (
	fullAbove = 0.90
	fullUntil = 0.85
)

// stuckAfter is how long the journal may take nothing before it counts as full.
const stuckAfter = 2 * time.Second

// How long to wait before an append that did not succeed is tried again.
const (
	retryFirst = 20 * time.Millisecond
	retryMost  = time.Second
)

// writer puts an agent's batches into the journal, one frame in flight. One
// goroutine uses it.
type writer struct {
	*agent
	log     Log
	used    func() int64
	subject string
	logger  *slog.Logger

	n       uint64    // number of the last frame
	arrived uint64    // records that arrived in all frames up to n
	numbers uint64    // records with numbers in them
	after   uint64    // sequence of the last frame on the subject; 0: none
	ticked  time.Time // when the last tick was written
	wrote   bool      // a frame was written in this run
	encoder schemas.FrameEncoder
	buf     []byte
	size    int64 // bytes in the journal, as far as known
}

// resume finds out where the journal ends.
func (w *writer) resume(ctx context.Context, now time.Time) error {
	seq, data, err := w.log.Last(ctx, w.subject)
	if errors.Is(err, bus.ErrNone) {
		w.clock = resumeClock(schemas.Tick{}, now)
		return nil
	}
	if err != nil {
		return fmt.Errorf("resume journal of agent %s: %w", w.name, err)
	}
	var f schemas.Frame
	if err := new(schemas.FrameDecoder).Decode(data, &f); err != nil {
		return fmt.Errorf("resume journal of agent %s at sequence %d: %w", w.name, seq, err)
	}
	w.n, w.arrived, w.numbers, w.after = f.N, f.ArrivedBefore+f.Arrived(), f.NumberedBefore+f.Numbered(), seq
	w.clock = resumeClock(f.Tick, now) // every frame has the time
	return nil
}

// run writes frames until the agent is closed and nothing is left, or an append
// cannot succeed any more. ctx ends retries.
func (w *writer) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		b, at, done := w.next(time.Now())
		if b != nil {
			if err := w.write(ctx, b); err != nil {
				return err
			}
			w.finish(b)
			continue
		}
		if done {
			return w.farewell(ctx)
		}
		timer.Reset(time.Until(at))
		select {
		case <-w.wake:
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// next is the batch to write now; without one, when to look again at the
// latest, or that there will be none.
func (w *writer) next(now time.Time) (b *batch, at time.Time, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) > 0 {
		b = w.queue[0]
		w.queue = slices.Delete(w.queue, 0, 1)
		w.restrain()
		return b, at, false
	}
	at = w.open.cutAt(w.cfg.Prompt, w.cfg.Patient)
	if at.IsZero() {
		if w.closed {
			return nil, at, true
		}
		at = w.tickAt(now)
	}
	if now.Before(at) && !w.closed {
		return nil, at, false
	}
	b, w.open = w.open, w.fresh()
	return b, at, false
}

// tickAt is when the next tick is due.
func (w *writer) tickAt(now time.Time) time.Time {
	if now.Sub(w.last) < busyFor {
		return w.ticked.Add(w.cfg.TickEvery)
	}
	return w.ticked.Add(w.cfg.IdleTickEvery)
}

// write makes a frame of the batch and returns when it is in the journal.
func (w *writer) write(ctx context.Context, b *batch) error {
	now := time.Now()
	f := b.builder.Frame()
	f.Agent, f.N, f.ArrivedBefore, f.NumberedBefore, f.Resumed = w.name, w.n+1, w.arrived, w.numbers, !w.wrote
	f.Tick = w.clock.tick(now)
	f.HasTick = now.Sub(w.ticked) >= w.cfg.TickEvery
	if f.HasTick {
		w.ticked = now
	}
	w.buf = w.encoder.Append(w.buf[:0], f)
	if err := w.append(ctx, w.buf); err != nil {
		return fmt.Errorf("journal frame %d of agent %s with %d records: %w", f.N, w.name, f.Records(), err)
	}
	w.n, w.arrived, w.numbers, w.wrote = f.N, w.arrived+f.Arrived(), w.numbers+f.Numbered(), true
	w.account(f, len(w.buf))
	return nil
}

// farewell writes a last tick, so that the next run knows the time of this one.
func (w *writer) farewell(ctx context.Context) error {
	if !w.wrote {
		return nil
	}
	w.ticked = time.Time{}
	return w.write(ctx, &batch{})
}

// append stores data behind the last frame. It tries again until the frame is
// stored or cannot be. A journal that has taken nothing for a while is as good as
// full: what nobody waits for is shed then, and counted in the next frame.
func (w *writer) append(ctx context.Context, data []byte) error {
	began := time.Now()
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		seq, err := w.log.Append(ctx, w.subject, data, w.after)
		if err == nil {
			w.after = seq
			return nil
		}
		if errors.Is(err, bus.ErrFull) {
			w.setFull(true)
		} else if stored, fatal := w.settle(ctx, data, err); stored || fatal != nil {
			return fatal
		}
		if time.Since(began) > stuckAfter {
			w.setFull(true)
		}
		w.logger.Warn("journal did not take a frame: trying again", "agent", w.name, "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// ErrFenced says that something else writes the journal of an agent.
var ErrFenced = errors.New("another writer was there: run one ingest per data folder")

// settle finds out what became of an append that failed or whose outcome is
// unknown: the last frame tells.
func (w *writer) settle(ctx context.Context, data []byte, cause error) (stored bool, fatal error) {
	seq, last, err := w.log.Last(ctx, w.subject)
	switch {
	case errors.Is(err, bus.ErrNone) && w.after == 0:
		return false, nil
	case errors.Is(err, bus.ErrNone):
		return false, fmt.Errorf("%w; and the journal of the agent is gone", cause)
	case err != nil:
		return false, nil // try again: nothing is known yet
	case bytes.Equal(last, data):
		w.after = seq
		return true, nil
	case seq != w.after:
		return false, fmt.Errorf("%w (%w)", ErrFenced, cause)
	}
	return false, nil
}

// account counts a frame and judges how full the journal is.
func (w *writer) account(f *schemas.Frame, size int) {
	w.size += int64(size)
	if f.HasTick && w.used != nil {
		w.size = w.used()
	}
	w.mu.Lock()
	w.status.N = f.N
	w.status.Frames++
	w.status.Bytes += uint64(size)
	w.status.Journaled += uint64(f.Records())
	isFull := w.full
	w.mu.Unlock()
	if w.cfg.JournalShare == 0 {
		w.setFull(false)
		return
	}
	level := float64(w.size) / float64(w.cfg.JournalShare)
	w.setFull(level >= fullAbove || isFull && level >= fullUntil)
}

// finish gives the answers that a written batch owes and keeps its memory.
func (w *writer) finish(b *batch) {
	for i := range b.due {
		b.due[i].to.answer(&b.due[i])
	}
	b.reset()
	w.mu.Lock()
	w.spare = append(w.spare, b)
	w.mu.Unlock()
}
