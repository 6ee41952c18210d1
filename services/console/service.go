package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// What may happen at the same time.
const (
	maxQueries   = 4  // questions that scan streams
	maxFollowers = 16 // clients that follow
)

// Service answers people and their tools.
type Service struct {
	cfg       Config
	bus       *bus.Bus
	listener  net.Listener
	log       *slog.Logger
	catalog   *catalog
	queries   chan struct{} // a place each; full: the next one waits
	followers chan struct{} // a place each; full: the next one is refused
	metrics   *metrics
}

// New makes a service that answers on l once it runs. Run closes l.
func New(cfg Config, b *bus.Bus, l net.Listener, log *slog.Logger) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure console: %w", err)
	}
	if b == nil || l == nil || log == nil {
		return nil, errors.New("configure console: it needs a bus, a listener and a logger")
	}
	s := &Service{cfg: cfg, bus: b, listener: l, log: log, catalog: newCatalog(b), queries: make(chan struct{}, maxQueries), followers: make(chan struct{}, maxFollowers)}
	s.metrics = newMetrics(cfg, s.observeNow, time.Now())
	return s, nil
}

// observeNow is observe with the time of it.
func (s *Service) observeNow(ctx context.Context) (observation, error) {
	o, err := s.observe(ctx)
	o.wall = time.Now().UnixNano()
	return o, err
}

// drainTimeout is how long answers under way may take at the end.
const drainTimeout = 2 * time.Second

// Run answers until ctx ends. It owns the server and the follower; see doc.go.
func (s *Service) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := s.server(ctx)
	var joined sync.WaitGroup
	if slices.Contains(s.cfg.tiers(), schemas.TierCenter) {
		joined.Go(func() { s.followCenter(ctx) })
	}
	joined.Go(func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if err := server.Shutdown(end); err != nil {
			_ = server.Close() // what still reads has had its time
		}
	})
	err := server.Serve(s.listener)
	cancel()
	joined.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve HTTP on %s: %w", s.listener.Addr(), err)
}

// followRetry is the wait after the center's outbox could not be read.
const followRetry = time.Second

// followCenter feeds the exporter until ctx ends.
func (s *Service) followCenter(ctx context.Context) {
	said := ""
	for {
		report := func(err error) { s.log.Error("a commit of the center cannot be exported", "err", err) }
		if err := s.metrics.follow(ctx, s.bus, report); err != nil && err.Error() != said {
			said = err.Error()
			s.log.Warn("metrics stand still; trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(followRetry):
		}
	}
}
