package ingest

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"weir/schemas"
	"weir/services/internal/otlp"
)

// This file takes what OTLP requests bring into the same batches as everything
// else.

// exported is what became of a request.
type exported struct {
	rejected  int
	detail    string // of the first refusal
	journaled *pending
}

// chunkBytes bounds, roughly, what goes into a frame at once.
const chunkBytes = 64 << 10

// export hands a request to the agents. After an error some of it may be there
// already: who sends the same again counts nothing twice.
func (s *Service) export(ctx context.Context, tenant string, signal schemas.Signal, b *otlp.Batch) (exported, error) {
	chunks := s.chunks(tenant, signal, b)
	for i := range chunks {
		if chunks[i].in.route.agent.strain() == full {
			return exported{}, errBusy
		}
	}
	out := exported{journaled: newPending(len(chunks))}
	for i := range chunks {
		c := &chunks[i]
		if err := s.await(ctx, c.in.route.agent); err != nil {
			return exported{}, err
		}
		c.in.to, c.in.now = out.journaled, time.Now()
		if !s.put(c) {
			return exported{}, errStopping
		}
		for _, r := range c.m.refused {
			out.rejected += r.n
		}
		out.detail = cmp.Or(out.detail, c.m.detail)
	}
	return out, nil
}

// await returns when an agent has room.
func (s *Service) await(ctx context.Context, a *agent) error {
	for a.strain() == stalled {
		select {
		case <-a.eased():
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.stopping:
			return errStopping
		}
	}
	if a.strain() == full {
		return errBusy
	}
	return nil
}

// put hands one device's part of a request to its agent. It reports false if that
// takes no more.
func (s *Service) put(c *chunk) bool {
	r := c.in.route
	set := r.agent.settings.Load()
	if most := int(s.limits.tenants.Load()); !r.bad && !s.router.admit(r, most) {
		n := c.m.records()
		c.m.clear()
		c.m.refuse(schemas.TenantLimit, n, 0, "tenant %s would be one more than %d", r.tenant, most)
		c.in.route = s.router.nowhere(r.subject)
		c.in.route.signal = r.signal
		r = c.in.route
	}
	if !r.agent.add(&c.in, &c.m, set, r.rules(set), false) {
		return false
	}
	if c.m.detail != "" {
		s.park.offer(&c.in, &c.m)
	}
	return true
}

// chunk is a part of a request that one device sent.
type chunk struct {
	in   arrival
	m    message
	size int
}

// chunks divides a request by devices, and what is large into several.
func (s *Service) chunks(tenant string, signal schemas.Signal, b *otlp.Batch) []chunk {
	var all []chunk
	open := map[string]int{} // by device
	at := func(device string) *chunk {
		i, known := open[device]
		if !known || all[i].size > chunkBytes {
			i = len(all)
			all = append(all, chunk{in: arrival{route: s.routeOf(tenant, device, signal)}})
			open[device] = i
		}
		return &all[i]
	}
	for items := b.Items; len(items) > 0; {
		n, size := run(items)
		at(items[0].Device).add(items[:n], size)
		items = items[n:]
	}
	for _, r := range b.Refused {
		at(r.Device).m.refuse(r.Reason, r.N, r.At, "%s", r.Detail)
	}
	for _, d := range b.Dropped {
		at(d.Device).m.drop([]otlp.Refusal{d})
	}
	for _, h := range b.Held {
		at(h.Device).m.hold([]otlp.Refusal{h})
	}
	return all
}

// run is how many of the first items are of one device and fit a chunk.
func run(items []otlp.Item) (n, size int) {
	for n < len(items) && items[n].Device == items[0].Device && size <= chunkBytes {
		size += sizeOf(&items[n].Reading)
		n++
	}
	return n, size
}

// add takes the readings of items that take about size in a frame.
func (c *chunk) add(items []otlp.Item, size int) {
	c.m.readings, c.m.at = slices.Grow(c.m.readings, len(items)), slices.Grow(c.m.at, len(items))
	for i := range items {
		r := &items[i].Reading
		c.m.readings, c.m.at = append(c.m.readings, *r), append(c.m.at, int(r.Request.At))
	}
	c.size += size
}

// sizeOf is about what a reading takes in a frame.
func sizeOf(r *schemas.Reading) int {
	n := 60 + len(r.Log)
	for i := range r.Values {
		n += 40 + len(r.Values[i].Sketch)
	}
	for _, a := range r.Attrs {
		n += 4 + len(a.Value)
	}
	return n
}

// routeOf is the route of a device that speaks OTLP.
func (s *Service) routeOf(tenant, device string, signal schemas.Signal) *route {
	return s.router.find(schemas.Telemetry(tenant, device, signal), schemas.ParseTelemetry)
}

// pending waits until all parts of a request are in the journal.
type pending struct {
	left atomic.Int64
	done chan struct{} // closed when nothing is left
}

func newPending(parts int) *pending {
	p := &pending{done: make(chan struct{})}
	p.left.Store(int64(parts))
	if parts == 0 {
		close(p.done)
	}
	return p
}

func (p *pending) answer(*answer) {
	if p.left.Add(-1) == 0 {
		close(p.done)
	}
}

func (p *pending) wait(ctx context.Context, stopping <-chan struct{}) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-stopping:
	}
	select { // what was taken is still written
	case <-p.done:
		return nil
	case <-time.After(time.Second):
		return errStopping
	}
}

// exportRules are the rules that an OTLP request is read by.
func (s *Service) exportRules(c *call, tenant, device string) otlp.Rules {
	set, now := s.agents[0].settings.Load(), time.Now()
	return otlp.Rules{
		Device: device, Wants: set.Wants, Judge: s.judge(tenant, c.signal, &c.ruling), Now: now.UnixNano() / 1e6 * 1e6, MaxFuture: set.Rules.MaxFuture + s.agents[0].clock.lead(now),
		Pass: func(device string) otlp.PassLimit { return s.passLimit(tenant, device) }, PassBytes: otlp.MaxBytes,
	}
}

// passLimit is that of a device of a tenant.
func (s *Service) passLimit(tenant, device string) otlp.PassLimit {
	r := s.routeOf(tenant, device, schemas.Logs)
	return r.rules(r.agent.settings.Load()).passLimit()
}

// ruled counts what the rules of policy did to a request that was taken.
func (s *Service) ruled(r *ruling) {
	for _, f := range s.rules.count(r) {
		s.logger.Warn("a rule of policy fails; it is counted, and this is said once for each revision", "rule", f.Rule, "on", f.On, "revision", f.Revision, "error", f.Failure)
	}
}
