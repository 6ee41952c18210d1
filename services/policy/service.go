package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// Kept revisions of the buckets.
const (
	History      = 20 // of POLICY
	stateHistory = 1
)

// bucketState is the KV bucket of reported state.
const bucketState = "STATE"

// Change is a document for an agent.
type Change struct {
	Agent  string
	Config schemas.Config
}

// Apply journals documents and puts their limits in force. It returns when the
// documents are in the journals. ErrRefused in its error's tree means that they
// are not fit, and the last ones stay.
type Apply func(ctx context.Context, changes []Change) error

// ErrRefused says that somebody who must apply a document does not accept it.
var ErrRefused = errors.New("document refused")

// Config is fixed for the life of a Service.
type Config struct {
	Agents []string // of this process, at least one
	// Place says where an agent stands. nil: its layers are the default and its own.
	Place    func(agent string) Place
	Language Language
}

// Service keeps the agents of a process at the documents of the bucket.
type Service struct {
	cfg   Config
	bus   *bus.Bus
	apply Apply
	log   *slog.Logger

	desired  *desired
	reported map[string]*Reported
	state    *bus.Bucket
	invalid  uint64
	status   atomic.Pointer[Status]
}

// New makes a service that does nothing until Run.
func New(cfg Config, b *bus.Bus, apply Apply, log *slog.Logger) (*Service, error) {
	if len(cfg.Agents) == 0 || apply == nil {
		return nil, errors.New("configure policy: it needs agents and somebody who applies")
	}
	err := cfg.Language.check()
	var d *desired
	if err == nil {
		d, err = newDesired(cfg.Agents, cfg.Place, cfg.Language)
	}
	if err != nil {
		return nil, fmt.Errorf("configure policy: %w", err)
	}
	return &Service{
		cfg: cfg, bus: b, apply: apply, log: log.With("service", "policy"),
		desired: d, reported: map[string]*Reported{},
	}, nil
}

// Run applies what the bucket holds, then every change, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	s.publish()
	var documents *bus.Bucket
	err := bus.Await(ctx, s.log, func() (err error) {
		documents, err = s.open(ctx)
		return err
	})
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	stop, err := s.bus.Answer(ctx, schemas.Ask("policy", "status"), s.log, s.answer)
	if err != nil {
		return err
	}
	defer stop()
	return s.watch(ctx, documents)
}

// open opens the buckets and reads what agents were last given.
func (s *Service) open(ctx context.Context) (documents *bus.Bucket, err error) {
	documents, err = s.bus.Bucket(ctx, schemas.BucketPolicy, History)
	if err == nil {
		s.state, err = s.bus.Bucket(ctx, bucketState, stateHistory)
	}
	if err == nil {
		err = s.recall(ctx)
	}
	return documents, err
}

// watch folds the history first and applies only what it comes to.
func (s *Service) watch(ctx context.Context, documents *bus.Bucket) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	live := false
	report := func(err error) {
		if err != nil {
			cancel(err)
		}
	}
	err := documents.Watch(ctx, func() {
		report(s.hand(ctx, s.cfg.Agents, live)) // nothing is in force yet: what is refused now leaves nothing to go on with
		live = true
	}, func(e bus.Entry) {
		if changed := s.put(e, live); live {
			report(s.hand(ctx, changed, live))
		}
	})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// put folds one revision. What is refused is counted, and said aloud when it is
// news.
func (s *Service) put(e bus.Entry, live bool) (changed []string) {
	changed, err := s.desired.put(e.Key, e.Revision, e.Value)
	switch {
	case errors.Is(err, errForeign):
		s.log.Info("policy document not for this process", "key", e.Key, "revision", e.Revision)
	case err != nil:
		s.refuse(err, live)
	}
	if live {
		s.publish()
	}
	return changed
}

func (s *Service) refuse(err error, live bool) {
	if live {
		s.invalid++
	}
	logRefusal(s.log, err, live)
}

// hand gives agents the documents that they should have. One that is refused is
// an error unless an older one is in force.
func (s *Service) hand(ctx context.Context, agents []string, live bool) error {
	var changes []Change
	now := time.Now().UnixNano()
	for _, a := range agents {
		e := s.desired.agent[a]
		from := takesEffect(now, s.reported[a], e)
		changes = append(changes, Change{a, schemas.Config{Revision: e.revision, From: from, Document: e.Document}})
	}
	if len(changes) == 0 {
		return nil
	}
	err := s.apply(ctx, changes)
	switch {
	case live && errors.Is(err, ErrRefused):
		s.refuse(err, true)
		s.publish()
		return nil
	case err != nil && ctx.Err() != nil:
		return nil
	case err != nil:
		return fmt.Errorf("apply policy: %w", err)
	}
	return s.remember(ctx, changes)
}

// remember reports what agents have now.
func (s *Service) remember(ctx context.Context, changes []Change) error {
	news := false
	for _, c := range changes {
		r := s.desired.agent[c.Agent].report()
		if last := s.reported[c.Agent]; last != nil && last.same(r) {
			continue
		}
		news = news || s.reported[c.Agent] != nil
		r.From = c.Config.From
		data, err := json.Marshal(r)
		if err == nil {
			err = bus.Await(ctx, s.log, func() error {
				_, err := s.state.Put(ctx, stateKey(c.Agent), data)
				return err
			})
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		s.reported[c.Agent] = &r
	}
	level := slog.LevelInfo
	if !news {
		level = slog.LevelDebug
	}
	first, last := changes[0], changes[len(changes)-1]
	s.log.Log(ctx, level, "policy in force", "agents", len(changes), "first", first.Agent, "last", last.Agent,
		"revision", newest(changes), "views_from", describe(first.Config.From))
	s.publish()
	return nil
}

// newest is the greatest revision of some changes.
func newest(changes []Change) (revision uint64) {
	for _, c := range changes {
		revision = max(revision, c.Config.Revision)
	}
	return revision
}

// recall reads what agents were last given.
func (s *Service) recall(ctx context.Context) error {
	for _, a := range s.cfg.Agents {
		e, err := s.state.Get(ctx, stateKey(a))
		if errors.Is(err, bus.ErrNone) {
			continue
		}
		if err != nil {
			return err
		}
		r := new(Reported)
		if err := json.Unmarshal(e.Value, r); err != nil {
			return fmt.Errorf("read state of agent %s: %w", a, err)
		}
		s.reported[a] = r
	}
	return nil
}

func stateKey(agent string) string { return "policy." + agent }

// publish makes the status that questions are answered with.
func (s *Service) publish() {
	st := s.desired.status(s.invalid)
	for a, why := range s.desired.behind {
		st.Behind[a] = why.Error()
	}
	for a, r := range s.reported {
		st.Agents[a] = *r
	}
	s.status.Store(st)
}

func (s *Service) answer(context.Context, []byte) (any, error) { return s.status.Load(), nil }
