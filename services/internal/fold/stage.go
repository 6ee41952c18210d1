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
	Next(ctx context.Context, subject string, from uint64) (bus.Message, error)
	Purge(ctx context.Context, subject string, below uint64) error
	Usage(ctx context.Context, stream, subjects string) (bus.Usage, error)
}

// Stage is one fold with its own outbox subject. Make it with NewStage; a
// Runner opens and runs it.
type Stage struct {
	Producer string
	Core     Core
	Outbox   string // subject of its commits
	// Forgets: where no checkpoint can be used, the state is learned anew behind the
	// newest commit. Else the stage does not open: it would count again what it has
	// forgotten.
	Forgets bool

	input, output string // streams; set by the runner
	size          int    // at which entries and parts of checkpoints are cut, bytes
	log           Log
	slog          *slog.Logger
	committed     func(*Stage, *Results) // set by the runner; nil: nobody wants to know
	// above asks the tier above what it knows of a producer; nil: nothing there can be
	// newer than what is here. Set by the runner.
	above func(ctx context.Context, producer string, e schemas.Epoch) (Above, error)

	// foldedFirst reads folded. Set by the runner.
	foldedFirst func(context.Context) (map[schemas.Epoch]uint64, error)

	pos      position
	newest   []byte // the message pos.inLast, if one was applied since the start
	restored uint64 // hash of the message pos.inLast, else
	start    uint64 // input sequence that the restored state includes
	inputEnd uint64 // newest sequence of the input when the stage opened
	end      *ending
	folded   map[schemas.Epoch]uint64 // first entry of each epoch that has been folded
	held     uint64                   // first entry of the epoch in the outbox when the stage opened; 0: none of it is known to be the first
	gone     uint64                   // entries of the epoch through it are not in the outbox: it was lost
	unheard  bool                     // the tier above has not said which epochs it knows
	asked    bool                     // the tier above was
	unsure   bool                     // the first commit made again shows whether all of its input is there
	out      outbox

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

	continues []schemas.Continuation // epochs before this one
	past      []schemas.Past         // what they had come to, by index in continues
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
		size: bus.EntrySize, state: stateLog{log: log, subject: schemas.State(producer), producer: producer, pad: newPad()},
		queue: make(chan work, queueLen), stop: make(chan struct{}),
	}
}

// Open restores the newest whole checkpoint that the outbox and the input agree
// with. Without any the stage starts at the beginning of its input.
func (s *Stage) Open(ctx context.Context) error {
	plain := s.log
	s.log = patient{plain, s.slog}
	s.state.log = s.log
	defer func() { s.log, s.state.log = plain, plain }()
	newest, err := s.openOutbox(ctx)
	if err != nil {
		return err
	}
	if _, ok := s.Core.(Renewer); ok {
		err = s.openRenewer(ctx, newest)
	} else {
		err = s.openState(ctx, newest)
	}
	s.lastSave = time.Now()
	if s.state.skipped {
		s.lastSave = time.Time{} // what was passed over must soon be the older one
	}
	return err
}

func (s *Stage) openState(ctx context.Context, newest *schemas.Commit) error {
	c, err := s.state.load(ctx, func(c *checkpoint) (bool, error) { return s.fits(ctx, newest, c) })
	if err == nil && c == nil && newest != nil {
		err = s.fromBeginning(ctx)
	}
	if errors.Is(err, errNoCheckpoint) && s.Forgets {
		s.slog.Error("the state is lost and is learned anew", "err", err)
		return s.forget(newest)
	}
	if err != nil {
		return err
	}
	if newest == nil && c != nil && c.N > 0 {
		s.slog.Error("the outbox is empty, but a checkpoint is left: entries go on behind it", "n", c.N)
	}
	return s.restore(newest, c)
}

// fromBeginning refuses to make commits again of which no checkpoint is left, unless
// the input of the first of them is there.
func (s *Stage) fromBeginning(ctx context.Context) error {
	if s.state.last > 0 {
		return nil // two whole ones there never were
	}
	u, err := s.log.Usage(ctx, s.input, "")
	if err != nil || u.FirstSeq <= 1 {
		return err
	}
	c, err := s.firstWhole(ctx)
	if err != nil {
		return err
	}
	if c != nil {
		_, err = s.log.Get(ctx, s.input, c.InLast)
	}
	if c == nil || errors.Is(err, bus.ErrNone) {
		return s.beheaded()
	}
	s.unsure = true
	return err
}

