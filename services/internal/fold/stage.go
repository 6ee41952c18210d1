package fold

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// Log is the part of the bus that stages write with.
type Log interface {
	Append(ctx context.Context, subject string, data []byte, after uint64) (uint64, error)
	Last(ctx context.Context, subject string) (uint64, []byte, error)
	Store(ctx context.Context, subject string, data []byte) (uint64, error)
	Get(ctx context.Context, stream string, seq uint64) (bus.Message, error)
	Purge(ctx context.Context, subject string, below uint64) error
}

// Stage is one fold with its own outbox subject. Make it with NewStage.
type Stage struct {
	Producer string
	Core     Core
	Outbox   string // subject of its commits
	log      Log
	slog     *slog.Logger

	pos     position
	outSeq  uint64 // sequence of the newest entry in the outbox: the fence
	durable uint64 // newest entry number that the outbox held at start: made again, not written
	remade  map[uint64]summary

	enc        schemas.CommitEncoder
	buf        []byte
	state      stateLog
	lastSave   time.Time
	savedAt    atomic.Uint64 // input sequence of the older of the two newest checkpoints
	committed  atomic.Uint64 // input sequence of the newest commit
	runFirst   atomic.Uint64 // outbox sequence of the first entry of the newest commit
	mismatches atomic.Uint64

	queue chan work
	stop  chan struct{} // closed when no more messages come
	start uint64 // input sequence that the restored state includes
}

// work is a message to apply or a question to answer between two messages.
type work struct {
	msg Message
	ask func()
}

// summary is what is remembered of an existing commit for comparing.
type summary struct {
	digest  uint64
	windows int
	end     bool
}

// queueLen bounds the messages that wait for a stage.
const queueLen = 64

// saveEvery is the time between two checkpoints.
const saveEvery = 30 * time.Second

// NewStage makes a stage. Open must follow.
func NewStage(producer string, core Core, outbox string, log Log, sl *slog.Logger) *Stage {
	return &Stage{
		Producer: producer, Core: core, Outbox: outbox, log: log, slog: sl.With("stage", producer),
		state: stateLog{log: log, subject: schemas.State(producer), producer: producer},
		queue: make(chan work, queueLen), stop: make(chan struct{}),
	}
}

// Open restores the newest whole checkpoint that the outbox agrees with and
// notes which commits already exist.
func (s *Stage) Open(ctx context.Context) error {
	seq, data, err := s.log.Last(ctx, s.Outbox)
	switch {
	case errors.Is(err, bus.ErrNone):
	case err != nil:
		return err
	default:
		var d schemas.CommitDecoder
		c, err := d.Decode(data, 0)
		if err != nil {
			return fmt.Errorf("newest commit of %s at %d: %w", s.Producer, seq, err)
		}
		s.durable, s.outSeq, s.pos.epoch = c.N, seq, c.Epoch
	}
	if err := s.restore(ctx); err != nil {
		return err
	}
	s.lastSave = time.Now()
	return nil
}

func (s *Stage) restore(ctx context.Context) error {
	c, err := s.state.load(ctx, s.durable)
	if err != nil {
		return err
	}
	if c == nil {
		s.pos.inFirst = 1
		if s.durable == 0 {
			_, _ = rand.Read(s.pos.epoch[:]) // never fails, as documented
		}
		return nil
	}
	if err := s.Core.Restore(c.Payload); err != nil {
		return fmt.Errorf("restore checkpoint of %s after %d: %w", s.Producer, c.InLast, err)
	}
	s.start = c.InLast
	s.pos = position{epoch: c.Epoch, n: c.N, inFirst: c.InLast + 1, inLast: c.InLast}
	if s.durable == c.N {
		s.outSeq = c.OutSeq
	}
	s.savedAt.Store(s.state.olderInLast)
	return nil
}

// Start is the input sequence that the state included when the stage opened:
// messages up to it are skipped.
func (s *Stage) Start() uint64 { return s.start }

// Existing notes an entry that the outbox holds, so that it is compared when it
// is made again.
func (s *Stage) Existing(c *schemas.Commit) {
	if c.Epoch != s.pos.epoch || c.N <= s.pos.n {
		return
	}
	if s.remade == nil {
		s.remade = map[uint64]summary{}
	}
	s.remade[c.N] = summary{digest: c.Digest, end: c.End}
}

