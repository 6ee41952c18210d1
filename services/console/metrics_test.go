package console

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"weir/pkg/sketch"
	"weir/schemas"
)

var rewrite = flag.Bool("rewrite", false, "write golden files anew")

// whole is a rig of which every metric can be had.
func whole(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	agent, region := balanced("a1", "demo"), check(schemas.TierRegion, 0)
	held := schemas.Total{Tenant: "demo", Signal: schemas.Logs, Stage: schemas.StageIngest, Outcome: schemas.HeldBack, Reason: schemas.LogRate, N: 6}
	agent.Rows = append(agent.Rows, held)
	region.Passing = []schemas.Total{held}
	r.reply(schemas.AskLedger, []schemas.AgentLedger{agent})
	r.reply(schemas.AskGateway+".region", []schemas.GatewayCheck{region})
	r.reply(schemas.AskIngest, map[string]any{
		"Ready": true, "MQTT": map[string]any{"Unauthorized": map[string]int{"password": 2}},
		"Rules":    []map[string]any{{"Rule": "health", "On": "spans", "Revision": 7, "Hits": 5, "Drops": 4, "Errors": 1}},
		"Commands": map[string]any{"Heard": 4, "Delivered": 3, "Dropped": map[string]int{"away": 1}}, "Messages": []map[string]any{{"Protocol": "mqtt", "QoS": "1", "N": 9}},
	})
	r.reply(schemas.Ask("policy", "status"), map[string]any{"invalid": 3})
	r.reply(askServer, map[string]any{"server_restarts": 2, "disk_free_bytes": 1 << 30, "disk_needed_bytes": 8 << 20, "disk_reserve_bytes": 16 << 20, "damaged": 1, "lost_messages": 4})
	r.reply(schemas.AskFindings(schemas.TierAgent), []schemas.FindingReport{{
		Producer: schemas.Detector("a1"), Tier: schemas.TierAgent, Findings: []schemas.FindingRow{{ID: "1", State: "open", Severity: "warning"}},
		Counts: []schemas.FindingCount{{Tenant: "demo", Detector: "ensemble", Severity: "warning", N: 2}}, Detector: &schemas.DetectorState{Series: 7},
	}})
	r.reply(schemas.AskNotify(schemas.TierCenter), []schemas.ReceiverStatus{{Name: "ops", Tier: schemas.TierCenter, Told: 5}})
	r.reply(schemas.AskOwnersOf(schemas.TierRegion), schemas.Owners{Tier: schemas.TierRegion, Owners: []string{"g1", "g2"}})
	r.reply(schemas.Ask("export", string(schemas.TierCenter)), []schemas.ExportStatus{{Name: "prom", Tier: schemas.TierCenter, Breaker: "open", Points: 7, LogsRejected: 2, Requests: 3, Failed: 1}})
	r.reply(schemas.AskLink(schemas.TierRegion), schemas.LinkStatus{Tier: schemas.TierRegion, Upstream: schemas.Center, Up: true})
	return r
}

// follow runs the follower until it has read all that the center has written.
func (r *rig) follow() {
	r.t.Helper()
	u, err := r.bus.Usage(r.t.Context(), schemas.StreamCenterOutbox, "")
	if err != nil {
		r.t.Fatal(err)
	}
	m := r.service.metrics
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	done := make(chan error)
	go func() { done <- m.follow(ctx, r.bus.Bus, func(err error) { r.t.Error(err) }) }()
	for {
		m.mu.Lock()
		next := m.next
		m.mu.Unlock()
		if next > u.LastSeq {
			break
		}
		runtime.Gosched()
	}
	cancel()
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
}

