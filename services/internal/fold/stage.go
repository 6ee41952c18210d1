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
	Get(ctx context.Context, stream string, seq uint64) (bus.Message, error)
	Purge(ctx context.Context, subject string, below uint64) error
	Usage(ctx context.Context, stream, subjects string) (bus.Usage, error)
}

// Stage is one fold with its own outbox subject. Make it with NewStage; a
// Runner opens and runs it.
type Stage struct {
	Producer string
	Core     Core
	Outbox   string // subject of its commits

	input, output string // streams; set by the runner
	size          int    // at which entries and parts of checkpoints are cut, bytes
	log           Log
	slog          *slog.Logger
	committed     func(*Stage, *Results) // set by the runner; nil: nobody wants to know

	pos    position
	newest []byte // the message pos.inLast, if one was applied since the start
	start  uint64 // input sequence that the restored state includes
	out    outbox

	state    stateLog
	lastSave time.Time
	safe     atomic.Uint64 // input sequence of the older of the two newest checkpoints

	queue chan work
	stop  chan struct{} // closed when no more messages come
}

// position is where a stage stands in its outbox and its input.
type position struct {
	epoch   schemas.Epoch
	n       uint64 // newest entry made
	inFirst uint64 // first input sequence of the next commit
	inLast  uint64 // newest input sequence applied
}

// work is a message to apply or a question to answer between two messages.
type work struct {
	msg Message
	ask func()
}

// queueLen bounds the messages that wait for a stage.
const queueLen = 64

// saveEvery is the time between two checkpoints.
const saveEvery = 30 * time.Second

// lastSaveWithin bounds the checkpoint that is written when a stage stops.
const lastSaveWithin = 10 * time.Second

// NewStage makes a stage. Open must follow.
func NewStage(producer string, core Core, outbox string, log Log, sl *slog.Logger) *Stage {
	return &Stage{
		Producer: producer, Core: core, Outbox: outbox, log: log, slog: sl.With("stage", producer),
		size: bus.EntrySize, state: stateLog{log: log, subject: schemas.State(producer), producer: producer},
		queue: make(chan work, queueLen), stop: make(chan struct{}),
	}
}

// Open restores the newest whole checkpoint that the outbox and the input agree
// with. Without any the stage starts at the beginning of its input.
func (s *Stage) Open(ctx context.Context) error {
	newest, err := s.openOutbox(ctx)
	if err != nil {
		return err
	}
	c, err := s.state.load(ctx, func(c *checkpoint) (bool, error) { return s.fits(ctx, newest, c) })
	if err != nil {
		return err
	}
	if err := s.restore(newest, c); err != nil {
		return err
	}
	s.lastSave = time.Now()
	if s.state.skipped {
		s.lastSave = time.Time{} // what was passed over must soon be the older one
	}
	return nil
}

// fits reports whether a checkpoint lies on the way to the newest commit and
// was made from the input that is there.
func (s *Stage) fits(ctx context.Context, newest *schemas.Commit, c *checkpoint) (bool, error) {
	if newest != nil && (c.N > newest.N || c.Epoch != newest.Epoch) {
		return false, nil
	}
	return s.inputHolds(ctx, c.InLast, c.inHash)
}

// inputHolds reports whether message seq of the input is the one with that
// hash. One that was purged counts as held: only a lost end makes a difference.
func (s *Stage) inputHolds(ctx context.Context, seq, hash uint64) (bool, error) {
	if seq == 0 {
		return true, nil
	}
	m, err := s.log.Get(ctx, s.input, seq)
	if errors.Is(err, bus.ErrNone) {
		u, err := s.log.Usage(ctx, s.input, "")
		return seq <= u.LastSeq, err
	}
	return schemas.Hash(m.Data) == hash, err
}

func (s *Stage) restore(newest *schemas.Commit, c *checkpoint) error {
	if c == nil {
		s.pos.inFirst = 1
		if newest != nil {
			s.pos.epoch = newest.Epoch
		} else {
			_, _ = rand.Read(s.pos.epoch[:]) // never fails, as documented
		}
		return nil
	}
	if err := s.Core.Restore(c.state); err != nil {
		return fmt.Errorf("restore checkpoint of %s after %d: %w", s.Producer, c.InLast, err)
	}
	if newest == nil && c.N > 0 {
		s.slog.Error("the outbox is empty, but a checkpoint is left: entries go on behind it", "n", c.N)
	}
	s.start = c.InLast
	s.out.from = c.OutSeq + 1
	s.pos = position{epoch: c.Epoch, n: c.N, inFirst: c.inFirst, inLast: c.InLast}
	return nil
}

// Start is the input sequence that the state included when the stage opened:
// messages up to it are skipped.
func (s *Stage) Start() uint64 { return s.start }

// Offer queues a message. It blocks while the stage is behind.
func (s *Stage) Offer(ctx context.Context, m Message) error {
	select {
	case s.queue <- work{msg: m}:
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
			s.saveLast(ctx)
			return nil
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
	s.pos.inLast, s.newest = m.Seq, m.Data
	if r != nil {
		if err := s.commit(ctx, m, r); err != nil {
			return err
		}
	}
	if time.Since(s.lastSave) >= saveEvery {
		s.save(ctx)
	}
	return nil
}

// SafeBefore is the input sequence below which nothing is needed any more: it
// is covered by the older of two whole checkpoints. 0: nothing is safe yet.
func (s *Stage) SafeBefore() uint64 { return s.safe.Load() }

// save writes a checkpoint of the state between two messages, unless commits
// that exist are still being made again.
func (s *Stage) save(ctx context.Context) {
	if s.pos.n < s.out.durable || s.pos.inLast == s.state.newest {
		return
	}
	s.lastSave = time.Now()
	err := s.state.save(ctx, checkpoint{
		Checkpoint: schemas.Checkpoint{
			Producer: s.Producer, Epoch: s.pos.epoch, N: s.pos.n, OutSeq: s.out.seq, InLast: s.pos.inLast,
		},
		inFirst: s.pos.inFirst, inHash: schemas.Hash(s.newest),
	}, s.Core, s.size)
	if err != nil {
		s.slog.Warn("checkpoint not written; the input is kept", "err", err)
		return
	}
	s.safe.Store(s.state.older)
}

// saveLast writes the checkpoint that makes the next start short, though ctx
// has ended.
func (s *Stage) saveLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSaveWithin)
	defer cancel()
	s.save(ctx)
}