// Offer queues a message. It blocks while the stage is behind.
func (s *Stage) Offer(ctx context.Context, m Message) error {
	select {
	case s.queue <- work{msg: m}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ask runs f between two messages, on the goroutine that owns the core, and
// waits for it.
func (s *Stage) Ask(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case s.queue <- work{ask: func() { f(); close(done) }}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run applies what is queued until it is stopped, then checkpoints. What is
// left in the queue then stays in the input.
func (s *Stage) run(ctx context.Context) error {
	for {
		select {
		case <-s.stop:
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			return s.save(last)
		case w := <-s.queue:
			if w.ask != nil {
				w.ask()
				continue
			}
			err := s.apply(ctx, w.msg)
			if errors.Is(err, errStopped) {
				return nil // in the middle of a commit: the state is ahead of the outbox
			}
			if err != nil {
				return fmt.Errorf("stage %s at %d: %w", s.Producer, w.msg.Seq, err)
			}
		}
	}
}

func (s *Stage) apply(ctx context.Context, m Message) error {
	if m.Seq <= s.pos.inLast {
		return nil
	}
	r, err := s.Core.Apply(m)
	if err != nil {
		return err
	}
	s.pos.inLast = m.Seq
	if r != nil {
		if err := s.commit(ctx, m, r); err != nil {
			return err
		}
	}
	if time.Since(s.lastSave) >= saveEvery && s.pos.n >= s.durable {
		return s.save(ctx)
	}
	return nil
}

func (s *Stage) commit(ctx context.Context, m Message, r *Results) error {
	run := entries(s.Producer, s.pos, m, r, bus.EntrySize)
	for i, c := range run {
		if err := s.write(ctx, c); err != nil {
			return err
		}
		if i == 0 {
			s.runFirst.Store(s.outSeq)
		}
	}
	s.pos.n = run[len(run)-1].N
	s.pos.inFirst = m.Seq + 1
	s.committed.Store(m.Seq)
	return nil
}

// write appends an entry to the outbox, or compares it with the one that is
// there already.
func (s *Stage) write(ctx context.Context, c *schemas.Commit) error {
	if c.N <= s.durable {
		s.compare(c)
		return nil
	}
	s.buf = s.enc.Append(s.buf[:0], c)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		seq, err := s.log.Append(context.WithoutCancel(ctx), s.Outbox, s.buf, s.outSeq)
		if err == nil {
			s.outSeq = seq
			return nil
		}
		if !errors.Is(err, bus.ErrFull) {
			stored, seq, lerr := s.stored(ctx, c)
			if lerr == nil && stored {
				s.outSeq = seq
				return nil
			}
			if errors.Is(err, bus.ErrWrongLast) && lerr == nil {
				return fmt.Errorf("commit %d: somebody else writes %s: %w", c.N, s.Outbox, err)
			}
		}
		s.slog.Warn("commit waits", "n", c.N, "err", err)
		select {
		case <-ctx.Done():
			return errStopped
		case <-time.After(wait):
		}
	}
}

// errStopped ends a stage that was waiting for room in its outbox.
var errStopped = errors.New("stopped")

// stored reports whether the newest entry of the outbox is this very one: an
// append whose answer was lost.
func (s *Stage) stored(ctx context.Context, c *schemas.Commit) (bool, uint64, error) {
	seq, data, err := s.log.Last(context.WithoutCancel(ctx), s.Outbox)
	if errors.Is(err, bus.ErrNone) {
		return false, 0, nil
	}
	if err != nil {
		return false, 0, err
	}
	return string(data) == string(s.buf), seq, nil
}

func (s *Stage) compare(c *schemas.Commit) {
	was, known := s.remade[c.N]
	delete(s.remade, c.N)
	if !known || was.end == c.End && was.digest == c.Digest {
		return
	}
	s.mismatches.Add(1)
	s.slog.Error("commit made again differs from the one written; the written one stands",
		"n", c.N, "digest", c.Digest, "was", was.digest, "end", c.End, "was_end", was.end)
}

// Mismatches counts commits that were made again and differed. It must stay 0.
func (s *Stage) Mismatches() uint64 { return s.mismatches.Load() }

// SafeBefore is the input sequence below which nothing is needed any more: it
// is covered by the older of two whole checkpoints. 0: nothing is safe yet.
func (s *Stage) SafeBefore() uint64 { return s.savedAt.Load() }

// NewestRun is the outbox sequence at which the newest commit starts; entries
// from there on must stay. 0: no commit was written by this process.
func (s *Stage) NewestRun() uint64 { return s.runFirst.Load() }

// save writes a checkpoint of the state between two messages.
func (s *Stage) save(ctx context.Context) error {
	s.lastSave = time.Now()
	if s.pos.n < s.durable || s.pos.inLast == s.state.newestInLast {
		return nil
	}
	err := s.state.save(ctx, &schemas.Checkpoint{
		Producer: s.Producer, Epoch: s.pos.epoch, N: s.pos.n, OutSeq: s.outSeq, InLast: s.pos.inLast,
	}, s.Core)
	if err != nil {
		s.slog.Warn("checkpoint not written; the journal is kept", "err", err)
		return nil
	}
	s.savedAt.Store(s.state.olderInLast)
	return nil
}
