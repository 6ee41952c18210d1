// Package services_test runs the flow from the journal to the center in one
// process, on an embedded server.
package services_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/aggregator"
	"weir/services/gateway"
	"weir/services/internal/bus"
)

const ms = 1_000_000

// flow is the journal-to-center part of a process.
type flow struct {
	t      *testing.T
	bus    *bus.Embedded
	agents []aggregator.Agent
	stop   func()
}

func regionOf(agents []aggregator.Agent) func(string) string {
	return func(name string) string {
		for _, a := range agents {
			if a.Name == name {
				return a.Region
			}
		}
		return ""
	}
}

// openFlow starts a server on dir and the services on it.
func openFlow(t *testing.T, dir string, agents []aggregator.Agent) *flow {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	e, err := bus.Embed(bus.Config{Dir: dir, Prefix: schemas.DefaultPrefix, OperatorPassword: "x", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	f := &flow{t: t, bus: e, agents: agents}
	if err := e.Ensure(t.Context(), schemas.OneProcess(schemas.DefaultSizes(), []string{"r01", "r02"})); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	run := func(s interface{ Run(context.Context) error }, err error) {
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Errorf("service: %v", err)
			}
		})
	}
	run(aggregator.New(aggregator.Config{Agents: agents}, e.Bus, log))
	run(gateway.New(gateway.RegionConfig(regionOf(agents)), e.Bus, log))
	run(gateway.New(gateway.CenterConfig(), e.Bus, log))
	f.stop = func() { cancel(); wg.Wait(); e.Stop() }
	return f
}

// journal appends frames of one agent, fenced like ingest does.
type journal struct {
	f       *flow
	agent   string
	n, last uint64
	arrived uint64
	enc     schemas.FrameEncoder
}

func (j *journal) write(fr *schemas.Frame) {
	j.f.t.Helper()
	j.n++
	fr.Agent, fr.N, fr.ArrivedBefore = j.agent, j.n, j.arrived
	j.arrived += fr.Arrived()
	seq, err := j.f.bus.Append(j.f.t.Context(), schemas.Journal(j.agent), j.enc.Append(nil, fr), j.last)
	if err != nil {
		j.f.t.Fatal(err)
	}
	j.last = seq
}