// scrape reads /metrics in the format that accept asks for.
func (r *rig) scrape(accept string) map[string]*dto.MetricFamily {
	r.t.Helper()
	q, err := http.NewRequest(http.MethodGet, r.api.URL+"/metrics", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	q.Header.Set("Accept", accept)
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	format := expfmt.ResponseFormat(answer.Header)
	if format.FormatType() == expfmt.TypeTextPlain {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(answer.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		return families
	}
	families, in := map[string]*dto.MetricFamily{}, expfmt.NewDecoder(answer.Body, format)
	for {
		var f dto.MetricFamily
		if err := in.Decode(&f); err == io.EOF {
			return families
		} else if err != nil {
			r.t.Fatal(err)
		}
		families[f.GetName()] = &f
	}
}

const (
	asText     = "text/plain"
	asProtobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)

// value is the metric of a family with these label values, in the order of the labels' names.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) *dto.Metric {
	for _, m := range families[name].GetMetric() {
		var got []string
		for _, l := range m.GetLabel() {
			got = append(got, l.GetName()+"="+l.GetValue())
		}
		if slices.Equal(got, labels) {
			return m
		}
	}
	return nil
}

// fleet is a window of the center's view by class.
func fleet(class string, start int64, revision uint32, values ...float64) schemas.Window {
	return window("fleet", fleetDims, []string{"demo", class, "temp"}, start, revision, schemas.OnTime, values...)
}

// TestLogRecordsAreServed: what becomes of log records that rules choose is told for each tier, and
// is no outcome of records.
func TestLogRecordsAreServed(t *testing.T) {
	families := whole(t).scrape(asText)
	for _, tier := range []string{"tier=agent", "tier=region"} {
		if m := value(families, "weir_log_records_total", "outcome=held_back", "reason=log_rate", "tenant=demo", tier); m.GetCounter().GetValue() != 6 {
			t.Errorf("%s: %v", tier, m)
		}
	}
	for _, m := range families["weir_records_total"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetValue() == string(schemas.HeldBack) {
				t.Errorf("among the records is %v", m)
			}
		}
	}
}

func TestMetricsGolden(t *testing.T) {
	r := whole(t)
	r.follow()
	r.commit(schemas.GatewayOutbox(schemas.Center, 0, schemas.KindCommit), entry("center/0", 1, fleet("pump", r.now, 1, 1, 2, 3)))
	r.follow()
	families := r.scrape(asProtobuf)
	var got strings.Builder
	for _, d := range descs {
		f := families[d.name]
		if f == nil {
			t.Errorf("%s is not served", d.name)
			continue
		}
		labels := map[string]bool{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = true
			}
		}
		if len(labels) != len(d.labels) {
			t.Errorf("%s is served with the labels %v, declared with %v", d.name, labels, d.labels)
		}
		if kind := strings.ToLower(f.GetType().String()); !strings.HasSuffix(d.kind, kind) {
			t.Errorf("%s is served as %s, declared as %s", d.name, kind, d.kind)
		}
		fmt.Fprintf(&got, "%s %s {%s}\n", d.name, d.kind, strings.Join(d.labels, ","))
	}
	if len(families) != len(descs) {
		t.Errorf("%d families are served, %d declared", len(families), len(descs))
	}
	const golden = "testdata/metrics.golden"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got.String() != string(want) {
		t.Errorf("served:\n%s\nwant (%v):\n%s", got.String(), err, want)
	}
}

func TestMetricsValues(t *testing.T) {
	r := whole(t)
	families := r.scrape(asText)
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"weir_records_total", []string{"outcome=received", "reason=", "tenant=demo", "tier=agent"}, 12_400},
		{"weir_records_total", []string{"outcome=counted", "reason=", "tenant=demo", "tier=agent"}, 11_950},
		{"weir_records_total", []string{"outcome=rejected", "reason=future", "tenant=demo", "tier=agent"}, 31},
		{"weir_records_in_flight", nil, 407},
		{"weir_ledger_unexplained", nil, 0},
		{"weir_messages_total", []string{"protocol=mqtt", "qos=1"}, 9},
		{"weir_rule_hits_total", []string{"on=spans", "revision=7", "rule=health"}, 5},
		{"weir_rule_drops_total", []string{"on=spans", "revision=7", "rule=health"}, 4},
		{"weir_rule_errors_total", []string{"on=spans", "revision=7", "rule=health"}, 1},
		{"weir_lag_seconds", []string{"agent=a1", "tier=agent"}, 0.86},
		{"weir_lag_seconds", []string{"agent=r0/1", "tier=region"}, 0.5},
		{"weir_windows_total", []string{"tier=region", "timing=on_time", "view=late:device"}, 2},
		{"weir_open_series", []string{"agent=a1"}, 4},
		{"weir_stream_limit_bytes", []string{"stream=CENTER_OUTBOX"}, 256 << 20},
		{"weir_policy_revision", []string{"agent=a1"}, 7},
		{"weir_policy_invalid_total", nil, 3},
		{"weir_server_restarts_total", nil, 2},
		{"weir_disk_free_bytes", nil, 1 << 30},
		{"weir_disk_needed_bytes", nil, 8 << 20},
		{"weir_disk_reserve_bytes", nil, 16 << 20},
		{"weir_store_damaged", nil, 1},
		{"weir_store_lost_messages", nil, 4},
		{"weir_invariant_violations_total", []string{"invariant=ledger"}, 0},
		{"weir_invariant_violations_total", []string{"invariant=replay"}, 0},
		{"weir_build_info", []string{"go=go1.26", "revision=", "version=test"}, 1},
	} {
		m := value(families, c.name, c.labels...)
		if got := m.GetCounter().GetValue() + m.GetGauge().GetValue(); m == nil || got != c.want {
			t.Errorf("%s %v: %v, want %v", c.name, c.labels, m, c.want)
		}
	}
}

