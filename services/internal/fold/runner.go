package fold

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"weir/schemas"
	"weir/services/internal/bus"
)

// Reader is the part of the bus that a runner reads with.
type Reader interface {
	Read(ctx context.Context, stream string, from uint64, stopAtEnd bool, handle func(bus.Message) error, subjects ...string) error
}

// Config of a runner.
type Config struct {
	Input  string // stream to read
	Output string // stream that holds the stages' outboxes
	// Subjects narrow what is read of the input; none means all of it.
	Subjects []string
	// Route names the producers whose stages take a message; nil: nobody.
	Route func(subject string) []string
	// Make makes the stage of a producer when it is first named. Making it on
	// sight is sound because whatever it must see is still in the input.
	Make func(producer string) *Stage
	// Opened is told when a stage has restored its state, before it gets its first
	// message; it may be nil.
	Opened func(s *Stage)
	// Seen is told of each message before it is queued; it may be nil.
	Seen func(s *Stage, m Message)
	// Committed is told of the results of each commit once it is written, in the
	// stage's goroutine. A commit that is made again is not told, so a death right
	// behind the writing means that it never is. It may be nil.
	Committed func(s *Stage, r *Results)
	// Above asks the tier above what it knows of a producer; nil: nothing there can be
	// newer than what is here.
	Above func(ctx context.Context, producer string, e schemas.Epoch) (Above, error)
}

// Runner reads a stream once and dispatches its messages to stages.
type Runner struct {
	cfg Config
	in  Reader
	log *slog.Logger

	mu     sync.Mutex
	stages map[string]*Stage
	order  []*Stage
	group  *errgroup.Group
	pad    pad // of all stages

	position atomic.Uint64 // newest sequence read
	pending  atomic.Uint64 // messages that were behind it
}

// NewRunner makes a runner; Run starts it.
func NewRunner(cfg Config, in Reader, log *slog.Logger) *Runner {
	return &Runner{cfg: cfg, in: in, log: log, stages: map[string]*Stage{}, pad: newPad()}
}

// Run opens the given producers' stages, reads until ctx ends, and joins the
// stages, which write a last checkpoint.
func (r *Runner) Run(ctx context.Context, producers ...string) error {
	group, gctx := errgroup.WithContext(ctx)
	r.group = group
	err := r.read(gctx, producers)
	r.mu.Lock()
	for _, s := range r.order {
		close(s.stop)
	}
	r.mu.Unlock()
	if gerr := group.Wait(); gerr != nil {
		return gerr // the first cause: it ended the reader
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (r *Runner) read(ctx context.Context, producers []string) error {
	for _, p := range producers {
		if _, err := r.open(ctx, p); err != nil {
			return err
		}
	}
	stages := r.Stages()
	if err := r.existing(ctx, stages...); err != nil {
		return err
	}
	for _, s := range stages {
		r.start(ctx, s)
	}
	return r.in.Read(ctx, r.cfg.Input, 0, false, func(m bus.Message) error { return r.dispatch(ctx, m) }, r.cfg.Subjects...)
}

func (r *Runner) open(ctx context.Context, producer string) (*Stage, error) {
	s := r.cfg.Make(producer)
	s.input, s.output, s.committed, s.above = r.cfg.Input, r.cfg.Output, r.cfg.Committed, r.cfg.Above
	s.state.pad = r.pad
	s.foldedFirst = func(ctx context.Context) (map[schemas.Epoch]uint64, error) { return r.foldedFirst(ctx, producer) }
	if err := s.Open(ctx); err != nil {
		return nil, err
	}
	if r.cfg.Opened != nil {
		r.cfg.Opened(s)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stages[producer] = s
	r.order = append(r.order, s)
	return s, nil
}

// foldedFirst is the first number of each epoch among the entries of an agent that have
// been folded.
func (r *Runner) foldedFirst(ctx context.Context, producer string) (map[schemas.Epoch]uint64, error) {
	first := map[schemas.Epoch]uint64{}
	var d schemas.CommitDecoder
	err := r.readAll(ctx, 1, func(m bus.Message) error {
		c, err := d.Decode(m.Data, 0)
		if err != nil {
			return fmt.Errorf("folded entry of %s at %d: %w", producer, m.Seq, err)
		}
		if n := first[c.Epoch]; n == 0 || c.First() < n {
			first[c.Epoch] = c.First()
		}
		return nil
	}, schemas.AgentOutbox(producer, schemas.KindFolded))
	return first, err
}

// readAll reads what the output holds, and goes on where it was when the server that
// did not answer is back.
func (r *Runner) readAll(ctx context.Context, from uint64, handle func(bus.Message) error, subjects ...string) error {
	return bus.Await(ctx, r.log, func() error {
		return r.in.Read(ctx, r.cfg.Output, from, true, func(m bus.Message) error {
			err := handle(m)
			if err == nil {
				from = m.Seq + 1
			}
			return err
		}, subjects...)
	})
}

// existing tells stages which commits are there already and will be made again.
// It reads the output once for all of them.
func (r *Runner) existing(ctx context.Context, stages ...*Stage) error {
	again := map[string]*Stage{}
	from := uint64(math.MaxUint64)
	for _, s := range stages {
		if s.out.durable > s.pos.n {
			again[s.Outbox] = s
			from = min(from, s.out.from)
		}
	}
	if len(again) == 0 {
		return nil
	}
	var subjects []string // all: one filter of many subjects costs the server more
	if len(stages) == 1 {
		subjects = []string{stages[0].Outbox}
	}
	var d schemas.CommitDecoder
	return r.readAll(ctx, from, func(m bus.Message) error {
		s := again[m.Subject]
		if s == nil {
			return nil
		}
		c, err := d.Decode(m.Data, 0)
		if err != nil {
			return fmt.Errorf("commit of %s at %d: %w", s.Producer, m.Seq, err)
		}
		s.existing(c, m.Seq)
		return nil
	}, subjects...)
}

func (r *Runner) start(ctx context.Context, s *Stage) {
	if e := s.pos.epoch; s.unheard {
		r.group.Go(func() error { s.hear(ctx, e); return nil })
	}
	r.group.Go(func() error { return s.run(ctx) })
}

func (r *Runner) dispatch(ctx context.Context, m bus.Message) error {
	msg := Message{Subject: m.Subject, Seq: m.Seq, Data: m.Data}
	for _, p := range r.cfg.Route(m.Subject) {
		s, err := r.onSight(ctx, p)
		if err != nil {
			return err
		}
		if r.cfg.Seen != nil {
			r.cfg.Seen(s, msg)
		}
		if err := s.Offer(ctx, msg); err != nil {
			return err // reading on would hand the stage a later message without this one
		}
	}
	r.position.Store(m.Seq)
	r.pending.Store(m.Pending)
	return nil
}

// onSight is a producer's stage, made and started if it is the first time that
// the producer is named.
func (r *Runner) onSight(ctx context.Context, producer string) (*Stage, error) {
	if s := r.stage(producer); s != nil {
		return s, nil
	}
	s, err := r.open(ctx, producer)
	if err != nil {
		return nil, err
	}
	if err := r.existing(ctx, s); err != nil {
		return nil, err
	}
	r.start(ctx, s)
	return s, nil
}

func (r *Runner) stage(producer string) *Stage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stages[producer]
}

// Stages are the stages in the order in which they were made.
func (r *Runner) Stages() []*Stage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*Stage(nil), r.order...)
}

// Position is the newest input sequence read, and how many messages were
// behind it at that moment.
func (r *Runner) Position() (seq, pending uint64) {
	return r.position.Load(), r.pending.Load()
}
