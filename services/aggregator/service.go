package aggregator

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/fold"
)

// Agent is one logical agent of the process.
type Agent struct{ Name, Region string }

// Config of the service.
type Config struct {
	Agents  []Agent
	Compile Compile // turns journalled policy documents into settings
	// Up is the way to the region, where it is a process of its own: before a stage goes
	// on from its stores it asks whether the region knows newer ones. nil: the region
	// shares the data folder, or there is none.
	Up fold.Asker
}

// Service folds the journals of the agents of a process.
type Service struct {
	cfg    Config
	bus    *bus.Bus
	log    *slog.Logger
	runner *fold.Runner
	begun  chan struct{} // closed when ingest may write

	agents map[string]*agentState
}

type agentState struct {
	Agent
	fold  *Fold
	door  *door
	stage atomic.Pointer[fold.Stage] // nil until it is open
}

// New makes the service; Run starts it.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Service, error) {
	s := &Service{cfg: cfg, bus: b, log: log.With("service", "aggregator"), begun: make(chan struct{}), agents: map[string]*agentState{}}
	for _, a := range cfg.Agents {
		if err := schemas.CheckName("agent", a.Name); err != nil {
			return nil, err
		}
		f := NewFold(a.Name, cfg.Compile)
		s.agents[a.Name] = &agentState{Agent: a, fold: f, door: &door{core: f}}
	}
	c := fold.Config{
		Input: schemas.StreamJournal, Output: schemas.StreamAgentOutbox,
		Route: s.route, Make: s.stage, Opened: s.opened, Seen: s.seen,
	}
	if cfg.Up != nil {
		c.Above = func(ctx context.Context, name string, e schemas.Epoch) (fold.Above, error) {
			return fold.AskAbove(ctx, cfg.Up, s.agents[name].Region, name, e)
		}
	}
	s.runner = fold.NewRunner(c, b, s.log)
	return s, nil
}

// Run folds until ctx ends. It owns the runner's goroutines, one that purges
// the journal, and the subscriptions that answer questions.
func (s *Service) Run(ctx context.Context) error {
	names := make([]string, 0, len(s.cfg.Agents))
	for _, a := range s.cfg.Agents {
		names = append(names, a.Name)
	}
	if err := s.begin(ctx, names); err != nil {
		return err
	}
	close(s.begun)
	g, ctx := errgroup.WithContext(ctx)
	for subject, answer := range map[string]func(context.Context, []byte) (any, error){
		schemas.AskLedger: s.ledger, schemas.AskDevices: s.devices,
	} {
		stop, err := s.bus.Answer(ctx, subject, s.log, answer)
		if err != nil {
			return err
		}
		defer stop()
	}
	g.Go(func() error { return s.runner.Run(ctx, names...) })
	g.Go(func() error { s.purge(ctx); return nil })
	return g.Wait()
}

// Begun is closed once the journals may be written: it is noted of agents that have none
// yet that they begin.
func (s *Service) Begun() <-chan struct{} { return s.begun }

// begin notes it. Where nobody above can be asked nobody needs to know.
func (s *Service) begin(ctx context.Context, agents []string) error {
	if s.cfg.Up == nil {
		return nil
	}
	for _, name := range agents {
		err := bus.Await(ctx, s.log, func() error { return s.stage(name).Begin(ctx, schemas.StreamJournal) })
		if err != nil {
			return fmt.Errorf("begin agent %s: %w", name, err)
		}
	}
	return nil
}

func (s *Service) route(subject string) []string {
	name, _, ok := schemas.SourceOf(subject)
	if !ok || s.agents[name] == nil {
		return nil
	}
	return []string{name}
}

func (s *Service) stage(name string) *fold.Stage {
	a := s.agents[name]
	st := fold.NewStage(name, a.door, schemas.AgentOutbox(name, schemas.KindCommit), s.bus, s.log)
	return st
}

// opened starts the door's count where the restored fold stands.
func (s *Service) opened(st *fold.Stage) {
	a := s.agents[st.Producer]
	a.door.opened(a.fold.door)
	a.stage.Store(st)
}

// seen notes a frame at the door.
func (s *Service) seen(st *fold.Stage, m fold.Message) {
	if m.Seq > st.Start() {
		s.agents[st.Producer].door.seen(m)
	}
}

// purgeEvery is the time between two purges of the journal.
const purgeEvery = 10 * time.Second

// purge removes frames that the older checkpoint of every agent covers. The
// newest of them stays: commits quote its hash.
func (s *Service) purge(ctx context.Context) {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	done := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		below := s.safeBefore()
		if below <= done {
			continue
		}
		if err := s.bus.Compact(ctx, schemas.StreamJournal, below); err != nil {
			s.log.Warn("journal not purged", "below", below, "err", err)
			continue
		}
		done = below
	}
}

// safeBefore is the least sequence that some agent still needs.
func (s *Service) safeBefore() uint64 {
	stages := s.runner.Stages()
	if len(stages) == 0 {
		return 0
	}
	least := stages[0].SafeBefore()
	for _, st := range stages[1:] {
		least = min(least, st.SafeBefore())
	}
	return least
}

func (s *Service) ledger(ctx context.Context, _ []byte) (any, error) {
	_, pending := s.runner.Position()
	out := make([]schemas.AgentLedger, 0, len(s.cfg.Agents))
	for _, a := range s.cfg.Agents {
		st := s.agents[a.Name]
		l, err := st.ledger(ctx, time.Now().UnixNano())
		if err != nil {
			return nil, err
		}
		l.Region, l.Pending = a.Region, pending
		out = append(out, l)
	}
	return out, nil
}

// ledger asks the fold between two messages. The door's queue is read in the
// same moment, so that a frame is either queued or applied.
func (a *agentState) ledger(ctx context.Context, wall int64) (l schemas.AgentLedger, err error) {
	st := a.stage.Load()
	if st == nil {
		return l, fmt.Errorf("agent %s is not open yet", a.Name)
	}
	err = st.Ask(ctx, func() {
		l = a.fold.report(wall)
		l.Flight = append(l.Flight, a.door.flight()...)
		l.Differ = st.Mismatches()
	})
	return l, err
}

func (s *Service) devices(ctx context.Context, name []byte) (any, error) {
	a := s.agents[string(name)]
	if a == nil || a.stage.Load() == nil {
		return []schemas.Device{}, nil
	}
	var out []schemas.Device
	err := a.stage.Load().Ask(ctx, func() { out = a.fold.deviceReport() })
	return out, err
}
