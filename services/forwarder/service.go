package forwarder

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/pkg/gcra"
	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/pack"
)

// Outbox is the server that holds the outbox. *bus.Bus is one.
type Outbox interface {
	Read(ctx context.Context, stream string, from uint64, stopAtEnd bool, handle func(bus.Message) error, subjects ...string) error
	Get(ctx context.Context, stream string, seq uint64) (bus.Message, error)
	Usage(ctx context.Context, stream, subjects string) (bus.Usage, error)
	Purge(ctx context.Context, subject string, below uint64) error
	Store(ctx context.Context, subject string, data []byte) (uint64, error)
	Delete(ctx context.Context, stream string, seq uint64) error
	Answer(ctx context.Context, subject string, log *slog.Logger, answer func(ctx context.Context, question []byte) (any, error)) (stop func(), err error)
}

// Up is the way to the tier above. *bus.Sender is one.
type Up interface {
	// Send brings a message to a stream above. It blocks while too much is in
	// flight. done is called exactly once, with nil when the message is stored, and
	// with bus.ErrFull where there is no room; not at all if Send returns an error.
	// Data belongs to the sender.
	Send(ctx context.Context, subject string, data []byte, done func(error)) error
	// Ask sends a question and waits for its answer.
	Ask(ctx context.Context, subject string, data []byte) ([]byte, error)
}

// Service brings an outbox to the tier above.
type Service struct {
	cfg Config
	out Outbox
	up  Up
	log *slog.Logger

	began  time.Time
	caught chan struct{} // closed once what the outbox held at start is known

	heads  schemas.CommitDecoder // of watch
	strip  schemas.Strip         // of pump, as what follows
	plain  []byte                // an entry without its local part
	packer pack.Packer

	mu     sync.Mutex
	core   *backlog
	link   link
	pacer  *gcra.Pacer
	cycle  *cycle // of the link that is up; nil: there is none
	sent   uint64 // bytes
	policy *uint64
	ahead  []schemas.Ahead
	fail   context.CancelCauseFunc // ends what Run runs

	folding sync.Mutex // held while entries are folded, and while a link begins
	enc     schemas.CommitEncoder
	buf     []byte
	folded  uint64 // entries, since the start
	shed    uint64 // records, likewise
}

// New makes the service; Run starts it.
func New(cfg Config, out Outbox, up Up, log *slog.Logger) (*Service, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, out: out, up: up, log: log.With("service", "forwarder", "tier", string(cfg.Tier), "upstream", cfg.Upstream),
		pacer: gcra.NewPacer(cfg.Budget.shares()),
	}
	s.anew()
	return s, nil
}

// anew forgets what of the outbox has been sent.
func (s *Service) anew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.core, s.caught = newBacklog(s.cfg.producer(), s.cfg.ours), make(chan struct{})
}

// Run forwards until ctx ends. It fails where its own server does.
func (s *Service) Run(ctx context.Context) error {
	s.began = time.Now()
	s.link.since = s.began.UnixNano()
	stop, err := s.out.Answer(ctx, schemas.AskLink(s.cfg.Tier), s.log, func(context.Context, []byte) (any, error) { return s.Status(), nil })
	if err != nil {
		return err
	}
	defer stop()
	for {
		err := s.forward(ctx)
		if !errors.Is(err, errWentBack) || !sleep(ctx, int64(jitter()*second), nil) {
			return err
		}
		s.log.Error("the tier above lacks entries that it had: it was restored, or has lost something; what is here still is brought again")
		s.anew()
	}
}

// errWentBack ends what is known of the outbox: entries are to be sent that were done
// with.
var errWentBack = errors.New("the tier above has less than before")

// forward forwards until ctx ends or the tier above has gone back.
func (s *Service) forward(parent context.Context) error {
	ctx, fail := context.WithCancelCause(parent)
	defer fail(nil)
	s.fail = fail
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.watch(gctx) })
	g.Go(func() error { return s.carry(gctx) })
	g.Go(func() error { s.purge(gctx); return nil })
	err := g.Wait()
	if parent.Err() == nil && errors.Is(context.Cause(ctx), errWentBack) {
		return errWentBack
	}
	return err
}

// Status is what the service answers: the state of the link, and what of the
// outbox could not be read.
type Status struct {
	schemas.LinkStatus
	Damaged uint64 `json:"damaged"`          // messages of the outbox that cannot be decoded, since the start
	Damage  string `json:"damage,omitempty"` // the newest of them: where it was and what is wrong
}

// Status tells how the link is.
func (s *Service) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, d := s.now(), s.core.debt()
	st := schemas.LinkStatus{
		Tier: s.cfg.Tier, Upstream: s.cfg.Upstream, Up: s.link.up(now), Since: s.link.changed(now),
		Entries: d.entries, Bytes: d.bytes, Backfill: d.backfill, Oldest: d.oldest, ETA: s.core.drain.eta(d.backfill), Sent: s.sent,
		Folded: s.folded, Shed: s.shed, Ahead: slices.Clone(s.ahead),
	}
	if !st.Up && d.backfill > 0 {
		st.ETA = -1
	}
	return Status{LinkStatus: st, Damaged: s.core.damage.count, Damage: s.core.damage.newest}
}

// now is the time of the process, ns: it never goes back.
func (s *Service) now() int64 { return time.Since(s.began).Nanoseconds() }

// answered notes that the tier above has said something.
func (s *Service) answered() { s.link.answer(s.now(), time.Now().UnixNano()) }

// jitter is around 1, so that many forwarders do not move in step.
func jitter() float64 { return 0.9 + 0.2*rand.Float64() }

// sleep waits for d ns, or for a wake where there is one. It is false when ctx has
// ended.
func sleep(ctx context.Context, d int64, wake <-chan struct{}) bool {
	var after <-chan time.Time
	if d != gcra.Never {
		t := time.NewTimer(time.Duration(d))
		defer t.Stop()
		after = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-after:
	}
	return ctx.Err() == nil
}

// within bounds a call of the tier above.
func within(ctx context.Context, d int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(d))
}

// signal is a wake that is remembered until somebody waits for it.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) wake() {
	select {
	case s <- struct{}{}:
	default:
	}
}
