package exporter

import (
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"weir/pkg/sketch"
	"weir/schemas"
)

// values draws a sketch of signed values.
func values(t *rapid.T) *sketch.Sketch {
	s := new(sketch.Sketch)
	for _, v := range rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 60).Draw(t, "values") {
		s.Add(v)
	}
	return s
}

// TestOTLPIsExact: what a receiver reads is the sketch, index for index.
func TestOTLPIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := values(t)
		d := pmetric.NewExponentialHistogramDataPoint()
		otlpForm{signedSum: true}.histogram(&point{sketch: s}, d)
		got, err := sketch.FromExponential(sketch.Exponential{
			Scale: d.Scale(), Count: d.Count(), Sum: d.Sum(), Min: d.Min(), Max: d.Max(), ZeroCount: d.ZeroCount(), ZeroThreshold: d.ZeroThreshold(),
			Positive: sketch.Buckets{Offset: d.Positive().Offset(), Counts: d.Positive().BucketCounts().AsRaw()},
			Negative: sketch.Buckets{Offset: d.Negative().Offset(), Counts: d.Negative().BucketCounts().AsRaw()},
		})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := got.Exponential(), s.Exponential(); !slices.Equal(a.Positive.Counts, b.Positive.Counts) || !slices.Equal(a.Negative.Counts, b.Negative.Counts) ||
			a.Positive.Offset != b.Positive.Offset || a.Count != b.Count || a.Sum != b.Sum || a.Min != b.Min || a.Max != b.Max {
			t.Fatalf("got %+v, want %+v", a, b)
		}
	})
}

var deviceSeries = &series{
	producer: "r01/3", view: "device", tenant: "demo", dims: []string{"device", "metric", "attrs.class", "attrs.a b"}, values: []string{"p1", "temp", "x", "y\xff"},
}

// TestOTLPNames: who sends, what it is called, and which attributes are where.
func TestOTLPNames(t *testing.T) {
	negative := new(sketch.Sketch)
	negative.Add(-1)
	for _, c := range []struct {
		form     otlpForm
		resource map[string]any
		point    map[string]any
	}{
		{
			otlpForm{resource: schemas.ResourceGateway},
			map[string]any{"service.name": "weir", "service.instance.id": "r01/3"},
			map[string]any{"weir.tenant": "demo", "weir.view": "device", "device.id": "p1", "class": "x", "a b": "y\xff"},
		},
		{
			otlpForm{resource: schemas.ResourceDevice, delta: true},
			map[string]any{"service.name": "weir", "service.instance.id": "r01/3", "weir.tenant": "demo", "device.id": "p1"},
			map[string]any{"weir.view": "device", "class": "x", "a b": "y\xff", "weir.amendment": true},
		},
	} {
		m := c.form.metrics([]point{{series: deviceSeries, start: 10, time: 20, sketch: negative, amendment: c.form.delta}})
		r := m.ResourceMetrics().At(0)
		one := r.ScopeMetrics().At(0).Metrics().At(0)
		d := one.ExponentialHistogram().DataPoints().At(0)
		if one.Name() != "temp" || d.StartTimestamp() != 10 || d.Timestamp() != 20 || d.HasSum() || !d.HasMin() {
			t.Errorf("%s from %d to %d, sum %v", one.Name(), d.StartTimestamp(), d.Timestamp(), d.HasSum())
		}
		if got := one.ExponentialHistogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta; got != c.form.delta {
			t.Errorf("delta is %v", got)
		}
		sameAttributes(t, r.Resource().Attributes().AsRaw(), c.resource)
		sameAttributes(t, d.Attributes().AsRaw(), c.point)
	}
}

func sameAttributes(t *testing.T, got, want map[string]any) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("attribute %q is %v, want %v", k, got[k], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("attributes %v, want %v", got, want)
	}
}

