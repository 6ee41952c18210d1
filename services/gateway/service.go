package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/fold"
)

// Config of one tier's gateways in this process.
type Config struct {
	Tier schemas.Tier
	// RegionOf tells an agent's region; empty: it is not ours. Only for
	// schemas.TierRegion.
	RegionOf func(agent string) string
	// Input and Output are the streams that hold the outboxes below and its own.
	Input, Output string
	// KeepInput is how full, as a fraction of its cap, the input may get before
	// applied entries are removed. What readers of the tier below look at stays
	// that long; 0 removes at once.
	KeepInput float64
}

// RegionConfig is the region tier of a process that holds its agents.
func RegionConfig(regionOf func(agent string) string) Config {
	return Config{
		Tier: schemas.TierRegion, RegionOf: regionOf,
		Input: schemas.StreamAgentOutbox, Output: schemas.StreamRegionOutbox,
	}
}

// CenterConfig is the center of a process that holds its regions.
func CenterConfig() Config {
	return Config{
		Tier: schemas.TierCenter, Input: schemas.StreamRegionOutbox, Output: schemas.StreamCenterOutbox, KeepInput: 0.5,
	}
}

// Service merges the commits of one tier.
type Service struct {
	cfg    Config
	bus    *bus.Bus
	log    *slog.Logger
	runner *fold.Runner

	mu    sync.Mutex
	folds map[string]*Fold
	runs  map[string]newestRun // by producer below
	dec   schemas.CommitDecoder
}

// newestRun is where the newest commit of a producer starts in the input: it
// stays, because it is the producer's fence and anchor.
type newestRun struct {
	subject  string
	by       string // producer of the partition that applies it
	first, n uint64
	purged   uint64
}

// New makes the service; Run starts it.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Service, error) {
	if cfg.Tier != schemas.TierRegion && cfg.Tier != schemas.TierCenter {
		return nil, fmt.Errorf("gateway tier %q: use %s or %s", cfg.Tier, schemas.TierRegion, schemas.TierCenter)
	}
	s := &Service{
		cfg: cfg, bus: b, log: log.With("service", "gateway", "tier", string(cfg.Tier)),
		folds: map[string]*Fold{}, runs: map[string]newestRun{},
	}
	s.runner = fold.NewRunner(fold.Config{
		Input: cfg.Input, Output: cfg.Output, Route: s.route, Make: s.stage, Seen: s.seen, Committed: s.publish,
	}, b, s.log)
	return s, nil
}

// Run merges until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	stop, err := s.bus.Answer(ctx, schemas.AskGatewayOf(s.cfg.Tier), s.log, s.checks)
	if err != nil {
		return err
	}
	defer stop()
	g.Go(func() error { return s.runner.Run(ctx) })
	g.Go(func() error { s.purge(ctx); return nil })
	return g.Wait()
}

// route names the partition that applies a message.
func (s *Service) route(subject string) []string {
	from, kind, ok := schemas.SourceOf(subject)
	if !ok || kind != schemas.KindCommit {
		return nil
	}
	if s.cfg.Tier == schemas.TierCenter {
		return []string{schemas.Producer(schemas.Center, 0)}
	}
	region := s.cfg.RegionOf(from)
	if region == "" {
		return nil
	}
	return []string{schemas.Producer(region, schemas.Partition(from))}
}

func (s *Service) stage(producer string) *fold.Stage {
	region, partition := schemas.SplitProducer(producer)
	f := NewFold(producer, s.cfg.Tier)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.folds[producer] = f
	return fold.NewStage(producer, f, schemas.GatewayOutbox(region, partition, schemas.KindCommit), s.bus, s.log)
}

// seen follows where the newest commit of each producer below starts.
func (s *Service) seen(st *fold.Stage, m fold.Message) {
	c, err := s.dec.Decode(m.Data, 0)
	if err != nil {
		return // the fold reports it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[c.Producer]
	if c.N == c.RunFirst || r.first == 0 {
		r = newestRun{subject: m.Subject, by: st.Producer, first: m.Seq, purged: r.purged}
	}
	r.n = c.N
	s.runs[c.Producer] = r
}

// publish hands the final windows of a commit to whoever subscribes. Nobody
// waits for them and nothing is sent twice: the outbox is what is sure.
func (s *Service) publish(st *fold.Stage, r *fold.Results) {
	for i := range r.Finals {
		row := publishedRow(st.Producer, &r.Finals[i])
		data, err := json.Marshal(row)
		if err == nil {
			err = s.bus.Publish(schemas.PublishedWindows(row.Tenant, row.View), data)
		}
		if err != nil {
			s.log.Warn("final window not published", "view", row.View, "start", row.Start, "err", err)
		}
	}
}

// purgeEvery is the time between two purges of the input.
const purgeEvery = 10 * time.Second

// purge removes entries that are applied and covered by the older checkpoint of
// their partition, but never the newest commit of a producer.
func (s *Service) purge(ctx context.Context) {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.purgeOnce(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("input not purged", "err", err)
			}
		}
	}
}

func (s *Service) purgeOnce(ctx context.Context) error {
	limit, err := s.purgeLimit(ctx)
	if err != nil || limit == 0 {
		return err
	}
	safe := map[string]uint64{}
	for _, st := range s.runner.Stages() {
		safe[st.Producer] = st.SafeBefore()
	}
	var errs []error
	for name, r := range s.snapshot() {
		below := min(safe[r.by], r.first, limit)
		if below <= r.purged+1 {
			continue
		}
		if err := s.bus.Purge(ctx, r.subject, below); err != nil {
			errs = append(errs, err)
			continue
		}
		s.mu.Lock()
		now := s.runs[name]
		now.purged = below
		s.runs[name] = now
		s.mu.Unlock()
	}
	return errors.Join(errs...)
}

// purgeLimit is the sequence below which the input may be purged at all now; 0:
// nothing, since there is room.
func (s *Service) purgeLimit(ctx context.Context) (uint64, error) {
	u, err := s.bus.Usage(ctx, s.cfg.Input, "")
	if err != nil {
		return 0, err
	}
	if s.cfg.KeepInput == 0 {
		return u.LastSeq + 1, nil
	}
	if float64(u.Bytes) < s.cfg.KeepInput*float64(u.MaxBytes) {
		return 0, nil
	}
	return u.FirstSeq + (u.LastSeq-u.FirstSeq)/4, nil
}

func (s *Service) snapshot() map[string]newestRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]newestRun, len(s.runs))
	for k, v := range s.runs {
		out[k] = v
	}
	return out
}

// checks answers what each partition of this tier knows.
func (s *Service) checks(ctx context.Context, _ []byte) (any, error) {
	wall := time.Now().UnixNano()
	_, behind := s.runner.Position()
	out := []schemas.GatewayCheck{}
	for _, st := range s.runner.Stages() {
		s.mu.Lock()
		f := s.folds[st.Producer]
		s.mu.Unlock()
		err := st.Ask(ctx, func() {
			c := f.check(wall)
			c.Differ = st.Mismatches()
			out = append(out, c)
		})
		if err != nil {
			return nil, err
		}
	}
	if behind == 0 { // everything is applied: a producer that says nothing is no lag
		for i := range out {
			out[i].Lag = 0
		}
	}
	return out, nil
}
