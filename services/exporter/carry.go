package exporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"weir/pkg/breaker"
	"weir/schemas"
	"weir/services/internal/bus"
)

// Times of a carrier.
const (
	saveEvery  = 30 * time.Second // between two states
	reopen     = 10 * time.Second // a batch that took longer: the outbox is read anew
	lifePause  = 2 * time.Second  // before it begins anew after an error
	lastWords  = 5 * time.Second  // for the record at the end
	sayAgain   = time.Minute      // between two lines about the same trouble
	tooSplit   = 64               // requests at most for one that was refused
	breakPause = 5 * time.Second
	breakMost  = time.Minute
)

// carrier brings the windows of one outbox to one receiver.
type carrier struct {
	cfg    schemas.Exporter
	tier   schemas.Tier
	stream string
	choice choice
	setup  string
	store  store
	keep   *keeper
	send   sender
	log    *slog.Logger
	clock  clock

	// Of the goroutine in run.
	rec     record
	core    *core
	batch   batch
	tries   int // that failed in a row
	savedAt time.Time
	said    string // the trouble that was logged last
	saidAt  time.Time
	brk     *breaker.Breaker

	mu     sync.Mutex
	status schemas.ExportStatus
	behind time.Time // wall clock of the commit that waits; zero: none does
}

// run carries until ctx ends.
func (c *carrier) run(ctx context.Context) {
	defer c.send.close()
	for ctx.Err() == nil {
		err := c.life(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !errors.Is(err, errReopen) {
			c.tell("exporter stopped, it begins anew", err.Error())
			c.set(func(s *schemas.ExportStatus) { s.Trouble = err.Error() })
			sleep(ctx, lifePause)
		}
	}
}

// errReopen ends a reading that has been held up for long.
var errReopen = errors.New("read on anew")

// life loads what is kept and reads the outbox until something fails.
func (c *carrier) life(ctx context.Context) (err error) {
	if err := c.load(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.leave(ctx)) }()
	for {
		err := c.store.Read(ctx, c.stream, c.core.pos+1, false, func(m bus.Message) error { return c.take(ctx, m) })
		if !errors.Is(err, errReopen) {
			return err
		}
	}
}

// load begins where the record says.
func (c *carrier) load(ctx context.Context) error {
	rec, known, err := c.keep.load(ctx)
	if err != nil {
		return err
	}
	u, err := c.store.Usage(ctx, c.stream, "")
	if err != nil {
		return err
	}
	if !known {
		rec = record{Sent: u.LastSeq}
	}
	if rec.Sent > u.LastSeq { // another outbox
		rec.Sent, rec.Begun, rec.State = 0, 0, nil
	}
	state, err := c.keep.restore(ctx, rec.State)
	if err != nil {
		return err
	}
	c.begin(rec, state)
	c.savedAt = time.Now()
	if rec.State == nil || c.rec.State == nil {
		return c.keep.save(ctx, &c.rec, c.core.pos, c.core.append(nil))
	}
	return c.keep.write(ctx, &c.rec) // it is ours now
}

// begin restores the core, or begins anew where its state is lost or was made for
// something else.
func (c *carrier) begin(rec record, state []byte) {
	c.core = newCore(c.choice, rec.Sent)
	if state != nil && rec.Setup == c.setup {
		if err := c.core.restore(state); err != nil {
			c.tell("state of the exporter cannot be read: sums begin anew", err.Error())
			state = nil
		}
	}
	if state == nil || rec.Setup != c.setup {
		if rec.State != nil && rec.Setup == c.setup {
			rec.Resets++
		}
		c.core = newCore(c.choice, rec.Sent)
		c.core.ledger, rec.State, rec.Begun = rec.Ledger, nil, 0
	}
	c.core.sent, c.core.resets = rec.Sent, rec.Resets
	rec.Setup, rec.Resting = c.setup, false
	c.rec = rec
	c.batch.empty()
}

// take applies a message, and sends what is due.
func (c *carrier) take(ctx context.Context, m bus.Message) error {
	if err := c.core.apply(&c.batch, m.Subject, m.Seq, m.Data); err != nil {
		c.tell("what cannot be exported is counted", err.Error())
	}
	if m.Seq <= c.rec.Sent {
		c.batch.empty()
		return nil
	}
	c.batch.note(m.Seq)
	if !c.batch.due(m.Pending, c.rec.Begun) {
		return nil
	}
	began := time.Now()
	if err := c.flush(ctx, m.Pending == 0); err != nil {
		return err
	}
	if time.Since(began) > reopen {
		return errReopen
	}
	return nil
}