func TestCounterIsASum(t *testing.T) {
	s := &series{producer: "center/0", view: "energy", tenant: "demo", dims: []string{"device", "metric"}, values: []string{"m1", "wh"}, counter: true}
	m := otlpForm{resource: schemas.ResourceGateway}.metrics([]point{{series: s, start: 1, time: 2, increase: 42}})
	one := m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	if one.Type() != pmetric.MetricTypeSum || !one.Sum().IsMonotonic() || one.Sum().DataPoints().At(0).DoubleValue() != 42 {
		t.Errorf("counter view is %v", one.Type())
	}
	p := point{series: s, time: 2_000_000, increase: 42}
	if got := p.samples(); len(got) != 1 || got[0].value != 42 || !slices.Contains(got[0].labels, label{"__name__", "weir_view_increase_total"}) {
		t.Errorf("samples %+v", got)
	}
}

func TestLabels(t *testing.T) {
	got := deviceSeries.labels("weir_view_values")
	want := []label{
		{"__name__", "weir_view_values"},
		{"attr_a_b", "y\uFFFD"},
		{"attr_class", "x"},
		{"device", "p1"},
		{"instance", "r01/3"},
		{"job", "weir"},
		{"metric", "temp"},
		{"tenant", "demo"},
		{"view", "device"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("labels %v, want %v", got, want)
	}
}

// TestBucketsOnTheWire: the example of the specification of native histograms, spans {4,1},{2,3}, deltas 10,10,-15,-3.
func TestBucketsOnTheWire(t *testing.T) {
	b := buckets(nil, 11, 12, sketch.NativeBuckets{
		Spans: []sketch.NativeSpan{{Offset: 4, Length: 1}, {Offset: 2, Length: 3}}, Deltas: []int64{10, 10, -15, -3},
	})
	want := []byte{
		11<<3 | 2, 4, 1 << 3, 8, 2 << 3, 1,
		11<<3 | 2, 4, 1 << 3, 4, 2 << 3, 3,
		12<<3 | 2, 4, 20, 20, 29, 5,
	}
	if string(b) != string(want) {
		t.Errorf("got % x, want % x", b, want)
	}
}

// TestExemplars: a span that a window remembers is where the window's values are.
func TestExemplars(t *testing.T) {
	one := new(sketch.Sketch)
	one.Add(1.5)
	later := schemas.Exemplar{Time: 1_700_000_000_124_000_000, TraceID: schemas.TraceID{Trace: [16]byte{2}}}
	e := schemas.Exemplar{Time: 1_700_000_000_123_000_000, Value: 1.5, TraceID: schemas.TraceID{Trace: [16]byte{0xab, 15: 1}, Span: [8]byte{0xcd, 7: 2}}}
	points := []point{{series: deviceSeries, time: e.Time + second, sketch: one, exemplars: schemas.Exemplars{}.Add(e).Add(later)}}

	if points[0].exemplars[0] == e {
		t.Fatal("the exemplars come in the order of their times: choose others")
	}
	m := otlpForm{}.metrics(points).ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	got := m.ExponentialHistogram().DataPoints().At(0).Exemplars()
	if x := got.At(0); got.Len() != 2 || int64(got.At(1).Timestamp()) != later.Time || x.DoubleValue() != 1.5 || int64(x.Timestamp()) != e.Time || x.TraceID() != e.Trace || x.SpanID() != e.Span {
		t.Errorf("%d exemplars: %v of trace %s", got.Len(), got.At(0).DoubleValue(), got.At(0).TraceID())
	}
}

// TestSeriesStandOnce: a request has each series once, with its samples behind each other.
func TestSeriesStandOnce(t *testing.T) {
	one := new(sketch.Sketch)
	one.Add(1)
	points := []point{{series: deviceSeries, time: 1e9, sketch: one}, {series: deviceSeries, time: 2e9, sketch: one}}
	for _, version2 := range []bool{false, true} {
		body, samples := writeRequest(points, version2)
		number, count := protowire.Number(v1Series), 0
		if version2 {
			number = v2Series
		}
		for len(body) > 0 {
			n, kind, size := protowire.ConsumeField(body)
			_ = kind
			if size < 0 {
				t.Fatal(protowire.ParseError(size))
			}
			if n == number {
				count++
			}
			body = body[size:]
		}
		if count != 1 || samples != 2 {
			t.Errorf("version 2 %v: %d series, %d samples", version2, count, samples)
		}
	}
}

func TestAnswers(t *testing.T) {
	for status, want := range map[int]verdict{200: accepted, 204: accepted, 400: refused, 401: again, 403: again, 404: again, 408: again, 413: tooLarge, 422: refused, 429: again, 302: again, 500: again, 503: again} {
		if got := ofStatus(status, 7, "").verdict; got != want {
			t.Errorf("HTTP %d: %d, want %d", status, got, want)
		}
	}
	for code, want := range map[int]verdict{0: accepted, 1: again, 3: refused, 4: again, 7: again, 8: tooLarge, 9: refused, 12: again, 14: again, 16: again} {
		if got := ofCode(code, false, 0, "").verdict; got != want {
			t.Errorf("gRPC %d: %d, want %d", code, got, want)
		}
	}
	if a := ofCode(grpcResourceExhausted, true, 5, ""); a.verdict != again || a.wait != 5 {
		t.Errorf("busy with a time: %+v", a)
	}
}

func TestWaits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tries, chance := rapid.IntRange(1, 1000).Draw(t, "tries"), rapid.Float64Range(0, 1).Draw(t, "chance")
		asked := rapid.Int64Range(0, 2*mostAsked).Draw(t, "asked")
		got := waitFor(tries, asked, chance)
		if got < min(asked, mostAsked) || got > max(longestWait, mostAsked) || asked == 0 && got > firstWait<<min(tries-1, 10) {
			t.Fatalf("wait %d after %d tries, asked for %d", got, tries, asked)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	for value, want := range map[string]int64{"": 0, "3": 3 * second, "1.5": 1.5 * second, "Sun, 22 Nov 2026 06:00:09 UTC": 9 * second, "-4": 0, "soon": 0} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %d, want %d", value, got, want)
		}
	}
}

