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
	"sync"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
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

	mu      sync.Mutex
	running map[string]*running
}

// running is an exporter at work.
type running struct {
	*carrier
	stop context.CancelFunc
	done chan struct{}
}

// New makes the service; Run starts it.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Service, error) {
	if cfg.Tier != schemas.TierRegion && cfg.Tier != schemas.TierCenter {
		return nil, fmt.Errorf("exporters of the tier %q: use %s or %s", cfg.Tier, schemas.TierRegion, schemas.TierCenter)
	}
	return &Service{cfg: cfg, bus: b, log: log.With("service", "exporter", "tier", string(cfg.Tier)), running: map[string]*running{}}, nil
}

// settleFor is how long policy may change before it is followed: a start reads its
// whole history.
const settleFor = 100 * time.Millisecond

// Run follows policy until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	documents, err := s.bus.Bucket(ctx, schemas.BucketPolicy, policyHistory)
	if err != nil {
		return quiet(ctx, err)
	}
	records, err := s.bus.Bucket(ctx, schemas.BucketExport, 1)
	if err != nil {
		return quiet(ctx, err)
	}
	stop, err := s.bus.Answer(ctx, schemas.Ask("export", string(s.cfg.Tier)), s.log, s.answer)
	if err != nil {
		return quiet(ctx, err)
	}
	defer stop()
	defer s.end()
	return s.follow(ctx, documents, records)
}

// policyHistory is that of the bucket POLICY, which the policy service opens too.
const policyHistory = 20

// quiet is an error that is none once ctx has ended.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// follow applies what the bucket holds, then every change.
func (s *Service) follow(ctx context.Context, documents, records *bus.Bucket) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := make(chan bus.Entry, 64)
	failed := make(chan error, 1)
	go func() {
		failed <- documents.Watch(ctx, func() {}, func(e bus.Entry) {
			select {
			case changes <- e:
			case <-ctx.Done():
			}
		})
	}()
	known := map[string][]byte{}
	settle := time.NewTimer(settleFor)
	defer settle.Stop()
	for {
		select {
		case e := <-changes:
			if known[e.Key] = e.Value; e.Value == nil {
				delete(known, e.Key)
			}
			settle.Reset(settleFor)
		case <-settle.C:
			s.apply(ctx, known, records)
		case err := <-failed:
			return quiet(ctx, err)
		}
	}
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
		if s.at(e.Name) != nil {
			continue
		}
		if err := s.start(ctx, p, e, records); err != nil {
			s.log.Error("exporter not started", "exporter", e.Name, "err", err)
		}
	}
}

// retire stops the exporters that are not wanted any more, or not as they are.
func (s *Service) retire(ctx context.Context, p plan, records *bus.Bucket) {
	for name, r := range s.all() {
		i := slices.IndexFunc(p.exporters, func(e schemas.Exporter) bool { return e.Name == name })
		if i >= 0 && reflect.DeepEqual(p.exporters[i], r.cfg) && p.setup(&r.cfg) == r.setup {
			continue
		}
		s.halt(name, r)
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
	ctx, stop := context.WithCancel(ctx)
	r := &running{stop: stop, done: make(chan struct{}), carrier: &carrier{
		cfg: *e, tier: s.cfg.Tier, stream: s.stream(), choice: p.choice(e), setup: p.setup(e),
		store: s.bus, keep: newKeeper(s.bus, records, s.cfg.Tier, e.Name), send: to,
		log: s.log.With("exporter", e.Name), brk: newBreaker(time.Duration(e.Timeout)), clock: realClock(),
	}}
	s.mu.Lock()
	s.running[e.Name] = r
	s.mu.Unlock()
	go func() {
		defer close(r.done)
		r.run(ctx)
	}()
	s.log.Info("exporter started", "exporter", e.Name, "kind", string(e.Kind))
	return nil
}

func (s *Service) stream() string {
	if s.cfg.Tier == schemas.TierCenter {
		return schemas.StreamCenterOutbox
	}
	return schemas.StreamRegionOutbox
}

func (s *Service) halt(name string, r *running) {
	r.stop()
	<-r.done
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, name)
}

// end stops all exporters at once.
func (s *Service) end() {
	all := s.all()
	for _, r := range all {
		r.stop()
	}
	for name, r := range all {
		s.halt(name, r)
	}
}

func (s *Service) at(name string) *running {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running[name]
}

func (s *Service) all() map[string]*running {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]*running, len(s.running))
	for name, r := range s.running {
		all[name] = r
	}
	return all
}

// answer says how all exporters stand.
func (s *Service) answer(context.Context, []byte) (any, error) {
	list := []schemas.ExportStatus{}
	all := s.all()
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