// beheaded is why a stage does not go on that has lost its checkpoints and the beginning
// of its input.
func (s *Stage) beheaded() error {
	return fmt.Errorf("all checkpoints of %s are lost: %w", s.Producer, errNoCheckpoint)
}

// firstWhole is the end of the first commit that the stage has ever made; nil: the outbox
// does not hold all of it any more.
func (s *Stage) firstWhole(ctx context.Context) (*schemas.Commit, error) {
	for n, seq := uint64(1), uint64(1); ; n++ {
		m, err := s.log.Next(ctx, s.Outbox, seq)
		if errors.Is(err, bus.ErrNone) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		c, err := s.commitIn(m, 0)
		if err != nil || c.N != n {
			return nil, err
		}
		if c.End {
			return c, nil
		}
		seq = m.Seq + 1
	}
}

// forget goes on without a state, behind the newest commit.
func (s *Stage) forget(newest *schemas.Commit) error {
	if newest == nil {
		return s.restore(nil, nil)
	}
	s.out.durable, s.out.through = 0, 0 // nothing is made again
	s.start, s.restored = newest.InLast, newest.InHash
	s.pos = position{epoch: newest.Epoch, n: newest.N, inFirst: newest.InLast + 1, inLast: newest.InLast}
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
	s.start, s.restored, s.gone = c.InLast, c.inHash, c.gone
	s.out.from = c.OutSeq + 1
	s.pos = position{epoch: c.Epoch, n: c.N, inFirst: c.inFirst, inLast: c.InLast, continues: c.continues, past: c.past}
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
	if s.end != nil && s.end.folded == 0 && s.due(Message{Seq: s.pos.inLast + 1}) {
		if err := s.renew(ctx); err != nil {
			return stopped(err, s.Producer, s.pos.inLast)
		}
	}
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
			if err := s.apply(ctx, w.msg); err != nil {
				return stopped(err, s.Producer, w.msg.Seq)
			}
		}
	}
}

// stopped is why a stage ends at a message. In the middle of a commit it may be
// stopped: the state is then ahead of the outbox.
func stopped(err error, producer string, seq uint64) error {
	if errors.Is(err, errStopped) {
		return nil
	}
	return fmt.Errorf("stage %s at %d: %w", producer, seq, err)
}

func (s *Stage) apply(ctx context.Context, m Message) error {
	if m.Seq <= s.pos.inLast {
		return nil
	}
	if err := s.turn(ctx, m); err != nil {
		return err
	}
	r, err := s.Core.Apply(m)
	if err != nil {
		return err
	}
	s.pos.inLast, s.newest = m.Seq, m.Data
	if r != nil && (s.end == nil || !s.end.drop) {
		if err := s.commit(ctx, m, r); err != nil {
			return err
		}
	}
	if time.Since(s.lastSave) >= saveEvery && !s.state.pad.taken() {
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
	if s.pos.n < s.out.durable || s.pos.inLast == s.state.newest || s.end != nil {
		return
	}
	if err := s.put(ctx); err != nil {
		s.slog.Warn("checkpoint not written; the input is kept", "err", err)
	}
}

// put writes a checkpoint of the state as it is.
func (s *Stage) put(ctx context.Context) error {
	s.lastSave = time.Now()
	err := s.state.save(ctx, checkpoint{
		Checkpoint: schemas.Checkpoint{
			Producer: s.Producer, Epoch: s.pos.epoch, N: s.pos.n, OutSeq: s.out.seq, InLast: s.pos.inLast,
		},
		shell: shell{s.pos.inFirst, s.hash(), s.gone, s.pos.continues, s.pos.past},
	}, s.Core, s.size)
	if err == nil {
		s.safe.Store(s.state.older)
	}
	return err
}

// saveLast writes the checkpoint that makes the next start short, though ctx
// has ended.
func (s *Stage) saveLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSaveWithin)
	defer cancel()
	s.save(ctx)
}