// TestSecrets: a name that leads out of the folder, by a link too, reads nothing; a token that changes is sent anew.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "passwd")
	for file, text := range map[string]string{filepath.Join(dir, "token"): "one\n", filepath.Join(dir, "headers"): "# who\nX-Scope: a: b\n", outside: "root"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer server.Close()
	e := schemas.Exporter{Kind: schemas.ExportOTLP, Protocol: schemas.ProtocolHTTP, Endpoint: server.URL, TokenFile: "token", HeadersFile: "headers"}
	s, err := dial(&e, dir, "weir/test")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, token := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if a := s.points(nil)(t.Context()); a.verdict != accepted || got.Get("Authorization") != "Bearer "+token || got.Get("X-Scope") != "a: b" {
			t.Errorf("%+v with %v", a, got)
		}
	}
	for _, name := range []string{"link", "../passwd", "none"} {
		e.TokenFile = name
		s, err := dial(&e, dir, "weir/test")
		if err != nil {
			t.Fatal(err)
		}
		if a := s.points(nil)(t.Context()); a.verdict != again || strings.Contains(a.why, "root") {
			t.Errorf("%s: %+v", name, a)
		}
		s.close()
	}
}

func TestPlan(t *testing.T) {
	documents := map[string][]byte{
		"default":  []byte(`{"exporters":[{"name":"a","kind":"otlp","endpoint":"http://h:1"},{"name":"b","kind":"otlp","endpoint":"http://h:1","at":"region"}]}`),
		"agent.x":  []byte(`{"views":[{"name":"energy","group_by":["device","metric"],"kind":"counter"}]}`),
		"region.r": []byte(`{"exporters":[{"name":"c","kind":"otlp","endpoint":"http://h:1","at":"region"}]}`),
		"group.g":  []byte(`not JSON`),
	}
	for _, c := range []struct {
		tier   schemas.Tier
		region string
		want   string
	}{{schemas.TierCenter, "", "a"}, {schemas.TierRegion, "", "b"}, {schemas.TierRegion, "r", "c"}} {
		p, err := planOf(documents, c.tier, c.region)
		if err != nil || len(p.exporters) != 1 || p.exporters[0].Name != c.want {
			t.Errorf("%s %s: %+v, %v", c.tier, c.region, p.exporters, err)
		}
		if choice := p.choice(&p.exporters[0]); !choice.counter("energy") || choice.counter("device") {
			t.Errorf("counters %v", p.counters)
		}
	}
	if _, err := planOf(map[string][]byte{"default": []byte(`{"exporters":[{}]}`)}, schemas.TierCenter, ""); err == nil {
		t.Error("a document that is not valid makes a plan")
	}
}

