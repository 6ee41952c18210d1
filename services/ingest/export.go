package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"weir/schemas"
	"weir/services/internal/otlp"
)

// This file takes what OTLP requests bring into the same batches as everything
// else.

// exported is what became of a request.
type exported struct {
	rejected int
	detail   string // of the first refusal
}

// Why a request was not taken. It may be sent again.
var (
	errBusy     = errors.New("the journal takes no more at present: send again later")
	errStopping = errors.New("the receiver is stopping: send again")
)

// chunkBytes bounds, roughly, what goes into a frame at once.
const chunkBytes = 64 << 10

// export puts a request into the journal and returns when it is there. After an
// error the outcome is unknown: who sends the same again counts nothing twice.
func (s *Service) export(ctx context.Context, tenant string, signal schemas.Signal, b *otlp.Batch) (exported, error) {
	chunks := s.chunks(tenant, signal, b)
	for i := range chunks {
		if chunks[i].in.route.agent.strain() != relaxed {
			return exported{}, errBusy
		}
	}
	wait := &pending{done: make(chan struct{})}
	wait.left.Store(int64(len(chunks)))
	out := exported{detail: b.Detail}
	for i := range chunks {
		c := &chunks[i]
		c.in.to, c.in.now = wait, time.Now()
		if !s.put(c) {
			return exported{}, errStopping
		}
		for _, r := range c.m.refused {
			out.rejected += r.n
		}
		if out.detail == "" {
			out.detail = c.m.detail
		}
	}
	return out, wait.wait(ctx, s.stopping)
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
	return r.agent.add(&c.in, &c.m, set, r.rules(set), false)
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
	for i := range b.Items {
		it := &b.Items[i]
		c := at(it.Device)
		c.m.readings, c.m.at = append(c.m.readings, it.Reading), append(c.m.at, int(it.Reading.Request.At))
		c.size += sizeOf(&it.Reading)
	}
	for _, r := range b.Refused {
		at(r.Device).m.refuse(r.Reason, r.N, 0, "%s", b.Detail)
	}
	return all
}

// sizeOf is about what a reading takes in a frame.
func sizeOf(r *schemas.Reading) int {
	n := 60
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
	done chan struct{}
}

func (p *pending) answer(*answer) {
	if p.left.Add(-1) == 0 {
		close(p.done)
	}
}

func (p *pending) wait(ctx context.Context, stopping <-chan struct{}) error {
	if p.left.Load() == 0 {
		return nil // an empty request, too
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the request is not in the journal yet: %w", ctx.Err())
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
func (s *Service) exportRules(device string) otlp.Rules {
	set, now := s.agents[0].settings.Load(), time.Now()
	return otlp.Rules{
		Device: device, Wants: set.Wants, Now: now.UnixNano() / 1e6 * 1e6, MaxFuture: set.Rules.MaxFuture + s.agents[0].clock.lead(now),
	}
}