// flush sends the batch and keeps that it is sent.
func (c *carrier) flush(ctx context.Context, last bool) error {
	defer c.show()
	if len(c.batch.points)+len(c.batch.findings)+len(c.batch.logs) > 0 {
		if err := c.deliver(ctx); err != nil {
			return err
		}
	}
	c.rec.Sent, c.core.sent, c.rec.Begun = c.batch.last, c.batch.last, 0
	c.rec.Ledger, c.rec.Resets = c.core.ledger, c.core.resets
	sent := len(c.batch.points)+len(c.batch.logs) > 0
	c.batch.empty()
	switch {
	case time.Since(c.savedAt) > saveEvery:
		return c.saveState(ctx)
	case last && sent:
		return c.keep.write(ctx, &c.rec)
	}
	return nil
}

func (c *carrier) saveState(ctx context.Context) error {
	c.savedAt = time.Now()
	return c.keep.save(ctx, &c.rec, c.core.pos, c.core.append(nil))
}

// deliver notes what is about to be sent, and sends it.
func (c *carrier) deliver(ctx context.Context) error {
	c.wait(time.Unix(0, c.core.wall))
	if c.rec.Begun == c.batch.last {
		c.rec.Repeated += uint64(len(c.batch.points))
		c.rec.LogsRepeated += uint64(len(c.batch.findings) + len(c.batch.logs))
	} else {
		c.rec.Begun = c.batch.last
		if err := c.keep.write(ctx, &c.rec); err != nil {
			return err
		}
	}
	points := cargo[point]{"points", c.send.points, &c.rec.Points, &c.rec.Rejected, &c.rec.Repeated}
	for _, some := range c.batch.requests() {
		if err := push(ctx, c, &points, some); err != nil {
			return err
		}
	}
	findings := cargo[schemas.Finding]{"findings", func(f []schemas.Finding) try { return c.send.logs(findingLogs(f)) }, &c.rec.Logs, &c.rec.LogsRejected, &c.rec.LogsRepeated}
	if err := push(ctx, c, &findings, c.batch.findings); err != nil {
		return err
	}
	logs := cargo[passedLog]{"log records", func(l []passedLog) try { return c.send.logs(passedLogs(l)) }, &c.rec.Logs, &c.rec.LogsRejected, &c.rec.LogsRepeated}
	for _, some := range c.batch.logRequests() {
		if err := push(ctx, c, &logs, some); err != nil {
			return err
		}
	}
	c.wait(time.Time{})
	return nil
}

// cargo is a kind of things that are sent, and what became of them.
type cargo[T any] struct {
	what                         string
	send                         func([]T) try
	accepted, rejected, repeated *uint64
}

// push sends things of a kind until the receiver has taken them, or refused them one by one.
func push[T any](ctx context.Context, c *carrier, of *cargo[T], items []T) error {
	if len(items) == 0 {
		return nil
	}
	budget := tooSplit
	return pushSome(ctx, c, of, items, &budget)
}

// pushSome does so with a budget of requests, beyond which nothing is told apart.
func pushSome[T any](ctx context.Context, c *carrier, of *cargo[T], items []T, budget *int) error {
	n := uint64(len(items))
	a, err := c.insist(ctx, of.send(items), func() { *of.repeated += n })
	if err != nil {
		return err
	}
	*budget--
	switch {
	case a.verdict == accepted:
		rejected := min(a.rejected, n)
		*of.accepted += n - rejected
		*of.rejected += rejected
		if rejected > 0 {
			c.tell("the receiver has rejected "+of.what, a.why)
		}
	case n > 1 && (*budget > 0 || a.verdict == tooLarge):
		left, right := split(items)
		if err := pushSome(ctx, c, of, left, budget); err != nil {
			return err
		}
		return pushSome(ctx, c, of, right, budget)
	case a.verdict == tooLarge: // nothing is: the receiver has no room, and does not say until when
		c.tell("the receiver has no room: what there is is kept and sent again", a.why)
		if !c.clock.sleep(ctx, time.Duration(waitFor(tooSplit, 0, rand.Float64()))) {
			return ctx.Err()
		}
		return pushSome(ctx, c, of, items, budget)
	default:
		*of.rejected += n
		c.tell("the receiver refuses "+of.what, a.why)
	}
	return nil
}