func TestRecordsOfNewerPrograms(t *testing.T) {
	if _, err := decodeRecord([]byte(`{"v":2}`)); err == nil {
		t.Error("a record of a newer version is taken")
	}
	r := record{Sent: 7, Begun: 9, State: &saved{At: 5, Seqs: []uint64{1}, Hash: math.MaxUint64}}
	got, err := decodeRecord(r.encode())
	if err != nil || got.Sent != 7 || got.Begun != 9 || got.State.Hash != math.MaxUint64 || got.needs() != 6 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestFindingsAreLogs: the id and the revision of a finding tell repeats.
func TestFindingsAreLogs(t *testing.T) {
	l := findingLogs([]schemas.Finding{{ID: 0xab, Revision: 2, State: schemas.FindingOpen, Severity: schemas.Critical, Kind: schemas.Silent, Device: "p1", Says: "silent", Started: 5}})
	r := l.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	id, _ := r.Attributes().Get("weir.finding.id")
	if id.Str() != "00000000000000ab" || r.Body().Str() != "silent" || r.Timestamp() != 5 || r.SeverityText() != "critical" || r.EventName() != "weir.finding" {
		t.Errorf("log record %v", r.Attributes().AsRaw())
	}
}

// TestPassedLogs: a log record is as its sender wrote it, with the way that it has gone; those of
// one resource share it.
func TestPassedLogs(t *testing.T) {
	var all []passedLog
	for i, tenant := range []string{"t", "t", "u"} {
		l, err := readPassed(&schemas.PassedLog{ID: uint64(i + 1), Agent: "a1", Region: "north", Tenant: tenant, Device: "pump", Data: oneLog("x")})
		if err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			l.Resource().Attributes().PutStr("service.name", "other")
		}
		all = append(all, l)
	}
	out := passedLogs(all)
	if out.ResourceLogs().Len() != 2 || out.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().Len() != 2 {
		t.Fatalf("%d resources of %d log records", out.ResourceLogs().Len(), out.LogRecordCount())
	}
	l := out.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1)
	sameAttributes(t, l.Attributes().AsRaw(), map[string]any{
		"weir.tenant": "t", "device.id": "pump", "weir.agent": "a1", "weir.region": "north", "weir.log.id": "0000000000000002",
	})
	for _, data := range [][]byte{nil, {0xff}, append(oneLog("x"), oneLog("y")...)} {
		if _, err := readPassed(&schemas.PassedLog{Data: data}); err == nil {
			t.Errorf("%q is one log record", data)
		}
	}
}

// TestLogRequests: requests are bounded in log records and in bytes.
func TestLogRequests(t *testing.T) {
	var b batch
	for _, n := range []int{maxLogs / 2, maxLogs / 2, 1, 2 * maxLogs, 1} {
		b.passed(passedLog{bytes: n})
	}
	for range maxPoints {
		b.passed(passedLog{})
	}
	var sizes []int
	for _, some := range b.logRequests() {
		sizes = append(sizes, len(some))
	}
	if !slices.Equal(sizes, []int{2, 1, 1, maxPoints, 1}) {
		t.Errorf("requests of %v log records", sizes)
	}
}

// BenchmarkExport is 39 windows of one series, from entry to request.
func BenchmarkExport(b *testing.B) {
	c := newCenter(b)
	for i := range int64(40) {
		c.commit(map[int64][]float64{i * 10 * second: {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}, (i-1)*10*second, false)
	}
	b.ReportAllocs()
	for b.Loop() {
		k := newCore(all, 0)
		batch := read(b, k, c.entries, nil)
		writeRequest(batch.points, false)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/39, "ns/window")
}
