package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"weir/schemas"
)

// export is a weir up under OTLP over gRPC at full speed, from the request to the
// views, until its ledger has closed.
type export struct {
	Name    string          `json:"name"`
	Items   uint64          `json:"items"` // exported and answered
	Seconds float64         `json:"seconds"`
	CPU     float64         `json:"cpu_seconds_per_100000"`
	Wanted  float64         `json:"wanted_cpu_seconds_per_100000"`
	Ratio   float64         `json:"ratio_to_no_rules,omitempty"` // of its CPU to that of the same without rules
	Halfway int64           `json:"halfway_rss_bytes"`           // in half of the time
	End     int64           `json:"end_rss_bytes"`
	Retries uint64          `json:"retries"` // requests that were told to come again
	Ledger  schemas.Account `json:"ledger"`
}

// How it is exported: by services that each have a connection and wait for each
// answer, in requests as large as a collector sends.
const (
	exporters    = 8
	perRequest   = 1000
	operations   = 20
	exportsFor   = 30 * time.Second
	quickExports = 2 * time.Second
)

// exportPolicy has the views of docs/otlp.md, and rules.
const exportPolicy = `{"rules":[%s],"views":[
	{"name":"spans","match":{"metric":"weir.span"},"group_by":["attrs.service.name","attrs.span.name","attrs.span.kind","attrs.status.code"],"uplink":"center"},
	{"name":"logs","match":{"metric":"weir.log"},"group_by":["attrs.service.name","attrs.severity"],"uplink":"center"}]}`

// exportRules are the three of examples/policy-rules.json, so that each span goes through all of them and on.
const exportRules = `
	{"name":"drop-health-checks","on":"spans","action":"drop","conditions":["IsMatch(attributes[\"url.path\"], \"^/(health|live|ready)z?$\")"]},
	{"name":"keep-slower-than-1us","on":"spans","action":"keep","conditions":["end_time - start_time > Duration(\"1us\")"]},
	{"name":"add-edge-region","on":"spans","action":"transform","statements":["set(attributes[\"edge.region\"], \"north\")"]}`

// sender exports one request.
type sender func(ctx context.Context, cc *grpc.ClientConn, service, request int) error

// measureExports measures once each: there is no floor. What rules cost is the ratio to
// the same without them.
func measureExports(ctx context.Context, o options) (all []export, err error) {
	const spans = "spans over OTLP"
	for _, x := range []struct {
		name   string
		wanted float64
		send   sender
		rules  string
	}{
		{spans, 1, sendSpans, ""},
		{spans + ", three rules", 1, sendSpans, exportRules},
		{"metric points over OTLP", 0.5, sendPoints, ""},
		{"log records over OTLP", 1, sendLogs, ""},
	} {
		if !strings.Contains(x.name, o.only) {
			continue
		}
		e := export{Name: x.name, Wanted: x.wanted}
		if err := e.measure(ctx, o, x.send, x.rules); err != nil {
			return all, fmt.Errorf("%s: %w", x.name, err)
		}
		if x.rules != "" && len(all) > 0 && all[len(all)-1].Name == spans {
			e.Ratio = e.CPU / all[len(all)-1].CPU
		}
		fmt.Fprintf(o.notice, "%s: %d in %.1f s, %.2f s of CPU per 100,000\n", e.Name, e.Items, e.Seconds, e.CPU)
		all = append(all, e)
	}
	return all, nil
}

func (e *export) measure(ctx context.Context, o options, send sender, rules string) (err error) {
	policy, err := os.CreateTemp("", "weir-bench-*.json")
	if err != nil {
		return err
	}
	defer os.Remove(policy.Name())
	if _, err = fmt.Fprintf(policy, exportPolicy, rules); err != nil {
		return err
	}
	if err := policy.Close(); err != nil {
		return err
	}
	w, err := startProduct(o, devicesPerAgent, "--otlp-grpc", "127.0.0.1:0", "--policy", filepath.Clean(policy.Name()))
	if err != nil {
		return err
	}
	return errors.Join(e.load(ctx, o, w, send), w.stop())
}

// load exports for a while, waits until the ledger has closed and takes stock.
func (e *export) load(ctx context.Context, o options, w *product, send sender) error {
	before, err := cpuOf(w.pid())
	if err != nil {
		return err
	}
	span := exportsFor
	if o.quick {
		span = quickExports
	}
	began := time.Now()
	half := time.AfterFunc(span/2, func() { e.Halfway, _ = residentOf(w.pid()) })
	defer half.Stop()
	if err := e.flood(ctx, w, began.Add(span), send); err != nil {
		return err
	}
	e.Seconds = time.Since(began).Seconds()
	if err := e.close(ctx, w); err != nil {
		return err
	}
	after, err := cpuOf(w.pid())
	if err != nil {
		return err
	}
	e.CPU = (after - before).Seconds() / float64(e.Items) * 1e5
	e.End, err = residentOf(w.pid())
	return err
}

