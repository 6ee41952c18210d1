package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// region is the server of a region with an inbox, and what was put there.
type region struct {
	*testing.T
	*bus.Embedded
	log  *slog.Logger
	sent uint64            // records in the windows brought
	n    map[string]uint64 // newest entry by agent
}

func newRegion(t *testing.T) *region {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	e, err := bus.Embed(bus.Config{Dir: t.TempDir(), OperatorPassword: "secret", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	if err := e.Ensure(t.Context(), schemas.Region(schemas.DefaultSizes(), "r01")); err != nil {
		t.Fatal(err)
	}
	return &region{T: t, Embedded: e, log: log, n: map[string]uint64{}}
}

// connect is a connection of one gateway's own.
func (r *region) connect(name string) *bus.Bus {
	r.Helper()
	b, err := r.Embedded.Connect(name)
	if err == nil {
		err = b.Ensure(r.Context(), schemas.Region(schemas.DefaultSizes(), "r01"))
	}
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(b.Close)
	return b
}

// start runs a gateway on a connection. end stops it and returns its error.
func (r *region) start(cfg Config, b *bus.Bus) (s *Service, end func() error) {
	r.Helper()
	s, err := New(cfg, b, r.log)
	if err != nil {
		r.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() error { cancel(); return <-done }
}

// packed marks messages that the tests' unpack takes.
var packed = []byte("packed:")

func testUnpack() func(dst, src []byte) ([]byte, error) {
	return func(dst, src []byte) ([]byte, error) {
		rest, ok := bytes.CutPrefix(src, packed)
		if !ok {
			return nil, errors.New("not packed")
		}
		return append(dst, rest...), nil
	}
}

func packedInbox() Inbox { return Inbox{Region: "r01", Unpack: testUnpack} }

// entry is the next one of an agent: a window of one device.
func (r *region) entry(agent string) []byte {
	r.n[agent]++
	n := r.n[agent]
	w := sketched("device", "device", agent+"-d", int64(n)*10*second, n, 1, 2, 3)
	r.sent += w.Count
	c := tellingOne(agent, n, int64(n)*10, w)
	c.Views[0].View, c.Views[0].Emitted = "device", 3*n
	return append(slices.Clone(packed), new(schemas.CommitEncoder).Append(nil, c)...)
}

func (r *region) put(agent string, data []byte) {
	r.Helper()
	if _, err := r.Store(r.Context(), schemas.Inbox("r01", schemas.Partition(agent), agent, schemas.LaneLive), data); err != nil {
		r.Fatal(err)
	}
}

// report asks like a forwarder until it is answered and enough is applied.
func (r *region) report(agent string, backfill int64, enough func(*schemas.LinkGrant) bool) *schemas.LinkGrant {
	r.Helper()
	q, err := json.Marshal(schemas.LinkReport{Producer: agent, Epoch: schemas.Epoch{1}.String(), Newest: r.n[agent], Entries: 1, Backfill: backfill})
	if err != nil {
		r.Fatal(err)
	}
	var g schemas.LinkGrant
	r.ask(schemas.Link("r01", schemas.Partition(agent), agent), q, func(data []byte) bool {
		g = schemas.LinkGrant{}
		return json.Unmarshal(data, &g) == nil && enough(&g)
	})
	return &g
}

// ask asks again and again, with more patience each time, until the answer is enough.
func (r *region) ask(subject string, question []byte, enough func(answer []byte) bool) {
	r.Helper()
	var answer []byte
	var err error
	began := time.Now()
	for patience := 100 * time.Millisecond; time.Since(began) < time.Minute; patience *= 2 {
		ctx, cancel := context.WithTimeout(r.Context(), min(patience, 10*time.Second))
		answer, err = r.Ask(ctx, subject, question)
		cancel()
		if err == nil && enough(answer) {
			return
		}
		r.pause()
	}
	r.Fatalf("%s: not the wanted answer; the last one: %s, %v", subject, answer, err)
}

// applied is enough when exactly these entries are.
func applied(spans ...schemas.Span) func(*schemas.LinkGrant) bool {
	return func(g *schemas.LinkGrant) bool { return slices.Equal(g.Applied, spans) }
}

// checks asks what the gateways know, until all partitions are answered for.
func (r *region) checks(partitions int) map[string]schemas.GatewayCheck {
	r.Helper()
	var all map[string]schemas.GatewayCheck
	r.ask(schemas.AskGatewayOf(schemas.TierRegion), nil, func(answer []byte) bool {
		var checks []schemas.GatewayCheck
		if json.Unmarshal(answer, &checks) != nil {
			return false
		}
		all = map[string]schemas.GatewayCheck{}
		for _, c := range checks {
			all[c.Producer] = c
		}
		return len(all) == partitions && len(checks) == partitions
	})
	return all
}

func (r *region) pause() { <-time.After(20 * time.Millisecond) }

// wantExact wants every record that was brought in the windows of the outbox,
// once, and nothing that anybody wonders about.
func (r *region) wantExact() {
	r.Helper()
	latest := map[string]schemas.Window{}
	count := uint64(0)
	err := r.Read(r.Context(), schemas.StreamRegionOutbox, 0, true, func(m bus.Message) error {
		c, err := new(schemas.CommitDecoder).Decode(m.Data, schemas.WithAll)
		if err != nil {
			return err
		}
		for _, w := range append(c.Windows, c.Local...) {
			k := fmt.Sprint(windowKey(&w), w.Contributor, w.Epoch, w.FirstN)
			if w.Revision <= latest[k].Revision {
				r.Errorf("%s: revision %d after %d", k, w.Revision, latest[k].Revision)
			}
			count += w.Count - latest[k].Count
			latest[k] = w
		}
		return nil
	})
	if err != nil || count != r.sent {
		r.Errorf("%d records in the windows, %d were brought: %v", count, r.sent, err)
	}
}

// wantClean wants nothing that is missing, unexplained or different.
func (r *region) wantClean(checks map[string]schemas.GatewayCheck) {
	r.Helper()
	for name, c := range checks {
		if c.Debt != 0 || c.Unexplained != 0 || c.Differ != 0 {
			r.Errorf("%s: %+v", name, c)
		}
	}
}

// TestInbox runs a gateway on an inbox: out of order, repeated and damaged
// messages, messages on other subjects than their producer's, reports, restarts,
// and an inbox that keeps nothing that is not needed.
func TestInbox(t *testing.T) {
	r := newRegion(t)
	s, end := r.start(InboxConfig(packedInbox()), r.Bus)
	one, two, three, four := r.entry("a1"), r.entry("a1"), r.entry("a1"), r.entry("a1")
	r.put("a1", three)
	r.put("a1", []byte("in no form that we know"))
	r.put("a1", append(slices.Clone(packed), schemas.CommitVersion+1))
	r.put("a2", three)
	r.put("a1", one)
	r.put("a1", three)
	astray := schemas.Inbox("r01", (schemas.Partition("a1")+1)%schemas.Partitions, "a1", schemas.LaneLive)
	if _, err := r.Store(t.Context(), astray, two); err != nil {
		t.Fatal(err)
	}
	g := r.report("a1", 1<<20, applied(schemas.Span{From: 1, To: 1}, schemas.Span{From: 3, To: 3}))
	if g.Within != owingWithin || g.Epoch != (schemas.Epoch{1}).String() {
		t.Errorf("grant %+v", g)
	}
	r.report("a2", 1<<20, func(g *schemas.LinkGrant) bool { return g.Applied != nil && len(g.Applied) == 0 && g.Credit > 0 })
	partition := schemas.Producer("r01", schemas.Partition("a1"))
	var c schemas.GatewayCheck
	r.await("the repeat is read", func() bool {
		c = r.checks(schemas.Partitions)[partition]
		return c.Repeats == 1
	})
	if c.Debt != 1 || c.Unexplained != 0 || c.Entries != 2 {
		t.Errorf("check %+v", c)
	}
	if f := s.serving()[0].fold(partition); f.damaged < 2 {
		t.Errorf("%d damaged messages", f.damaged)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	_, end = r.start(InboxConfig(packedInbox()), r.Bus)
	r.put("a1", two)
	r.report("a1", 0, applied(schemas.Span{From: 1, To: 3}))
	r.wantExactOf(3)
	if err := end(); err != nil {
		t.Fatal(err)
	}
	s, end = r.start(InboxConfig(packedInbox()), r.Bus)
	r.put("a1", four)
	r.report("a1", 0, applied(schemas.Span{From: 1, To: 4}))
	p := s.serving()[0]
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if err := p.purge(t.Context()); err != nil { // the ends of two processes have made two checkpoints
		t.Fatal(err)
	}
	if u, err := r.Usage(t.Context(), schemas.StreamRegionInbox, ""); err != nil || u.Messages > 4 {
		t.Errorf("%d messages are kept: %v", u.Messages, err)
	}
	_, end = r.start(InboxConfig(packedInbox()), r.Bus)
	r.report("a1", 0, applied(schemas.Span{From: 1, To: 4}))
	r.wantClean(r.checks(schemas.Partitions))
	r.wantExact()
	if err := end(); err != nil {
		t.Fatal(err)
	}
}

// wantExactOf is wantExact when so many entries have come.
func (r *region) wantExactOf(entries uint64) {
	r.Helper()
	all := r.sent
	r.sent = 3 * entries
	r.wantExact()
	r.sent = all
}