// TestGaps: what nobody answers is left out, not shown as zero.
func TestGaps(t *testing.T) {
	families := newRig(t).scrape(asText)
	for _, name := range []string{"weir_records_total", "weir_records_in_flight", "weir_ledger_unexplained", "weir_policy_invalid_total"} {
		if families[name] != nil {
			t.Errorf("%s is served though nobody knows it", name)
		}
	}
	if families["weir_build_info"] == nil || families["weir_stream_bytes"] == nil {
		t.Error("what the console knows by itself is not served")
	}
}

// TestHistogramAddsIncreases follows one series through a start, revisions and another part.
// TestExemplarsOfTheNewestWindow: whoever scrapes finds the trace of a slow request.
func TestExemplarsOfTheNewestWindow(t *testing.T) {
	r := whole(t)
	r.follow()
	traced := func(start int64, trace byte) schemas.Window {
		w := fleet("shop", start, 1, 1, 2, 3)
		w.Exemplars = w.Exemplars.Add(schemas.Exemplar{Time: start + 1e6, Value: 2, TraceID: schemas.TraceID{Trace: [16]byte{trace}, Span: [8]byte{7: 1}}})
		return w
	}
	r.commit(schemas.GatewayOutbox(schemas.Center, 0, schemas.KindCommit), entry("center/0", 1, traced(r.now-10e9, 1), traced(r.now, 2)))
	r.follow()
	list := r.scrape(asProtobuf)["weir_view_values"].GetMetric()
	if len(list) != 1 {
		t.Fatalf("%d histograms", len(list))
	}
	got := list[0].GetHistogram().GetExemplars()
	if len(got) != 1 || got[0].GetValue() != 2 || got[0].GetTimestamp().AsTime().UnixNano() != r.now+1e6 || len(list[0].GetHistogram().GetBucket()) != 0 {
		t.Fatalf("histogram %v", list[0])
	}
	labels := map[string]string{}
	for _, l := range got[0].GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	if labels["trace_id"] != "02"+strings.Repeat("0", 30) || labels["span_id"] != "0000000000000001" || len(labels) != 2 {
		t.Errorf("exemplar of %v", labels)
	}
}

