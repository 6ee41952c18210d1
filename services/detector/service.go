package detector

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/fold"
)

// Config of the service.
type Config struct {
	Agents  []string // logical agents of the process
	Compile Compile  // turns policy documents into settings
}

// Service watches what the agents of a process commit.
type Service struct {
	cfg    Config
	bus    *bus.Bus
	log    *slog.Logger
	runner *fold.Runner
	agents map[string]*agentState // by producer
}

type agentState struct {
	fold  *Fold
	stage atomic.Pointer[fold.Stage] // nil until it is open
}

// New makes the service; Run starts it.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Service, error) {
	s := &Service{cfg: cfg, bus: b, log: log.With("service", "detector"), agents: map[string]*agentState{}}
	var subjects []string
	for _, name := range cfg.Agents {
		if err := schemas.CheckName("agent", name); err != nil {
			return nil, err
		}
		s.agents[schemas.Detector(name)] = &agentState{fold: NewFold(name, cfg.Compile)}
		subjects = append(subjects, schemas.AgentOutbox(name, schemas.KindCommit))
	}
	if len(subjects) > 1 {
		subjects = []string{schemas.AgentOutbox("*", schemas.KindCommit)} // one filter of many subjects costs the server more
	}
	s.runner = fold.NewRunner(fold.Config{
		Input: schemas.StreamAgentOutbox, Output: schemas.StreamAgentOutbox, Subjects: subjects,
		Route: s.route, Make: s.stage, Opened: s.opened,
	}, b, s.log)
	return s, nil
}

// Run watches until ctx ends. It owns the runner's goroutines and the subscription
// that answers questions.
func (s *Service) Run(ctx context.Context) error {
	producers := make([]string, 0, len(s.cfg.Agents))
	for _, name := range s.cfg.Agents {
		producers = append(producers, schemas.Detector(name))
	}
	stop, err := s.bus.Answer(ctx, schemas.AskFindings(schemas.TierAgent), s.log, s.reports)
	if err != nil {
		return err
	}
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.runner.Run(ctx, producers...) })
	return g.Wait()
}

func (s *Service) route(subject string) []string {
	name, kind, ok := schemas.SourceOf(subject)
	if !ok || kind != schemas.KindCommit || s.agents[schemas.Detector(name)] == nil {
		return nil
	}
	return []string{schemas.Detector(name)}
}

func (s *Service) stage(producer string) *fold.Stage {
	agent, _ := schemas.CutDetector(producer)
	st := fold.NewStage(producer, s.agents[producer].fold, schemas.AgentOutbox(agent, schemas.KindFinding), s.bus, s.log)
	st.Forgets = true // it learns anew
	return st
}

func (s *Service) opened(st *fold.Stage) { s.agents[st.Producer].stage.Store(st) }

// SafeBefore is the sequence of the outbox below which no detector needs anything
// any more; 0: nothing is safe yet.
func (s *Service) SafeBefore() uint64 {
	least := ^uint64(0)
	for _, a := range s.agents {
		st := a.stage.Load()
		if st == nil {
			return 0
		}
		least = min(least, st.SafeBefore())
	}
	return least
}

// reports answers what each detector knows, between two messages.
func (s *Service) reports(ctx context.Context, _ []byte) (any, error) {
	_, pending := s.runner.Position()
	out := make([]schemas.FindingReport, 0, len(s.cfg.Agents))
	for _, name := range s.cfg.Agents {
		a := s.agents[schemas.Detector(name)]
		st := a.stage.Load()
		if st == nil {
			continue // not open yet
		}
		var r schemas.FindingReport
		var wall int64
		if err := st.Ask(ctx, func() { r, wall = a.fold.report(), a.fold.wall }); err != nil {
			return nil, err
		}
		r.Detector.Differ = st.Mismatches()
		if pending > 0 && wall > 0 {
			r.Detector.Lag = max(0, float64(time.Now().UnixNano()-wall)/second)
		}
		out = append(out, r)
	}
	return out, nil
}
