package forwarder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"weir/pkg/gcra"
	"weir/services/internal/bus"
)

// cycle is the life of one link: from the first answer to the first failure. What
// was not confirmed as applied in it is sent again in the next.
type cycle struct {
	queues [gcra.Lanes]queue
	window window // of backfill
	pause  pause
	stored int // messages

	resting bool // report waits long, since nothing is owed

	ready signal             // for pump: something can be sent, perhaps
	work  [gcra.Lanes]signal // for fetch: something waits, perhaps
	room  [gcra.Lanes]signal // for fetch: its queue has got shorter
	busy  signal             // for report: something is owed again

	fail context.CancelCauseFunc
}

// fetchers is the signal of those who fetch alerts, or backfill.
func (c *cycle) fetchers(alert bool) signal {
	if alert {
		return c.work[gcra.Alert]
	}
	return c.work[gcra.Backfill]
}

// Times of carry, ns.
const (
	probeEvery  = second / 2  // while the link is down and nobody answers
	probeSoon   = second / 10 // while there is none, and just after that
	probeWithin = 4 * second  // for one answer then: several are waited for
	askWithin   = 5 * second  // for one answer while the link is up
	soonAgain   = second / 10 // after a link that was of use
	lateAgain   = 10 * second // after several that were not
	markWithin  = 5 * second
)

// Limits of carry.
const (
	probesAtOnce = 8
	probesSoon   = 10 // that nobody hears, behind a link that has just come: what listens above is still being told
	asksAtOnce   = 4
)

var errSilent = errors.New("the tier above has said nothing for ten seconds")

// carry waits for a link, uses it until it fails, and starts over.
func (s *Service) carry(ctx context.Context) error {
	select {
	case <-s.caught:
	case <-ctx.Done():
		return nil
	}
	for again := int64(soonAgain); s.probe(ctx); again = min(2*again, lateAgain) {
		useful, err := s.use(ctx)
		if err != nil {
			return err
		}
		if useful {
			again = soonAgain
		}
		if !sleep(ctx, int64(jitter()*float64(again)), nil) {
			break
		}
	}
	return nil
}

// probe asks until the tier above answers. It is false when ctx has ended. It does
// not wait for one answer before it asks again: what went into a link that was just
// dying gets none. What does not go anywhere costs nothing and is asked again soon.
func (s *Service) probe(ctx context.Context) bool {
	ctx, cancel := context.WithCancel(ctx)
	var up, soon atomic.Bool
	var unheard atomic.Int64 // questions, since there was no link
	answered := newSignal()
	var g errgroup.Group
	g.SetLimit(probesAtOnce)
	defer g.Wait() // none of them fails
	defer cancel()
	for due := int64(0); !up.Load(); {
		if soon.Swap(false) || s.now() >= due {
			due = s.now() + int64(jitter()*probeEvery)
			g.TryGo(func() error {
				switch err := s.ask(ctx, s.greeting(), probeWithin); {
				case err == nil:
					up.Store(true)
					answered.wake()
				case errors.Is(err, bus.ErrLost):
					unheard.Store(0)
					soon.Store(true)
				case errors.Is(err, bus.ErrNone):
					soon.Store(unheard.Add(1) <= probesSoon)
				}
				return nil
			})
		}
		if !sleep(ctx, int64(jitter()*probeSoon), answered) {
			return false
		}
	}
	return true
}

// greeting is what a probe asks. It asks for no credit: the reports that follow at once
// do, and what the first of two gets the second takes away.
func (s *Service) greeting() question {
	q := s.questions()[0]
	q.report.Backfill = 0
	return q
}

// use sends until the link fails, and reports whether it was of any use: whether
// it has brought something, or has stood for a while.
func (s *Service) use(parent context.Context) (useful bool, err error) {
	ctx, fail := context.WithCancelCause(parent)
	defer fail(nil)
	if err := bus.Await(ctx, s.log, func() error { return s.unmark(ctx) }); err != nil {
		return false, err
	}
	began, c := s.now(), s.begin(fail)
	defer s.end(context.WithoutCancel(parent))
	if err := s.askAll(ctx); err != nil {
		s.log.Debug("link is down again", "err", err)
		return false, nil
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { s.pump(gctx, c); return nil })
	g.Go(func() error { s.report(gctx, c); return nil })
	g.Go(func() error { return s.fetch(gctx, c, gcra.Alert) })
	g.Go(func() error { return s.fetch(gctx, c, gcra.Backfill) })
	err = g.Wait()
	if parent.Err() == nil {
		s.log.Info("link is down", "err", context.Cause(ctx), "stored", c.stored)
	}
	return c.stored > 0 || s.now()-began > lateAgain, err
}

// begin makes everything that is owed backfill, and what comes from now on live.
func (s *Service) begin(fail context.CancelCauseFunc) *cycle {
	c := &cycle{ready: newSignal(), busy: newSignal(), fail: fail}
	for l := range c.work {
		c.work[l], c.room[l] = newSignal(), newSignal()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.core.restart()
	s.cycle = c
	d := s.core.debt()
	s.log.Info("link is up", "entries", d.entries, "bytes", d.bytes)
	return c
}

func (s *Service) end(ctx context.Context) {
	s.mu.Lock()
	s.cycle = nil
	s.mu.Unlock()
	ctx, cancel := within(ctx, markWithin)
	defer cancel()
	s.mark(ctx)
}

// report reports while the link is up, and says when it is not.
func (s *Service) report(ctx context.Context, c *cycle) {
	asked, j := s.now(), jitter()
	for {
		if wait := asked + int64(j*float64(s.interval(c))) - s.now(); wait > 0 {
			if !sleep(ctx, wait, c.busy) {
				return
			}
			continue // it may be due sooner now
		}
		asked, j = s.now(), jitter()
		if err := s.askAll(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("report not answered", "err", err)
		}
		if !s.linkUp() {
			c.fail(errSilent)
			return
		}
	}
}

// interval is the time between two reports as things are.
func (s *Service) interval(c *cycle) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	owed := s.core.debt().entries
	c.resting = owed == 0
	return every(owed, s.core.within)
}

func (s *Service) linkUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link.up(s.now())
}

func (s *Service) questions() []question {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.questions()
}

// askAll makes all reports. It fails where none is answered.
func (s *Service) askAll(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(asksAtOnce)
	var answers atomic.Int64
	for _, q := range s.questions() {
		g.Go(func() error {
			err := s.ask(ctx, q, askWithin)
			if err == nil {
				answers.Add(1)
			}
			return err
		})
	}
	if err := g.Wait(); answers.Load() == 0 {
		return err
	}
	return nil
}

// ask makes one report and takes its answer.
func (s *Service) ask(ctx context.Context, q question, patience int64) error {
	ctx, cancel := within(ctx, patience)
	defer cancel()
	data, err := json.Marshal(q.report)
	if err != nil {
		return fmt.Errorf("report %+v: %w", q.report, err)
	}
	answer, err := s.up.Ask(ctx, s.cfg.link(q.report.Producer), data)
	if err != nil {
		return err
	}
	return s.take(q, answer)
}