// flood exports until a time, from all services at once.
func (e *export) flood(ctx context.Context, w *product, until time.Time, send sender) error {
	var items, retries atomic.Uint64
	var services sync.WaitGroup
	failed := make(chan error, exporters)
	for service := range exporters {
		services.Go(func() {
			cc, err := grpc.NewClient(w.at.OTLPGRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				failed <- err
				return
			}
			defer cc.Close()
			for request := 0; time.Now().Before(until); request++ {
				for send(ctx, cc, service, request) != nil { // busy: the same again
					if retries.Add(1) > 10_000 || ctx.Err() != nil {
						failed <- errors.New("10,000 requests were not taken")
						return
					}
					time.Sleep(50 * time.Millisecond)
				}
				items.Add(perRequest)
			}
		})
	}
	services.Wait()
	e.Items, e.Retries = items.Load(), retries.Load()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// close waits until everything that was exported is accounted for.
func (e *export) close(ctx context.Context, w *product) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for end := time.Now().Add(time.Minute); ; {
		l, err := w.ledger(ctx)
		if err == nil {
			e.Ledger = l.Totals
		}
		if err == nil && l.Totals.Received >= e.Items && l.Totals.InFlight == 0 || time.Now().After(end) {
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func named(r pcommon.Resource, service int) {
	r.Attributes().PutStr("service.name", fmt.Sprintf("service-%d", service))
	r.Attributes().PutStr("telemetry.sdk.language", "go")
}

// traceID is different for each item of a run.
func traceID(service, request, item int) (id pcommon.TraceID) {
	binary.LittleEndian.PutUint32(id[:], uint32(service+1))
	binary.LittleEndian.PutUint32(id[4:], uint32(request+1))
	binary.LittleEndian.PutUint32(id[8:], uint32(item))
	return id
}

func sendSpans(ctx context.Context, cc *grpc.ClientConn, service, request int) error {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	named(rs.Resource(), service)
	all := rs.ScopeSpans().AppendEmpty().Spans()
	all.EnsureCapacity(perRequest)
	now := time.Now()
	for i := range perRequest {
		s, id := all.AppendEmpty(), traceID(service, request, i)
		s.SetTraceID(id)
		s.SetSpanID(pcommon.SpanID(id[4:12]))
		s.SetParentSpanID(pcommon.SpanID(id[:8]))
		s.SetName(fmt.Sprintf("GET /things/%d", i%operations))
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(now.Add(-time.Duration(1+i) * 100 * time.Microsecond)))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(now))
		s.Attributes().PutStr("http.request.method", "GET")
		s.Attributes().PutStr("url.path", "/things/17")
		s.Attributes().PutInt("http.response.status_code", 200)
		s.Attributes().PutStr("server.address", "10.0.0.7")
		if i%50 == 0 {
			s.Status().SetCode(ptrace.StatusCodeError)
		}
	}
	_, err := ptraceotlp.NewGRPCClient(cc).Export(ctx, ptraceotlp.NewExportRequestFromTraces(td))
	return err
}

// sendPoints sends half gauges and half sums that go up, of few metrics with many
// attributes, as a program's instruments have them.
func sendPoints(ctx context.Context, cc *grpc.ClientConn, service, request int) error {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	named(rm.Resource(), service)
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	now := pcommon.NewTimestampFromTime(time.Now())
	for i := range operations {
		m := metrics.AppendEmpty()
		m.SetName(fmt.Sprintf("instrument.%d", i))
		points := m.SetEmptyGauge().DataPoints()
		if i%2 == 0 {
			sum := m.SetEmptySum()
			sum.SetIsMonotonic(true)
			sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			points = sum.DataPoints()
		}
		for j := range perRequest / operations {
			p := points.AppendEmpty()
			p.SetTimestamp(now)
			p.SetStartTimestamp(1)
			p.SetDoubleValue(float64(request*1000 + j))
			p.Attributes().PutStr("http.route", fmt.Sprintf("/things/%d", j))
			p.Attributes().PutStr("http.request.method", "GET")
		}
	}
	_, err := pmetricotlp.NewGRPCClient(cc).Export(ctx, pmetricotlp.NewExportRequestFromMetrics(md))
	return err
}

func sendLogs(ctx context.Context, cc *grpc.ClientConn, service, request int) error {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	named(rl.Resource(), service)
	all := rl.ScopeLogs().AppendEmpty().LogRecords()
	now := pcommon.NewTimestampFromTime(time.Now())
	for i := range perRequest {
		l := all.AppendEmpty()
		l.SetTimestamp(now)
		l.SetTraceID(traceID(service, request, i))
		l.SetSeverityNumber(plog.SeverityNumber(1 + i%24))
		l.Body().SetStr("request answered after 17 ms with 200")
		l.Attributes().PutStr("thread", "main")
	}
	_, err := plogotlp.NewGRPCClient(cc).Export(ctx, plogotlp.NewExportRequestFromLogs(ld))
	return err
}

var exportColumns = []string{"what", "items", "per second", "s of CPU per 100,000", "wanted", "of that without rules", "RSS halfway and at the end, MB", "told to come again", "ledger"}

// ratio is what rules make of the cost; empty: it has none, or what to compare it with was not measured.
func (e *export) ratio() string {
	if e.Ratio == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", e.Ratio)
}

func (e *export) row() []string {
	return []string{
		e.Name, count(float64(e.Items)), count(float64(e.Items) / e.Seconds), significant(e.CPU), "≤ " + significant(e.Wanted), e.ratio(),
		count(float64(e.Halfway)/1e6) + ", " + count(float64(e.End)/1e6), count(float64(e.Retries)), e.balanced(),
	}
}

// balanced is the ledger in a word.
func (e *export) balanced() string {
	if e.Ledger == (schemas.Account{Received: e.Items, Counted: e.Items}) {
		return "equal"
	}
	return fmt.Sprintf("%+v", e.Ledger)
}