// insist tries until the receiver says something that stands. unsure is called for each try of
// which nobody knows whether the receiver has stored it.
func (c *carrier) insist(ctx context.Context, send try, unsure func()) (answer, error) {
	for {
		p, err := c.permit(ctx)
		if err != nil {
			return answer{}, err
		}
		a := c.once(ctx, send)
		if ctx.Err() != nil && a.verdict == again {
			c.brk.Done(c.clock.now(), p, breaker.Ignored)
			return a, ctx.Err()
		}
		c.judged(p, a)
		if a.verdict != again {
			return a, nil
		}
		if a.unsure {
			unsure()
		}
		if !c.clock.sleep(ctx, time.Duration(waitFor(c.tries, a.wait, rand.Float64()))) {
			return a, ctx.Err()
		}
	}
}

// grace is how long a request that is on its way may go on when the exporter ends.
const grace = 2 * time.Second

// once sends a request.
func (c *carrier) once(ctx context.Context, send try) answer {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Duration(c.cfg.Timeout))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if !sleep(bounded, grace) {
			return
		}
		cancel()
	})()
	return send(bounded)
}

// permit waits until the breaker lets a request go.
func (c *carrier) permit(ctx context.Context) (breaker.Permit, error) {
	for {
		p, ok, wait := c.brk.Acquire(c.clock.now())
		c.set(func(s *schemas.ExportStatus) { s.Breaker = c.brk.State(c.clock.now()).String() })
		if ok {
			return p, nil
		}
		if !c.clock.sleep(ctx, time.Duration(wait)) {
			return p, ctx.Err()
		}
	}
}

// judged tells the breaker, people and metrics how a try ended.
func (c *carrier) judged(p breaker.Permit, a answer) {
	o := breaker.Success
	if c.tries = 0; a.verdict == again {
		o = breaker.Failure
		c.tries++
		c.tell("the receiver does not take what there is: it is kept and sent again", a.why)
	}
	c.brk.Done(c.clock.now(), p, o)
	c.set(func(s *schemas.ExportStatus) {
		s.Requests++
		s.Breaker = c.brk.State(c.clock.now()).String()
		if s.Trouble = ""; a.verdict != accepted {
			s.Failed++
			s.Trouble = a.why
		}
	})
}

// leave keeps where the carrier was.
func (c *carrier) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	if c.core.pos == c.rec.Sent {
		return c.saveState(ctx)
	}
	return c.keep.write(ctx, &c.rec)
}

// tell logs trouble, but not the same again and again.
func (c *carrier) tell(what, why string) {
	if why == c.said && time.Since(c.saidAt) < sayAgain {
		return
	}
	c.said, c.saidAt = why, time.Now()
	c.log.Warn(what, "why", why)
}

func (c *carrier) set(f func(*schemas.ExportStatus)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.status)
}

// wait notes since when something waits; zero: nothing does.
func (c *carrier) wait(since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.behind = since
}

// show puts the numbers where stat finds them.
func (c *carrier) show() {
	open, series := c.core.open(), len(c.core.sums.totals)
	l := c.core.ledger
	c.set(func(s *schemas.ExportStatus) {
		s.Open, s.Series = open, series
		s.Points, s.Rejected, s.Repeated, s.Resets = c.rec.Points, c.rec.Rejected, c.rec.Repeated, c.rec.Resets
		s.Logs, s.LogsRejected, s.LogsRepeated = c.rec.Logs, c.rec.LogsRejected, c.rec.LogsRepeated
		s.LogsShed = l.LogsShed
		s.Shown, s.Unreadable, s.Overlapping, s.Shed, s.Off = l.Shown, l.Unreadable, l.Overlapping, l.Shed, l.Off
	})
}

// stat is how the exporter stands.
func (c *carrier) stat() schemas.ExportStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.status
	s.Name, s.Tier, s.Kind = c.cfg.Name, c.tier, c.cfg.Kind
	if !c.behind.IsZero() {
		s.Lag = max(0, time.Since(c.behind).Seconds())
	}
	return s
}

func newBreaker(timeout time.Duration) *breaker.Breaker {
	b := breaker.Default()
	b.Pause, b.MaxPause, b.Consecutive = int64(breakPause), int64(breakMost), 5
	b.Lease, b.Seed = int64(timeout+grace+time.Second), rand.Uint64()
	k, err := breaker.New(b)
	if err != nil {
		panic(fmt.Sprintf("BUG: breaker of an exporter: %v", err))
	}
	return k
}

// clock is the time that waits and breakers go by.
type clock struct {
	now   func() int64 // ns, never goes back
	sleep func(ctx context.Context, d time.Duration) bool
}

// realClock begins now.
func realClock() clock {
	began := time.Now()
	return clock{now: func() int64 { return int64(time.Since(began)) }, sleep: sleep}
}

// sleep reports whether d has passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
