package gateway

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/fold"
	"weir/services/internal/lease"
)

// Service merges the commits of one tier.
type Service struct {
	cfg   Config
	bus   *bus.Bus
	log   *slog.Logger
	began time.Time
	share *lease.Keeper // of the partitions; nil: all of them are ours

	mu      sync.Mutex
	posts   map[*post]struct{} // that serve now
	credits credits            // of backfill
}

// New makes the service; Run starts it.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Service, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Inbox.Budget == 0 {
		cfg.Inbox.Budget = DefaultBudget
	}
	s := &Service{
		cfg: cfg, bus: b, log: log.With("service", "gateway", "tier", string(cfg.Tier)),
		began: time.Now(), posts: map[*post]struct{}{},
	}
	if l := cfg.Leases; l != nil {
		s.share = lease.New(lease.Config{
			Store: l.Store, Region: cfg.Inbox.Region, Partitions: cfg.partitions(), Name: l.Name, ID: l.ID, Times: l.Times,
		}, s.log)
	}
	return s, nil
}

// Run merges until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	stop, err := s.answerTier(ctx)
	defer stop()
	if err != nil {
		return err
	}
	if s.share == nil {
		return s.serve(ctx, everything)
	}
	stopOwners, err := s.answerOwners(ctx)
	if err != nil {
		return err
	}
	defer stopOwners()
	return s.share.Keep(ctx, s.serve)
}

// serve runs a post until ctx ends or its input, its outbox or its fence fails.
func (s *Service) serve(ctx context.Context, only int) error {
	p := s.newPost(only)
	g, ctx := errgroup.WithContext(ctx)
	stop, err := s.open(ctx, p)
	defer stop()
	if err != nil {
		return err
	}
	s.enter(p)
	defer s.leave(p)
	g.Go(func() error { return p.runner.Run(ctx, p.producers()...) })
	g.Go(func() error { s.tend(ctx, p); return nil })
	return g.Wait()
}

// open lets a post answer on its partitions' subjects.
func (s *Service) open(ctx context.Context, p *post) (stop func(), err error) {
	var open stops
	began := time.Now()
	for _, name := range p.producers() {
		region, partition := schemas.SplitProducer(name)
		f, err := s.bus.Subscribe(schemas.LinkPartition(region, partition), 1<<20, func(r bus.Request) {
			if s.owns(partition) && !p.catchingUp(int64(time.Since(began))) {
				s.answerReport(ctx, p, r)
			}
		})
		if err == nil {
			open = append(open, f)
			err = s.answerPartition(ctx, p, name, &open)
		}
		if err != nil {
			return open.all, err
		}
	}
	return open.all, nil
}

// wall is the time as people know it, Unix ns.
func (s *Service) wall() int64 { return time.Now().UnixNano() }

// answerWithin bounds an answer to a report: its forwarder asks again.
const answerWithin = 5 * time.Second

func (s *Service) answerReport(ctx context.Context, p *post, r bus.Request) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	g, err := p.grant(ctx, int64(time.Since(s.began)), r.Subject, r.Data)
	var data []byte
	if err == nil {
		data, err = json.Marshal(g)
	}
	if err == nil {
		err = r.Reply(data)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("forwarder is not answered", "err", err)
	}
}

// credit deals backfill. Two gateways of a region share its budget as they share
// its partitions.
func (s *Service) credit(now int64, who string, backfill int64, behind bool) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	owned := 0
	for p := range s.posts {
		owned += len(p.partitions())
	}
	s.credits.setBudget(now, float64(s.cfg.Inbox.Budget)*float64(owned)/float64(s.cfg.partitions()))
	return s.credits.grant(now, who, backfill, behind)
}

func (s *Service) enter(p *post) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts[p] = struct{}{}
}

func (s *Service) leave(p *post) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.posts, p)
}

// serving are the posts that serve now, less those whose partitions are another's
// by now.
func (s *Service) serving() (out []*post) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.posts {
		if p.only == everything || s.owns(p.only) {
			out = append(out, p)
		}
	}
	return out
}

// tendEvery is the time between two looks at what has been applied.
const tendEvery = 10 * time.Second

// tend removes input that is not needed any more, and tells of what cannot be
// read.
func (s *Service) tend(ctx context.Context, p *post) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := p.purge(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("input not purged", "err", err)
			}
			_ = p.ask(ctx, func(_ *fold.Stage, f *Fold) { s.tellDamage(p, f) }) // fails only where a stage has ended
		}
	}
}

func (s *Service) tellDamage(p *post, f *Fold) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.damaged > p.damaged[f.producer] {
		p.damaged[f.producer] = f.damaged
		s.log.Error("messages cannot be read, or are not what their subject says; their entries are missing until they come again",
			"partition", f.producer, "messages", f.damaged)
	}
}

// publish hands the final windows and the findings of a commit to whoever subscribes.
// Nobody waits for them and nothing is sent twice: the outbox is what is sure.
func (s *Service) publish(st *fold.Stage, r *fold.Results) {
	s.publishFindings(st, r.Findings)
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

func (s *Service) publishFindings(st *fold.Stage, findings []schemas.Finding) {
	where, _ := schemas.SplitProducer(st.Producer)
	for i := range findings {
		event := schemas.FindingEvent(where, &findings[i])
		data, err := json.Marshal(event)
		if err == nil {
			err = s.bus.Publish(schemas.PublishedFindings(s.cfg.Tier, event.Data.Tenant), data)
		}
		if err != nil {
			s.log.Warn("finding not published", "finding", event.ID, "err", err)
		}
	}
}
