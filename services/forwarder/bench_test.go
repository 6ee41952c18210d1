package forwarder

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"weir/schemas"
	"weir/services/internal/bus"
)

// sink stores everything at once, and says that nothing is applied yet until it is
// told to.
type sink struct {
	mu     sync.Mutex
	stored int
	want   int
	full   chan struct{} // closed when want have been stored
}

func (k *sink) Send(_ context.Context, _ string, _ []byte, done func(error)) error {
	done(nil)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stored++; k.stored == k.want {
		close(k.full)
	}
	return nil
}

func (k *sink) Ask(_ context.Context, _ string, data []byte) ([]byte, error) {
	var q schemas.LinkReport
	if err := json.Unmarshal(data, &q); err != nil {
		return nil, err
	}
	return json.Marshal(schemas.LinkGrant{Epoch: q.Epoch, Credit: 1 << 50, Within: 100 * second})
}

// benchEntry is an entry as an agent of 100 devices with three metrics writes them:
// every ten seconds with their windows, else with their early values only.
func benchEntry(enc *schemas.CommitEncoder, n uint64, windows bool) []byte {
	c := &schemas.Commit{Producer: "a001", Epoch: schemas.Epoch{1}, N: n, RunFirst: n, End: true, Time: int64(n) * second, Wall: int64(n) * second}
	c.Views = []schemas.Progress{{View: "device", Size: 10 * second, Uplink: schemas.TierRegion, Emitted: n, Open: 300}}
	for d := range 300 {
		device, metric := fmt.Sprintf("pump-%03d", d/3), []string{"temperature", "pressure", "vibration"}[d%3]
		c.Early = append(c.Early, schemas.Early{Tenant: "acme", Device: device, Metric: metric, Count: 1, Mean: 21.5, Min: 21.5, Max: 21.5, Last: 21.5})
		if windows {
			c.Windows = append(c.Windows, schemas.Window{
				View: "device", Dims: []string{"device", "metric"}, Key: schemas.Key{Tenant: "acme", Values: []string{device, metric}},
				Start: c.Time - 10*second, End: c.Time, FirstN: n, Revision: 1, Timing: schemas.OnTime, Count: 10, Sum: 215, Min: 21, Max: 22,
				First: schemas.Point{Time: c.Time - 10*second, Value: 21.5, ID: n * 7919}, Last: schemas.Point{Time: c.Time - 1, Value: 21.5, ID: n * 104729},
				Digest: n * 15485863, Sketch: []byte(noise(n+uint64(d), 80)),
			})
		}
	}
	return enc.Append(nil, c)
}

// BenchmarkForward reports what it costs to bring an entry: to read it, note it,
// queue it, strip it, pack it and send it.
func BenchmarkForward(b *testing.B) {
	b.Run("tick", func(b *testing.B) { benchmarkForward(b, 500, false) })
	b.Run("windows", func(b *testing.B) { benchmarkForward(b, 100, true) })
}

func benchmarkForward(b *testing.B, entries int, windows bool) {
	out, size := newOutbox(), 0
	out.allowed = func(bus.Message) string { return "" }
	var enc schemas.CommitEncoder
	for n := range uint64(entries) {
		data := benchEntry(&enc, n+1, windows)
		size += len(data)
		out.put(schemas.AgentOutbox("a001", schemas.KindCommit), data)
	}
	b.SetBytes(int64(size / entries))
	b.ReportAllocs()
	b.ResetTimer()
	for forwarded := 0; forwarded < b.N; forwarded += entries {
		up := &sink{want: entries, full: make(chan struct{})}
		s, err := New(agentConfig, out, up, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		<-up.full
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	rounds := (b.N + entries - 1) / entries
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rounds*entries), "ns/entry")
}

// BenchmarkStart reports how long it takes to know an outbox of 20,000 entries of a
// real server, per entry.
func BenchmarkStart(b *testing.B) {
	e, err := bus.Embed(bus.Config{Dir: b.TempDir(), OperatorPassword: "secret", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.Stop)
	if err := e.Ensure(b.Context(), schemas.Edge(schemas.EdgeSizes())); err != nil {
		b.Fatal(err)
	}
	const entries = 20_000
	var enc schemas.CommitEncoder
	for n := range uint64(entries) {
		c := &schemas.Commit{Producer: "a001", Epoch: schemas.Epoch{1}, N: n + 1, RunFirst: n + 1, End: true, Totals: []schemas.Total{{Tenant: noise(n, 1000)}}}
		if _, err := e.Store(b.Context(), schemas.AgentOutbox("a001", schemas.KindCommit), enc.Append(nil, c)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		s, err := New(agentConfig, e.Bus, &sink{}, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		<-s.caught
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/entries, "ns/entry")
}
