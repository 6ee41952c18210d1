package gateway

import (
	"context"
	"strings"
	"sync"

	"weir/schemas"
	"weir/services/internal/fold"
)

// post is one reader of the input and the partitions that it serves: all of
// them, or the one that a lease is held for.
type post struct {
	*Service
	only   int // the partition; -1: all of them
	runner *fold.Runner

	mu    sync.Mutex
	folds map[string]*Fold
	runs  map[string]newestRun // by producer below; not for an inbox
	dec   schemas.CommitDecoder

	purged  map[string]uint64 // by partition, of an inbox
	damaged map[string]uint64 // by partition, as told last
	caught  bool              // what waited in the input at the start has been read
}

// newestRun is where the newest commit of a producer starts in the input: it
// stays, because it is the producer's fence and anchor.
type newestRun struct {
	subject  string
	by       string // producer of the partition that applies it
	first, n uint64
	purged   uint64
}

// everything is the only reader of the input.
const everything = -1

func (s *Service) newPost(only int) *post {
	p := &post{
		Service: s, only: only, folds: map[string]*Fold{}, runs: map[string]newestRun{},
		purged: map[string]uint64{}, damaged: map[string]uint64{},
	}
	c := fold.Config{Input: s.cfg.Input, Output: s.cfg.Output, Route: p.route, Make: p.stage, Committed: p.publish}
	if !s.cfg.hasInbox() {
		c.Seen = p.seen
	}
	if only != everything {
		c.Subjects = []string{schemas.InboxPartition(s.cfg.Inbox.Region, only)}
	}
	p.runner = fold.NewRunner(c, s.bus, s.log)
	return p
}

// partitions are those of an inbox that it serves.
func (p *post) partitions() []int {
	if p.only != everything {
		return []int{p.only}
	}
	all := make([]int, p.cfg.partitions())
	for i := range all {
		all[i] = i
	}
	return all
}

// producers are its partitions' names, where they are known before the first
// message. Those of an inbox are: they must answer although all that they have
// applied is purged.
func (p *post) producers() (names []string) {
	if !p.cfg.hasInbox() {
		return nil
	}
	for _, i := range p.partitions() {
		names = append(names, schemas.Producer(p.cfg.Inbox.Region, i))
	}
	return names
}

// route names the partition that applies a message.
func (p *post) route(subject string) []string {
	from, kind, ok := schemas.SourceOf(subject)
	if !ok || kind != schemas.KindCommit && kind != schemas.KindFinding {
		return nil
	}
	region := schemas.Center
	if p.cfg.Tier == schemas.TierRegion {
		region = p.regionOf(from)
	}
	if region == "" {
		return nil
	}
	partition := p.partitionOf(from)
	if p.cfg.hasInbox() && !strings.HasPrefix(subject, strings.TrimSuffix(schemas.InboxPartition(region, partition), ">")) {
		return nil // not where its producer belongs: two partitions would count it
	}
	return []string{schemas.Producer(region, partition)}
}

func (p *post) regionOf(producer string) string {
	if p.cfg.hasInbox() {
		return p.cfg.Inbox.Region
	}
	if agent, detector := schemas.CutDetector(producer); detector {
		return p.cfg.RegionOf(agent)
	}
	return p.cfg.RegionOf(producer)
}

// partitionOf is where a producer below belongs.
func (p *post) partitionOf(producer string) int {
	if p.cfg.Tier == schemas.TierCenter {
		return 0
	}
	return schemas.Partition(producer)
}

func (p *post) stage(producer string) *fold.Stage {
	region, partition := schemas.SplitProducer(producer)
	f := NewFold(producer, p.cfg.Tier)
	if p.cfg.hasInbox() {
		f = NewInboxFold(producer, p.cfg.Tier, p.unpacker())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.folds[producer] = f
	return fold.NewStage(producer, f, schemas.GatewayOutbox(region, partition, schemas.KindCommit), p.bus, p.log)
}

func (p *post) unpacker() func(dst, src []byte) ([]byte, error) {
	if p.cfg.Inbox.Unpack == nil {
		return nil
	}
	return p.cfg.Inbox.Unpack()
}

func (p *post) fold(producer string) *Fold {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.folds[producer]
}

// ask runs f for each partition, on the goroutine that owns its core.
func (p *post) ask(ctx context.Context, f func(*fold.Stage, *Fold)) error {
	for _, st := range p.runner.Stages() {
		core := p.fold(st.Producer)
		if err := st.Ask(ctx, func() { f(st, core) }); err != nil {
			return err
		}
	}
	return nil
}

// checks are what its partitions know, at a wall time.
func (p *post) checks(ctx context.Context, wall int64) (out []schemas.GatewayCheck, err error) {
	err = p.ask(ctx, func(st *fold.Stage, f *Fold) {
		c := f.Check(wall)
		c.Differ = st.Mismatches()
		out = append(out, c)
	})
	if _, behind := p.runner.Position(); behind == 0 { // everything is applied: a producer that says nothing is no lag
		for i := range out {
			out[i].Lag = 0
		}
	}
	return out, err
}

// found is what its partitions know of findings.
func (p *post) found(ctx context.Context, _ int64) (out []schemas.FindingReport, err error) {
	err = p.ask(ctx, func(_ *fold.Stage, f *Fold) { out = append(out, f.foundReport()) })
	return out, err
}

// ledgers are those of its partitions' producers, at a wall time.
func (p *post) ledgers(ctx context.Context, wall int64) (out []schemas.AgentLedger, err error) {
	err = p.ask(ctx, func(_ *fold.Stage, f *Fold) { out = append(out, f.Ledgers(wall)...) })
	return out, err
}
