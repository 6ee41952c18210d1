package main

import (
	"context"
	"fmt"
	"time"

	"weir/services/forwarder"
	"weir/services/gateway"
	"weir/services/internal/bus"
	"weir/services/internal/pack"
	"weir/services/internal/run"
	"weir/services/policy"
)

// This file makes the services of a site that does not stand alone: what it hands
// down, and what it brings up.

// newHub makes who tells the tier below what policy wants of it.
func (p *plant) newHub() ([]part, error) {
	h, err := policy.NewHub(policy.HubConfig{Region: p.site.Name, Language: p.site.language(), Copy: p.site.linked, Speaks: p.speaks}, p.bus, p.log)
	p.hub = h
	return []part{{hubService, h}}, err
}

// speaks reports whether this process is the one of its region that answers for it.
func (p *plant) speaks() bool { return p.gateway == nil || p.gateway.Speaks() }

// keepOutbox is how full an outbox may be with what is applied above already, so
// that commands that look at this tier find something.
const keepOutbox = 0.5

// newForwarder makes who brings the outbox to the tier above.
func (p *plant) newForwarder() ([]part, error) {
	up, err := p.sender()
	if err != nil {
		return nil, err
	}
	f, err := forwarder.New(forwarder.Config{
		Tier: p.site.tier(), Name: p.site.Name, Upstream: p.site.above(), Stream: p.site.outbox(), Budget: p.budget, Keep: keepOutbox, Needed: p.needed(p.site.tier()), Policy: p.news,
	}, p.bus, p.held(up), p.log)
	return []part{{forwarderService, &linkedService{f, up}}}, err
}

// news tells the policy cache that the tier above has a newer policy.
func (p *plant) news(revision uint64) {
	if p.cache != nil {
		p.cache.Nudge(revision)
	}
}

// newCache makes who keeps the bucket of this process as the tier above wants it.
func (p *plant) newCache() ([]part, error) {
	up, err := p.sender()
	if err != nil {
		return nil, err
	}
	cfg := policy.CacheConfig{Place: policy.Place{Region: p.site.Name}}
	if p.site.Role == roleAgent {
		cfg = policy.CacheConfig{Agent: p.site.Name, Place: policy.Place{Region: p.site.Region, Group: p.site.group}}
	}
	p.cache, err = policy.NewCache(cfg, p.bus, p.held(up), p.log)
	return []part{{cacheService, &linkedService{p.cache, up}}}, err
}

// firstPolicy is how long an agent waits at its very first start for the policy of
// the tier above, before it starts with what is built in. Devices wait with it: a
// change of windows takes effect later than a first policy does.
const firstPolicy = 3 * time.Second

// afterFirst runs the policy service of a new agent once the tier above has
// answered, or has had its time to.
func (p *plant) afterFirst(s run.Service) run.Service {
	if !p.site.linked || !p.fresh {
		return s
	}
	return run.Func(func(ctx context.Context) error {
		wait := time.NewTimer(firstPolicy)
		defer wait.Stop()
		select {
		case <-p.cache.First():
		case <-wait.C:
			p.log.Info("no policy from above yet: starting with what is here")
		case <-ctx.Done():
			return nil
		}
		return s.Run(ctx)
	})
}

// linkedService is a service with its own way to the tier above, which ends with it.
type linkedService struct {
	service interface{ Run(context.Context) error }
	up      *bus.Sender
}

// Run runs the service and closes the way.
func (s *linkedService) Run(ctx context.Context) error {
	defer s.up.Close()
	return s.service.Run(ctx)
}

// heldUp is a way to the tier above for who holds the lease on it. A process that
// was stopped for a while neither asks nor believes an answer: it knows of an outbox
// and a bucket as they were.
type heldUp struct {
	up    *bus.Sender
	holds func() bool
}

// held is a way up that ends with the lease on it, where there is one.
func (p *plant) held(up *bus.Sender) heldUp {
	if p.uplink == nil {
		return heldUp{up, func() bool { return true }}
	}
	return heldUp{up, func() bool { return p.uplink.Holds(0) }}
}

// errNotHeld is a link that is another's by now.
var errNotHeld = fmt.Errorf("%w: another gateway of the region has the link to the tier above by now", bus.ErrLost)

// Send sends a message to be stored; see bus.Sender.
func (u heldUp) Send(ctx context.Context, subject string, data []byte, done func(error)) error {
	if !u.holds() {
		return errNotHeld
	}
	return u.up.Send(ctx, subject, data, done)
}

// Ask sends a question and waits for its answer.
func (u heldUp) Ask(ctx context.Context, subject string, data []byte) ([]byte, error) {
	if !u.holds() {
		return nil, errNotHeld
	}
	answer, err := u.up.Ask(ctx, subject, data)
	if err == nil && !u.holds() {
		return nil, errNotHeld
	}
	return answer, err
}

// place says where an agent of this process stands.
func (p *plant) place(agent string) policy.Place {
	for _, a := range p.agents() {
		if a.Name == agent {
			return policy.Place{Region: a.Region, Group: p.site.group}
		}
	}
	return policy.Place{}
}

// largestEntry bounds an entry once it is unpacked: what one message may hold.
const largestEntry = 8 << 20

// inbox is what a gateway has that runs apart from its producers.
func (p *plant) inbox() gateway.Inbox {
	return gateway.Inbox{
		Region: p.site.Name, Policy: p.hub.RevisionFor,
		Unpack: func() func(dst, src []byte) ([]byte, error) {
			u := new(pack.Unpacker)
			return func(dst, src []byte) ([]byte, error) { return u.Unpack(dst, src, largestEntry) }
		},
	}
}
