package exporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/crew"
)

// Config is fixed for the life of a Service.
type Config struct {
	Tier    schemas.Tier // whose outbox is exported: region or center
	Region  string       // whose layer of policy holds too; empty: none
	Secrets string       // folder of the files that policy names
	Product string       // how it calls itself to receivers
}

// Service runs the exporters of one tier as its policy wants them.
type Service struct {
	cfg Config
	bus *bus.Bus
	log *slog.Logger

	crew crew.Crew[*carrier]
}

// New makes the service; Run starts it.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Service, error) {
	if cfg.Tier != schemas.TierRegion && cfg.Tier != schemas.TierCenter {
		return nil, fmt.Errorf("exporters of the tier %q: use %s or %s", cfg.Tier, schemas.TierRegion, schemas.TierCenter)
	}
	return &Service{cfg: cfg, bus: b, log: log.With("service", "exporter", "tier", string(cfg.Tier))}, nil
}

// Run follows policy until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	err := s.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *Service) run(ctx context.Context) error {
	var records *bus.Bucket
	err := bus.Await(ctx, s.log, func() (err error) {
		records, err = s.bus.Bucket(ctx, schemas.BucketExport, 1)
		return err
	})
	if err != nil {
		return err
	}
	stop, err := s.bus.Answer(ctx, schemas.Ask("export", string(s.cfg.Tier)), s.log, s.answer)
	if err != nil {
		return err
	}
	defer stop()
	defer s.crew.Close()
	return crew.Documents(ctx, s.bus, s.log, func(documents map[string][]byte) { s.apply(ctx, documents, records) })
}

// apply makes the exporters those of the documents. What is not valid changes
// nothing: the policy service says so.
func (s *Service) apply(ctx context.Context, documents map[string][]byte, records *bus.Bucket) {
	p, err := planOf(documents, s.cfg.Tier, s.cfg.Region)
	if err != nil {
		return
	}
	s.retire(ctx, p, records)
	for i := range p.exporters {
		e := &p.exporters[i]
		if s.crew.Has(e.Name) {
			continue
		}
		if err := s.start(ctx, p, e, records); err != nil {
			s.log.Error("exporter not started", "exporter", e.Name, "err", err)
		}
	}
}

// retire stops the exporters that are not wanted any more, or not as they are.
func (s *Service) retire(ctx context.Context, p plan, records *bus.Bucket) {
	for name, r := range s.crew.All() {
		i := slices.IndexFunc(p.exporters, func(e schemas.Exporter) bool { return e.Name == name })
		if i >= 0 && reflect.DeepEqual(p.exporters[i], r.cfg) && p.setup(&r.cfg) == r.setup {
			continue
		}
		s.crew.Halt(name)
	}
	s.rest(ctx, p, records)
}

// rest marks the records of exporters that policy does not name any more: nothing
// is kept for them. One that comes back goes on where it was, if it is still there.
func (s *Service) rest(ctx context.Context, p plan, records *bus.Bucket) {
	all, err := records.Keys(ctx)
	for _, e := range all {
		name, ours := strings.CutPrefix(e.Key, string(s.cfg.Tier)+".")
		wanted := slices.ContainsFunc(p.exporters, func(e schemas.Exporter) bool { return e.Name == name })
		r, bad := decodeRecord(e.Value)
		if !ours || wanted || bad != nil || r.Resting {
			continue
		}
		r.Resting = true
		_, failed := records.Update(ctx, e.Key, r.encode(), e.Revision)
		err = errors.Join(err, failed)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("records of exporters that are gone are not marked: the outbox is kept for them", "err", err)
	}
}

// start starts an exporter.
func (s *Service) start(ctx context.Context, p plan, e *schemas.Exporter, records *bus.Bucket) error {
	to, err := dial(e, s.cfg.Secrets, s.cfg.Product)
	if err != nil {
		return err
	}
	c := &carrier{
		cfg: *e, tier: s.cfg.Tier, stream: s.stream(), choice: p.choice(e), setup: p.setup(e),
		store: s.bus, keep: newKeeper(s.bus, records, s.cfg.Tier, e.Name), send: to,
		log: s.log.With("exporter", e.Name), brk: newBreaker(time.Duration(e.Timeout)), clock: realClock(),
	}
	s.crew.Start(ctx, e.Name, c, c.run)
	s.log.Info("exporter started", "exporter", e.Name, "kind", string(e.Kind))
	return nil
}

func (s *Service) stream() string {
	if s.cfg.Tier == schemas.TierCenter {
		return schemas.StreamCenterOutbox
	}
	return schemas.StreamRegionOutbox
}

// answer says how all exporters stand.
func (s *Service) answer(context.Context, []byte) (any, error) {
	list := []schemas.ExportStatus{}
	all := s.crew.All()
	for _, name := range sortedKeys(all) {
		list = append(list, all[name].stat())
	}
	return list, nil
}

// Needed is the first sequence of a tier's outbox that its exporters still have to
// read, by their records; math.MaxUint64: there are none. What is below may go.
func Needed(ctx context.Context, b *bus.Bus, tier schemas.Tier) (uint64, error) {
	records, err := b.Bucket(ctx, schemas.BucketExport, 1)
	if err != nil {
		return 0, err
	}
	all, err := records.Keys(ctx)
	least := uint64(math.MaxUint64)
	for _, e := range all {
		r, bad := decodeRecord(e.Value)
		if strings.HasPrefix(e.Key, string(tier)+".") && bad == nil && !r.Resting {
			least = min(least, r.needs())
		}
	}
	return least, err
}