// TestFlowCountsEveryRecordOverRestarts plays two devices on each of four
// agents, restarts the services twice in between, and finds every record in the
// region's and in the center's windows.
func TestFlowCountsEveryRecordOverRestarts(t *testing.T) {
	dir := t.TempDir()
	var agents []aggregator.Agent
	for i := range 4 {
		agents = append(agents, aggregator.Agent{Name: fmt.Sprintf("a%03d", i+1), Region: fmt.Sprintf("r%02d", i%2+1)})
	}
	f := openFlow(t, dir, agents)
	var journals []*journal
	for _, a := range agents {
		journals = append(journals, &journal{f: f, agent: a.Name})
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	start := time.Now().UnixNano() / 10e9 * 10e9
	sent, digest := uint64(0), uint64(0)
	now := start
	for step := range 600 {
		now = start + int64(step)*250*ms
		for i, j := range journals {
			var b schemas.FrameBuilder
			for d := range 2 {
				name := fmt.Sprintf("d%d-%d", i, d)
				v := float64(rnd.IntN(4096)) / 1024
				at := now - int64(rnd.IntN(300))*ms
				b.Add("acme", name, &schemas.Reading{Boot: "b", Numbered: true, Seq: uint64(step), EventTime: at, IngestTime: now, Values: []schemas.Value{{Metric: "t", Value: v}}})
				b.AddFlow("acme", schemas.Metrics, "", "", 1)
				sent++
				digest += schemas.NumberedIdentity(schemas.SeriesIdentity("acme", name, "b", "t"), uint64(step))
			}
			fr := b.Frame()
			fr.HasTick, fr.Tick = true, schemas.Tick{Time: now, Wall: now}
			j.write(fr)
		}
		if step == 200 || step == 400 {
			f.stop()
			f = openFlow(t, dir, agents)
			for _, j := range journals {
				j.f = f
			}
		}
	}
	for range 400 { // nothing more comes: everything becomes final
		now += 250 * ms
		for _, j := range journals {
			j.write(&schemas.Frame{HasTick: true, Tick: schemas.Tick{Time: now, Wall: now}})
		}
	}
	defer func() { f.stop() }()
	for _, c := range []struct {
		stream, view string
	}{{schemas.StreamRegionOutbox, "device"}, {schemas.StreamCenterOutbox, "fleet"}} {
		awaitWindows(t, f, c.stream, c.view, sent, digest)
	}
	await(t, f, schemas.AskLedger, func(ledger []schemas.AgentLedger) bool {
		l := schemas.NewLedger(ledger).Totals
		return l.Unexplained == 0 && l.Counted == sent && l.InFlight == 0 && l.LostDeclared == 0
	})
	for _, tier := range []schemas.Tier{schemas.TierRegion, schemas.TierCenter} {
		await(t, f, schemas.AskGatewayOf(tier), func(checks []schemas.GatewayCheck) bool {
			return !slices.ContainsFunc(checks, func(c schemas.GatewayCheck) bool { return c.Unexplained != 0 || c.Debt != 0 || c.Open != 0 })
		})
	}
}

// TestFlowCommitLargerThanAMessage: ten thousand devices on one agent close ten
// thousand windows at one tick. The commit is a run of entries, and the region
// applies every one.
func TestFlowCommitLargerThanAMessage(t *testing.T) {
	agents := []aggregator.Agent{{Name: "a001", Region: "r01"}}
	f := openFlow(t, t.TempDir(), agents)
	defer func() { f.stop() }()
	j := &journal{f: f, agent: "a001"}
	const devices = 10_000
	start := time.Now().UnixNano() / 10e9 * 10e9
	digest := uint64(0)
	for d := 0; d < devices; {
		var b schemas.FrameBuilder
		for ; d < devices && b.Size() < 200<<10; d++ {
			name := fmt.Sprintf("device-%05d", d)
			for seq := range uint64(20) { // enough for a sketch that is not exact
				b.Add("acme", name, &schemas.Reading{Boot: "b", Numbered: true, Seq: seq, EventTime: start + int64(seq)*ms, IngestTime: start, Values: []schemas.Value{{Metric: "t", Value: float64(seq * 37 % 101)}}})
				b.AddFlow("acme", schemas.Metrics, "", "", 1)
				digest += schemas.NumberedIdentity(schemas.SeriesIdentity("acme", name, "b", "t"), seq)
			}
		}
		j.write(b.Frame())
	}
	for _, at := range []int64{1, 60, 200} { // all at once on time, later final
		j.write(&schemas.Frame{HasTick: true, Tick: schemas.Tick{Time: start + at*1000*ms, Wall: start + at*1000*ms}})
	}
	awaitWindows(t, f, schemas.StreamRegionOutbox, "device", 20*devices, digest)
	run := 0
	err := f.bus.Read(t.Context(), schemas.StreamAgentOutbox, 0, true, func(m bus.Message) error {
		c, err := new(schemas.CommitDecoder).Decode(m.Data, 0)
		if err == nil {
			run = max(run, int(c.N-c.RunFirst)+1)
		}
		return err
	})
	if err != nil || run < 2 {
		t.Errorf("longest run of entries: %d, want several: %v", run, err)
	}
}

// await asks until the answer is right: what a fold has applied is right soon after
// what it has made of it is there.
func await[T any](t *testing.T, f *flow, subject string, right func(T) bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		var answer T
		data, err := f.bus.Ask(t.Context(), subject, nil)
		if err = errors.Join(err, json.Unmarshal(data, &answer)); err == nil && right(answer) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not right: %s %v", subject, data, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// awaitWindows reads a tier's commits until the latest revisions of a view hold
// what was sent, and fails with what is missing.
func awaitWindows(t *testing.T, f *flow, stream, view string, sent, digest uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	latest := map[string]schemas.Window{}
	var d schemas.CommitDecoder
	var count, sum uint64
	done := fmt.Errorf("done")
	err := f.bus.Read(ctx, stream, 0, false, func(m bus.Message) error {
		c, err := d.Decode(m.Data, schemas.WithAll)
		if err != nil {
			return err
		}
		for _, w := range append(c.Windows, c.Local...) {
			if w.View != view {
				continue
			}
			k := fmt.Sprint(w.Key, w.Start, w.Contributor, w.FirstN)
			if old := latest[k]; w.Revision <= old.Revision {
				t.Errorf("%s %s: revision %d after %d", view, k, w.Revision, old.Revision)
			}
			count += w.Count - latest[k].Count
			sum += w.Digest - latest[k].Digest
			latest[k] = w
		}
		if count == sent && sum == digest && m.Pending == 0 {
			return done
		}
		return nil
	})
	if err != done {
		for _, subject := range []string{schemas.AskLedger, schemas.AskGatewayOf(schemas.TierRegion), schemas.AskGatewayOf(schemas.TierCenter)} {
			data, err := f.bus.Ask(t.Context(), subject, nil)
			t.Logf("%s: %s %v", subject, data, err)
		}
		t.Fatalf("%s windows in %s: %d of %d records, digest equal %v, in %d windows: %v", view, stream, count, sent, sum == digest, len(latest), err)
	}
}
