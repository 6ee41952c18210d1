package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"weir/lab/harness"
	"weir/schemas"
)

// exported counts, of one signal, what the SDK's exporter had an answer for, and
// what it gave up on: that may be in the journal or not.
type exported struct{ answered, lost atomic.Uint64 }

func (e *exported) note(n int, err error) {
	if err != nil {
		e.lost.Add(uint64(n))
		return
	}
	e.answered.Add(uint64(n))
}

// again is how the exporters try again: until a restart is over.
var again = otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: 100 * time.Millisecond, MaxInterval: time.Second, MaxElapsedTime: time.Minute}

// perExport is how many items the clients export at a time.
const perExport = 100

// TestOTelSDKThroughKills has the exporters of OpenTelemetry's Go SDK send while the
// product is killed. They send again what had no answer, and everything is counted
// once.
func TestOTelSDKThroughKills(t *testing.T) {
	addr := harness.FreeAddress(t)
	p := harness.Start(t, weir, "--otlp-grpc", addr)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var spans, points, records exported
	send := [...]func(turn int){
		spanSender(ctx, t, addr, &spans), pointSender(ctx, t, addr, &points), recordSender(ctx, t, addr, &records),
	}
	var stop atomic.Bool
	var clients sync.WaitGroup
	for _, one := range send {
		clients.Go(func() {
			for turn := 0; !stop.Load() && ctx.Err() == nil; turn++ {
				one(turn)
			}
		})
	}
	for range 3 {
		before := spans.answered.Load() + points.answered.Load() + records.answered.Load()
		harness.Until(t, time.Minute, func() string {
			now := spans.answered.Load() + points.answered.Load() + records.answered.Load()
			if now < before+10*perExport {
				return fmt.Sprintf("the clients have answers for %d items, then %d", before, now)
			}
			return ""
		})
		harness.Pause(time.Duration(rand.IntN(50)) * time.Millisecond)
		p.Kill()
		p.Launch()
		p.Ready()
	}
	stop.Store(true)
	clients.Wait()

	var ledger *schemas.Ledger
	harness.Until(t, 2*time.Minute, func() string {
		ledger = p.Ledger()
		return harness.Unbalanced(ledger)
	})
	for signal, e := range map[schemas.Signal]*exported{schemas.Traces: &spans, schemas.Metrics: &points, schemas.Logs: &records} {
		a := ledger.Signals[string(signal)]
		least := e.answered.Load()
		if a.Counted < least || a.Counted > least+e.lost.Load() || a.Counted+a.Duplicate != a.Received || a.LostDeclared > 0 {
			t.Errorf("%s: %d items were answered and %d given up on, the ledger has %+v", signal, least, e.lost.Load(), a)
		}
		if signal == schemas.Traces {
			wantSpans(t, p, a.Counted)
		}
		t.Logf("%s: %d answered, %d given up on, %d counted, %d received twice", signal, least, e.lost.Load(), a.Counted, a.Duplicate)
	}
}

// wantSpans wants so many spans in the windows of the device and in those of the fleet.
func wantSpans(t *testing.T, p *harness.Product, want uint64) {
	t.Helper()
	for tier, view := range map[string]string{"region": "device", "center": "fleet"} {
		harness.Until(t, time.Minute, func() string {
			var n uint64
			for _, w := range p.Windows("--tier", tier, "--view", view, "--metric", schemas.SpanMetric, "--tenant", "default", "--limit", "1000") {
				n += w.Count
			}
			if n != want {
				return fmt.Sprintf("%d spans in windows of the %s, want %d", n, tier, want)
			}
			return ""
		})
	}
}

// service is what the clients say of themselves.
var service = resource.NewSchemaless(attribute.String("service.name", "shop"))

func spanSender(ctx context.Context, t *testing.T, addr string, e *exported) func(int) {
	x, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(addr), otlptracegrpc.WithInsecure(),
		otlptracegrpc.WithTimeout(time.Minute), otlptracegrpc.WithRetry(again))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Shutdown(context.Background()) })
	return func(turn int) {
		stubs := make(tracetest.SpanStubs, perExport)
		for i := range stubs {
			end := time.Now()
			stubs[i] = tracetest.SpanStub{
				Name: "buy", Resource: service, StartTime: end.Add(-time.Millisecond), EndTime: end,
				SpanContext: oteltrace.NewSpanContext(oteltrace.SpanContextConfig{
					TraceID: oteltrace.TraceID{1, byte(turn), byte(turn >> 8), byte(turn >> 16)}, SpanID: oteltrace.SpanID{1, byte(i)},
				}),
			}
		}
		e.note(perExport, x.ExportSpans(ctx, stubs.Snapshots()))
	}
}

func pointSender(ctx context.Context, t *testing.T, addr string, e *exported) func(int) {
	x, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(addr), otlpmetricgrpc.WithInsecure(),
		otlpmetricgrpc.WithTimeout(time.Minute), otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig(again)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Shutdown(context.Background()) })
	began := time.Now()
	return func(turn int) {
		points := make([]metricdata.DataPoint[int64], perExport)
		for i := range points {
			points[i] = metricdata.DataPoint[int64]{Attributes: attribute.NewSet(attribute.Int("shelf", i)), StartTime: began, Time: time.Now(), Value: int64(turn)}
		}
		sold := metricdata.Metrics{Name: "sold", Data: metricdata.Sum[int64]{DataPoints: points, Temporality: metricdata.CumulativeTemporality, IsMonotonic: true}}
		e.note(perExport, x.Export(ctx, &metricdata.ResourceMetrics{Resource: service, ScopeMetrics: []metricdata.ScopeMetrics{{Metrics: []metricdata.Metrics{sold}}}}))
	}
}

// recordSender sends log records with OTLP's own client, and again until there is
// an answer: no log SDK fits the versions of the rest yet.
func recordSender(ctx context.Context, t *testing.T, addr string, e *exported) func(int) {
	cc, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return func(turn int) {
		ld := plog.NewLogs()
		all := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
		for i := range perExport {
			r := all.AppendEmpty()
			r.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
			r.SetSeverityNumber(plog.SeverityNumberInfo)
			r.Body().SetStr(fmt.Sprintf("turn %d, record %d", turn, i))
		}
		request := plogotlp.NewExportRequestFromLogs(ld)
		_, err := plogotlp.NewGRPCClient(cc).Export(ctx, request)
		for tries := 0; err != nil && tries < 600 && ctx.Err() == nil; tries++ {
			harness.Pause(100 * time.Millisecond)
			_, err = plogotlp.NewGRPCClient(cc).Export(ctx, request)
		}
		e.note(perExport, err)
	}
}
