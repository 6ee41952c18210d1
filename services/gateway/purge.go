package gateway

import (
	"context"
	"errors"
	"maps"

	"weir/schemas"
	"weir/services/internal/fold"
)

// purge removes input that is applied and covered by the older checkpoint of its
// partition.
func (p *post) purge(ctx context.Context) error {
	if p.cfg.hasInbox() {
		return p.purgeInbox(ctx)
	}
	return p.purgeOutbox(ctx)
}

// purgeInbox leaves nothing that no restart needs: what producers need to go on
// they keep themselves.
func (p *post) purgeInbox(ctx context.Context) error {
	var errs []error
	for _, st := range p.runner.Stages() {
		below := st.SafeBefore()
		if below <= p.purged[st.Producer]+1 {
			continue
		}
		region, partition := schemas.SplitProducer(st.Producer)
		if err := p.bus.Purge(ctx, schemas.InboxPartition(region, partition), below); err != nil {
			errs = append(errs, err)
			continue
		}
		p.purged[st.Producer] = below
	}
	return errors.Join(errs...)
}

// purgeOutbox leaves the newest commit of each producer: it is its fence and
// anchor.
func (p *post) purgeOutbox(ctx context.Context) error {
	limit, err := p.purgeLimit(ctx)
	if err != nil || limit == 0 {
		return err
	}
	safe := map[string]uint64{}
	for _, st := range p.runner.Stages() {
		safe[st.Producer] = st.SafeBefore()
	}
	var errs []error
	for name, r := range p.newestRuns() {
		below := min(safe[r.by], r.first, limit)
		if below <= r.purged+1 {
			continue
		}
		if err := p.bus.Purge(ctx, r.subject, below); err != nil {
			errs = append(errs, err)
			continue
		}
		p.mu.Lock()
		now := p.runs[name]
		now.purged = below
		p.runs[name] = now
		p.mu.Unlock()
	}
	return errors.Join(errs...)
}

// purgeLimit is the sequence below which the input may be purged at all now; 0:
// nothing, since there is room.
func (p *post) purgeLimit(ctx context.Context) (uint64, error) {
	u, err := p.bus.Usage(ctx, p.cfg.Input, "")
	if err != nil {
		return 0, err
	}
	if p.cfg.KeepInput == 0 {
		return u.LastSeq + 1, nil
	}
	if float64(u.Bytes) < p.cfg.KeepInput*float64(u.MaxBytes) {
		return 0, nil
	}
	limit := u.FirstSeq + (u.LastSeq-u.FirstSeq)/4
	if p.cfg.Needed == nil || float64(u.Bytes) >= nearlyFull*float64(u.MaxBytes) {
		return limit, nil
	}
	needed, err := p.cfg.Needed(ctx)
	return min(limit, needed), err
}

// nearlyFull is the part of the input's cap above which nobody is waited for: a
// full outbox would hold up its producer.
const nearlyFull = 0.9

// seen follows where the newest commit of each producer below starts.
func (p *post) seen(st *fold.Stage, m fold.Message) {
	c, err := p.dec.Decode(m.Data, 0)
	if err != nil {
		return // the fold reports it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.runs[c.Producer]
	if c.N == c.RunFirst || r.first == 0 {
		r = newestRun{subject: m.Subject, by: st.Producer, first: m.Seq, purged: r.purged}
	}
	r.n = c.N
	p.runs[c.Producer] = r
}

func (p *post) newestRuns() map[string]newestRun {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.runs)
}