func TestHistogramAddsIncreases(t *testing.T) {
	r := whole(t)
	out := schemas.GatewayOutbox(schemas.Center, 0, schemas.KindCommit)
	n := uint64(0)
	commit := func(windows ...schemas.Window) {
		n++
		r.commit(out, entry("center/0", n, windows...))
		r.follow()
	}
	expect := func(what string, count uint64, sum float64) {
		t.Helper()
		m := value(r.scrape(asProtobuf), "weir_view_values", "class=pump", "metric=temp", "tenant=demo", "view=fleet")
		if h := m.GetHistogram(); h.GetSampleCount() != count || h.GetSampleSum() != sum || count > 0 && h.GetSchema() != sketch.DefaultScale {
			t.Errorf("%s: %v, want %d values with sum %v", what, h, count, sum)
		}
	}
	commit(fleet("pump", r.now, 1, 1, 2, 3))
	expect("what was there at the start", 0, 0)
	commit(fleet("pump", r.now, 2, 1, 2, 3, 4))
	expect("a revision of it", 1, 4)
	commit(fleet("pump", r.now, 1, 1, 2, 3))
	expect("an older revision", 1, 4)
	part := fleet("pump", r.now, 1, 10)
	part.FirstN = n + 1
	commit(part)
	expect("another part", 2, 14)
	many := make([]float64, 40)
	for i := range many {
		many[i] = float64(i) - 20
	}
	commit(fleet("pump", r.now+10*second, 1, many...))
	expect("another window", 42, 14-20)
	late := fleet("pump", r.now+10*second, 1, 5)
	late.View = schemas.LateView("fleet")
	commit(late)
	expect("late totals are no values", 42, 14-20)

	families := r.scrape(asText)
	labels := []string{"class=pump", "metric=temp", "tenant=demo", "view=fleet"}
	if got := value(families, "weir_view_count", labels...).GetGauge().GetValue(); got != 40 {
		t.Errorf("the newest window has %v records", got)
	}
	if got := value(families, "weir_view_window_end_seconds", labels...).GetGauge().GetValue(); got != float64(r.now/second+20) {
		t.Errorf("the newest window ends at %v", got)
	}
	p99 := value(families, "weir_view_quantile", "class=pump", "metric=temp", "quantile=0.99", "tenant=demo", "view=fleet")
	if got := p99.GetGauge().GetValue(); got != 19 {
		t.Errorf("p99 %v, want the greatest of 40", got)
	}
}

// TestShrunkRevision: a revision that lost something is an invariant violation, and adds nothing.
func TestShrunkRevision(t *testing.T) {
	e := newExporter()
	apply := func(n uint64, w schemas.Window) error {
		w.Contributor = "center/0"
		return e.apply(&schemas.Commit{Producer: "center/0", N: n, Local: []schemas.Window{w}}, false)
	}
	if err := apply(1, fleet("pump", 0, 1, 1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	if err := apply(2, fleet("pump", 0, 2, 1, 2)); err == nil || e.violated != 1 {
		t.Errorf("a revision with less: %v, %d violations", err, e.violated)
	}
	for _, s := range e.series {
		if s.values.Count() != 3 {
			t.Errorf("%d values after the violation", s.values.Count())
		}
	}
}

func TestSeriesAreBounded(t *testing.T) {
	e := newExporter()
	for i := range maxSeries + 50 {
		w := fleet(fmt.Sprint("class-", i), 0, 1, 1)
		if err := e.revise(&w, false); err != nil {
			t.Fatal(err)
		}
	}
	over := e.series[seriesID{"fleet", overflowLabel, overflowLabel, overflowLabel, ""}]
	if len(e.series) != maxSeries+1 || over == nil || over.values.Count() != 50 {
		t.Errorf("%d series, overflow %v", len(e.series), over)
	}
}

// TestForget: parts are known for a while after they were final, no longer.
func TestForget(t *testing.T) {
	e := newExporter()
	w := fleet("pump", 0, 1, 1)
	if err := e.revise(&w, false); err != nil {
		t.Fatal(err)
	}
	e.final["fleet"] = w.End + int64(partsKept) - 1
	e.sweep(int64(partsKept))
	if len(e.seen) != 1 {
		t.Error("forgotten too early")
	}
	e.final["fleet"]++
	e.sweep(int64(partsKept))
	if len(e.seen) != 0 {
		t.Error("never forgotten")
	}
}

func TestInvariantsAreCountedOnce(t *testing.T) {
	m := newMetrics(Config{}, nil, time.Time{})
	bad := observation{checks: []schemas.GatewayCheck{check(schemas.TierRegion, 1)}}
	for _, o := range []observation{{}, bad, bad, {}, bad} {
		m.judge(&o)
	}
	if m.violations[invariantWindows] != 2 || m.violations[invariantLedger] != 0 {
		t.Errorf("violations %v, want 2 of windows: one for each time that it ceased to hold", m.violations)
	}
}
