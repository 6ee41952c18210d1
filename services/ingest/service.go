package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/commands"
)

// Service takes readings for the logical agents of one process.
type Service struct {
	cfg      Config
	deps     Deps
	logger   *slog.Logger
	agents   []*agent
	writers  []*writer
	router   *router
	park     *park
	mqtt     *mqttFront
	otlp     *otlpFront
	decoders sync.Pool
	messages messageCounts
	limits   processLimits
	rules    ruleCounts

	listening atomic.Pointer[otlpListeners] // nil before Ready

	policy     chan struct{} // closed when every agent has a policy document
	policyOnce sync.Once
	configMu   sync.Mutex    // one SetConfig at a time
	ready      chan struct{} // closed when devices are accepted
	stopping   chan struct{} // closed when no more is taken
}

// New makes a service that does nothing until Run.
func New(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure ingest: %w", err)
	}
	if deps.Log == nil {
		return nil, errors.New("configure ingest: no journal to write to")
	}
	if deps.Commands != nil && deps.Telemetry == nil {
		return nil, errors.New("configure ingest: commands come over NATS, and there is no subscriber")
	}
	s := &Service{
		cfg: cfg.withDefaults(), deps: deps, logger: deps.Logger,
		policy: make(chan struct{}), ready: make(chan struct{}), stopping: make(chan struct{}),
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	s.decoders.New = func() any { return new(decoder) }
	for _, name := range cfg.Agents {
		s.addAgent(name)
	}
	s.router = newRouter(s.agents)
	s.park = &park{publish: deps.Park, logger: s.logger}
	s.mqtt = newMQTT(s)
	s.otlp = newOTLPFront(s)
	return s, nil
}

func (s *Service) addAgent(name string) {
	a := newAgent(name, &s.cfg)
	w := &writer{agent: a, log: s.deps.Log, subject: schemas.Journal(name), logger: s.logger}
	if s.deps.Used != nil {
		w.used = func() int64 { return s.deps.Used(name) }
	}
	s.agents, s.writers = append(s.agents, a), append(s.writers, w)
}

// Run resumes the journals, waits until SetConfig has named every agent, accepts
// devices until ctx ends, and then writes what it has taken before it returns nil. An error
// means that it cannot go on; what was taken and is not in the journal has not
// been acknowledged. Run is called once.
func (s *Service) Run(ctx context.Context) error {
	for _, w := range s.writers {
		if err := bus.Await(ctx, s.logger, func() error { return w.resume(ctx, time.Now()) }); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriting()
	failed := make(chan error, len(s.writers)+1)
	var writers sync.WaitGroup
	for _, w := range s.writers {
		writers.Go(func() {
			if err := w.run(writing); err != nil {
				failed <- err
				cancel()
			}
		})
	}
	if err := s.accept(ctx); err != nil {
		failed <- err
	}
	timer := time.AfterFunc(s.cfg.DrainTimeout, stopWriting)
	defer timer.Stop()
	for _, a := range s.agents {
		a.close()
	}
	writers.Wait()
	select {
	case err := <-failed: // the first: others follow from it
		return err
	default:
		return nil
	}
}

// accept lets devices in until ctx ends, and returns when none is left.
func (s *Service) accept(ctx context.Context) error {
	select {
	case <-s.policy:
	case <-ctx.Done():
		return nil
	}
	if s.deps.Commands != nil {
		stop, err := s.openCommands(ctx)
		if err != nil {
			return err
		}
		defer stop()
	}
	if s.deps.Telemetry != nil {
		stop, err := s.deps.Telemetry.Subscribe(schemas.TelemetryAll, natsPending, s.onNATS)
		if err != nil {
			return fmt.Errorf("accept devices over NATS: %w", err)
		}
		defer stop()
	}
	if s.cfg.MQTT != "" {
		if err := s.mqtt.open(); err != nil {
			return err
		}
		defer s.mqtt.close()
	}
	listening, err := s.otlp.open()
	if err != nil {
		return err
	}
	s.listening.Store(listening)
	defer listening.close()
	close(s.ready)
	<-ctx.Done()
	close(s.stopping)
	return nil
}

// openCommands takes over the commands that are kept and listens to new ones until
// stop is called.
func (s *Service) openCommands(ctx context.Context) (stop func(), err error) {
	desk := s.deps.Commands
	if err := bus.Await(ctx, s.logger, func() error { return desk.Load(ctx) }); err != nil {
		return nil, err
	}
	deaf, err := s.deps.Telemetry.Subscribe(schemas.CommandAll, natsPending, func(m Message) {
		desk.Take(commands.Message{Subject: m.Subject, Data: m.Data, Expires: m.Expires, Reply: m.Reply})
	})
	if err != nil {
		return nil, fmt.Errorf("listen to commands: %w", err)
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var joined sync.WaitGroup
	joined.Go(func() { _ = desk.Run(running) }) // it returns nil
	return func() {
		deaf()
		cancel()
		joined.Wait()
	}, nil
}

// Ready is closed once devices are accepted and acknowledged.
func (s *Service) Ready() <-chan struct{} { return s.ready }

// Addr is the address of the MQTT listener; nil before Ready or without one.
func (s *Service) Addr() net.Addr { return s.mqtt.addr() }

// SetConfig puts policy documents into the journals of agents, by name, and the
// settings drawn from them into force. Either all are valid or nothing is done.
// It returns when the documents are journaled: records accepted after that are
// behind them. Run opens the listeners once every agent has a document and must
// be running for any call to return.
func (s *Service) SetConfig(ctx context.Context, configs map[string]AgentConfig) error {
	if err := s.checkConfigs(configs); err != nil {
		return err
	}
	s.configMu.Lock()
	defer s.configMu.Unlock()
	done := make(confirmation, len(configs))
	for _, a := range s.agents {
		if c, ok := configs[a.name]; ok {
			a.configure(c.Config, done, time.Now())
			c.Settings.revision = c.Config.Revision
			a.settings.Store(&c.Settings)
		}
	}
	everywhere := s.limits.follow(s.agents)
	s.rules.follow(s.agents)
	for range configs {
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("journal policy of %d agents: %w", len(configs), ctx.Err())
		}
	}
	if everywhere {
		s.policyOnce.Do(func() { close(s.policy) })
	}
	return nil
}

// confirmation hears of frames that are in the journal.
type confirmation chan struct{}

func (c confirmation) answer(*answer) { c <- struct{}{} }
