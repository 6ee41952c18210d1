package interop

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/lab/harness"
	"weir/schemas"
)

// generate runs telemetrygen to its end. It sends as fast as it can from two workers, and
// tries again what is refused.
func generate(t *testing.T, signal, endpoint string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args = append([]string{signal, "--otlp-endpoint", endpoint, "--otlp-insecure", "--rate", "0", "--workers", "2", "--timeout", "60s"}, args...)
	if out, err := exec.CommandContext(ctx, *telemetrygen, args...).CombinedOutput(); err != nil {
		t.Fatalf("telemetrygen %v: %v: %s", args, err, out)
	}
}

// TestTelemetrygen: everything that the generator sends is counted, by signal, over both
// transports and in every kind of metric.
func TestTelemetrygen(t *testing.T) {
	t.Parallel()
	needs(t, "telemetrygen", *telemetrygen)
	overGRPC, overHTTP := harness.FreeAddress(t), harness.FreeAddress(t)
	p := harness.Start(t, weir, "--otlp-grpc", overGRPC, "--otlp-http", overHTTP)
	const workers, transports, traces, spans, logs, points = 2, 2, 200, 5, 1000, 250
	kinds := []string{"Gauge", "Sum", "Histogram", "ExponentialHistogram"}
	for _, over := range [transports][]string{{overGRPC}, {overHTTP, "--otlp-http"}} {
		generate(t, "traces", over[0], append(over[1:], "--traces", strconv.Itoa(traces), "--child-spans", strconv.Itoa(spans-1))...)
		generate(t, "logs", over[0], append(over[1:], "--logs", strconv.Itoa(logs))...)
		for _, kind := range kinds {
			generate(t, "metrics", over[0], append(over[1:], "--metrics", strconv.Itoa(points), "--metric-type", kind, "--otlp-metric-name", kind)...)
		}
	}
	want := map[schemas.Signal]uint64{
		schemas.Traces: transports * workers * traces * spans, schemas.Logs: transports * workers * logs,
		schemas.Metrics: transports * workers * points * uint64(len(kinds)),
	}
	harness.Until(t, time.Minute, func() string {
		l := p.Ledger()
		for signal, n := range want {
			if a := l.Signals[string(signal)]; a.Received != n || a.Counted != n {
				return fmt.Sprintf("%s: want %d received and counted, the ledger has %+v", signal, n, a)
			}
		}
		return harness.Unbalanced(l)
	})
}

// collect starts a collector that hands spans on to Weir and metrics to a sink.
func collect(t *testing.T, address, spansTo, metricsTo string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "collector.yaml")
	config := fmt.Sprintf(`
receivers: {otlp: {protocols: {grpc: {endpoint: %s}}}}
exporters:
  otlp: {endpoint: %s, tls: {insecure: true}}
  otlphttp: {endpoint: %s}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [otlp]}
    metrics: {receivers: [otlp], exporters: [otlphttp]}
`, address, spansTo, metricsTo)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(file + ".log")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(*collector, "--config", "file:"+file)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		_ = log.Close()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("the collector said: %s", said[max(0, len(said)-2000):])
		}
	})
	harness.Until(t, time.Minute, func() string {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return "the collector does not listen: " + err.Error()
		}
		_ = c.Close() // it was a question
		return ""
	})
}

// TestThroughCollector: spans come through a collector, and what Weir makes of them goes through it to a receiver, to the
// record, with exemplars of the same traces that Weir shows.
func TestThroughCollector(t *testing.T) {
	t.Parallel()
	needs(t, "collector", *collector)
	needs(t, "telemetrygen", *telemetrygen)
	s := newSink(t)
	overHTTP, _ := s.listen()
	middle, in := harness.FreeAddress(t), harness.FreeAddress(t)
	p := harness.Start(t, weir, "--otlp-grpc", in, "--policy", policyOf(
		t, patient, map[string]any{"name": "collector", "kind": "otlp", "protocol": "grpc", "at": "region", "views": []string{"device"}, "endpoint": "http://" + middle},
	))
	collect(t, middle, in, overHTTP)
	const spans = 2 * 300 * 3
	generate(t, "traces", middle, "--traces", "300", "--child-spans", "2", "--span-duration", "20ms")
	d := p.Connect("clock")
	defer func() { _ = d.Close() }() // all it had to say was acknowledged
	harness.Until(t, time.Minute, func() string {
		say(t, d, "clock", fmt.Sprintf(`{"clock":1,"ts":%d}`, time.Now().UnixMilli()))
		s.mu.Lock()
		defer s.mu.Unlock()
		var n uint64
		for stream, count := range s.newest {
			if strings.Contains(stream, schemas.SpanMetric) {
				n += count
			}
		}
		if n != spans {
			return fmt.Sprintf("the receiver behind the collector has %d spans in windows, want %d", n, spans)
		}
		return ""
	})
	shown := map[string]bool{}
	for _, w := range p.Windows("--view", "device", "--tenant", "default", "--metric", schemas.SpanMetric) {
		for _, e := range w.Exemplars {
			shown[e.TraceID] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(shown) == 0 || !maps.Equal(shown, s.traces) {
		t.Errorf("weir windows shows the traces %v, the receiver has %v", slices.Sorted(maps.Keys(shown)), slices.Sorted(maps.Keys(s.traces)))
	}
}
