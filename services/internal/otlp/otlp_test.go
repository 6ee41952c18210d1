package otlp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"weir/pkg/sketch"
	"weir/schemas"
)

const now = int64(1763760000_000000000)

func rules(wanted ...string) Rules {
	return Rules{Now: now, MaxFuture: int64(5 * time.Second), Request: 7, Wants: func(key string) bool {
		for _, w := range wanted {
			if w == key {
				return true
			}
		}
		return false
	}}
}

// metric is a request with one metric, of a service.
func metric(name string) (pmetric.Metrics, pmetric.Metric) {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "shop")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(name)
	return md, m
}

func stamp(d interface{ SetTimestamp(pcommon.Timestamp) }) { d.SetTimestamp(pcommon.Timestamp(now)) }

// the returns the only reading.
func the(t *testing.T, b *Batch) schemas.Reading {
	t.Helper()
	if len(b.Items) != 1 || len(b.Refused) != 0 {
		t.Fatalf("got %+v", b)
	}
	return b.Items[0].Reading
}

func TestSums(t *testing.T) {
	for _, c := range []struct {
		monotonic bool
		of        pmetric.AggregationTemporality
		want      schemas.RecordKind
	}{
		{true, pmetric.AggregationTemporalityCumulative, schemas.TotalRecord},
		{true, pmetric.AggregationTemporalityDelta, schemas.SampleRecord},
		{false, pmetric.AggregationTemporalityCumulative, schemas.SampleRecord},
	} {
		md, m := metric("orders")
		m.SetEmptySum().SetIsMonotonic(c.monotonic)
		m.Sum().SetAggregationTemporality(c.of)
		d := m.Sum().DataPoints().AppendEmpty()
		stamp(d)
		d.SetStartTimestamp(pcommon.Timestamp(now - 60e9))
		d.SetIntValue(17)
		d.Attributes().PutStr("route", "/a")
		d.Attributes().PutStr("other", "x")
		r := the(t, Metrics(md, rules("route", "service.name")))
		v := r.Values[0]
		if v.Kind != c.want || v.Value != 17 || v.Start != now-60e9 || r.EventTime != now || r.Request != (schemas.Request{Hash: 7}) {
			t.Errorf("%+v: got %+v", c, r)
		}
		if want := []schemas.Attr{{Key: "route", Value: "/a"}, {Key: "service.name", Value: "shop"}}; !reflect.DeepEqual(r.Attrs, want) {
			t.Errorf("attributes %v, want %v", r.Attrs, want)
		}
	}
}

// Streams are told apart by all attributes, in whatever order, looked at or not.
func TestStreams(t *testing.T) {
	id := func(attrs ...string) uint64 {
		md, m := metric("x")
		d := m.SetEmptyGauge().DataPoints().AppendEmpty()
		stamp(d)
		for i := 0; i < len(attrs); i += 2 {
			d.Attributes().PutStr(attrs[i], attrs[i+1])
		}
		return the(t, Metrics(md, rules())).Values[0].ID
	}
	if id("a", "1", "b", "2") != id("b", "2", "a", "1") {
		t.Error("the order of attributes matters")
	}
	if id("a", "1", "b", "2") == id("a", "2", "b", "1") || id() == id("a", "") {
		t.Error("different streams are one")
	}
}

// An exponential histogram arrives bucket for bucket.
func TestExponentialHistogram(t *testing.T) {
	var s sketch.Sketch
	for i := range 1000 {
		s.Add(float64(i)*1.7 - 300)
	}
	e := s.Exponential()
	md, m := metric("size")
	h := m.SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	d := h.DataPoints().AppendEmpty()
	stamp(d)
	d.SetScale(e.Scale)
	d.SetCount(e.Count)
	d.SetSum(e.Sum)
	d.SetMin(e.Min)
	d.SetMax(e.Max)
	d.SetZeroCount(e.ZeroCount)
	d.SetZeroThreshold(e.ZeroThreshold)
	d.Positive().SetOffset(e.Positive.Offset)
	d.Positive().BucketCounts().FromRaw(e.Positive.Counts)
	d.Negative().SetOffset(e.Negative.Offset)
	d.Negative().BucketCounts().FromRaw(e.Negative.Counts)
	v := the(t, Metrics(md, rules())).Values[0]
	var got sketch.Sketch
	if err := got.UnmarshalBinary(v.Sketch); err != nil {
		t.Fatal(err)
	}
	if v.Kind != schemas.HistogramsRecord || !reflect.DeepEqual(got.Exponential(), e) {
		t.Errorf("kind %d, got\n%+v, want\n%+v", v.Kind, got.Exponential(), e)
	}
}

// Explicit buckets keep count, sum, min and max, and each value in its bucket.
func TestHistogram(t *testing.T) {
	md, m := metric("latency")
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	d := h.DataPoints().AppendEmpty()
	stamp(d)
	d.ExplicitBounds().FromRaw([]float64{0.1, 1, 10})
	d.BucketCounts().FromRaw([]uint64{100, 200, 50, 1})
	d.SetCount(351)
	d.SetSum(333)
	d.SetMin(0.01)
	d.SetMax(12)
	v := the(t, Metrics(md, rules())).Values[0]
	var s sketch.Sketch
	if err := s.UnmarshalBinary(v.Sketch); err != nil {
		t.Fatal(err)
	}
	if v.Kind != schemas.HistogramRecord || s.Count() != 351 || s.Sum() != 333 || s.Min() != 0.01 || s.Max() != 12 {
		t.Errorf("kind %d, %d values, sum %v, from %v to %v", v.Kind, s.Count(), s.Sum(), s.Min(), s.Max())
	}
	for q, in := range map[float64][2]float64{0.1: {0.01, 0.1}, 0.5: {0.1, 1}, 0.9: {1, 10}} {
		if got := s.Quantile(q); got < in[0] || got > in[1] {
			t.Errorf("quantile %v is %v, want from %v to %v", q, got, in[0], in[1])
		}
	}
	d.BucketCounts().FromRaw([]uint64{1, 2})
	if b := Metrics(md, rules()); len(b.Items) != 0 || b.Records != 1 || b.Refused[0].Reason != schemas.BadValue {
		t.Errorf("two buckets for three bounds: %+v", b)
	}
}

func TestMiddle(t *testing.T) {
	inf := math.Inf(1)
	bounds := []float64{-5, 0, 8}
	for _, c := range []struct {
		e    ends
		i    int
		want float64
	}{
		{ends{-inf, inf}, 0, -5},
		{ends{-inf, inf}, 1, -2.5},
		{ends{-inf, inf}, 2, 4},
		{ends{-inf, inf}, 3, 8},
		{ends{-9, 10}, 0, -7},
		{ends{2, 32}, 2, 4},
		{ends{2, 32}, 3, 16},
	} {
		if got := c.e.middle(bounds, c.i); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("bucket %d of %v within %v: %v, want %v", c.i, bounds, c.e, got, c.want)
		}
	}
	if got := (ends{-inf, inf}).middle([]float64{0.1}, 0); got != 0.05 {
		t.Errorf("the first of positive buckets: %v", got)
	}
}

func TestSummary(t *testing.T) {
	md, m := metric("gc")
	d := m.SetEmptySummary().DataPoints().AppendEmpty()
	stamp(d)
	d.SetCount(9)
	d.SetSum(4.5)
	q := d.QuantileValues().AppendEmpty()
	q.SetQuantile(0.999)
	q.SetValue(2)
	b := Metrics(md, rules())
	var got []string
	for _, v := range the(t, b).Values {
		got = append(got, fmt.Sprint(v.Metric, " ", v.Kind, " ", v.Value))
	}
	if want := "gc.count 1 9, gc.sum 1 4.5, gc.p99.9 0 2"; strings.Join(got, ", ") != want || b.Records != 3 {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
}

func TestSpans(t *testing.T) {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	rs.Resource().Attributes().PutStr("service.instance.id", "shop 1/a")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	s := spans.AppendEmpty()
	s.SetTraceID(pcommon.TraceID{1})
	s.SetSpanID(pcommon.SpanID{2})
	s.SetName("GET /")
	s.SetKind(ptrace.SpanKindServer)
	s.Status().SetCode(ptrace.StatusCodeError)
	s.SetStartTimestamp(pcommon.Timestamp(now - 250e6))
	s.SetEndTimestamp(pcommon.Timestamp(now))
	s.Attributes().PutStr("route", "/")
	spans.AppendEmpty().SetName("nobody's")
	b := Traces(td, rules("route"))
	if b.Records != 2 || len(b.Items) != 1 || len(b.Refused) != 1 || b.Refused[0] != (Refusal{"shop_1_a", schemas.BadValue, 1, 1, `span "nobody's" has no trace or no id of its own`}) {
		t.Fatalf("got %+v", b)
	}
	want := schemas.Reading{
		EventTime: now, IngestTime: now, Request: schemas.Request{Hash: 7}, Trace: schemas.TraceID{Trace: [16]byte{1}, Span: [8]byte{2}},
		Attrs: []schemas.Attr{
			{Key: "route", Value: "/"},
			{Key: "service.name", Value: "shop"},
			{Key: "span.kind", Value: "SPAN_KIND_SERVER"},
			{Key: "span.name", Value: "GET /"},
			{Key: "status.code", Value: "STATUS_CODE_ERROR"},
		},
		Values: []schemas.Value{{Metric: schemas.SpanMetric, Value: 0.25}},
	}
	if got := b.Items[0]; got.Device != "shop_1_a" || !reflect.DeepEqual(got.Reading, want) {
		t.Errorf("device %s\n got %+v\nwant %+v", got.Device, got.Reading, want)
	}
}

func TestLogs(t *testing.T) {
	ld := plog.NewLogs()
	l := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	l.SetObservedTimestamp(pcommon.Timestamp(now))
	l.SetSeverityNumber(plog.SeverityNumberWarn2)
	r := the(t, Logs(ld, rules()))
	if r.EventTime != now || r.Values[0].Metric != schemas.LogMetric || r.Values[0].Value != 14 || r.Attrs[0] != (schemas.Attr{Key: "severity", Value: "WARN"}) {
		t.Errorf("got %+v", r)
	}
}

// What is refused is counted with its reason; a place in the request stays the
// same, whatever is refused before it.
func TestRefusals(t *testing.T) {
	md, m := metric("x")
	points := m.SetEmptyGauge().DataPoints()
	for _, at := range []int64{now, now + 6e9, 5, now} {
		d := points.AppendEmpty()
		d.SetTimestamp(pcommon.Timestamp(at))
		d.SetDoubleValue(1)
	}
	points.At(3).SetDoubleValue(math.Inf(1))
	none := points.AppendEmpty()
	none.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	stamp(points.AppendEmpty())
	b := Metrics(md, rules())
	if b.Records != 5 || len(b.Items) != 2 || b.Items[1].Reading.Request.At != 5 {
		t.Errorf("got %+v", b)
	}
	var why []schemas.Reason
	for _, r := range b.Refused {
		why = append(why, r.Reason)
	}
	if want := []schemas.Reason{schemas.Future, schemas.BadTime, schemas.BadValue}; !reflect.DeepEqual(why, want) {
		t.Errorf("refused for %v, want %v", why, want)
	}
	for _, name := range []string{"", "1x", "a b", "weir.span", strings.Repeat("x", 200)} {
		md, m := metric(name)
		m.SetEmptyGauge().DataPoints().AppendEmpty()
		if b := Metrics(md, rules()); len(b.Items) != 0 || b.Records != 1 || b.Refused[0].Reason != schemas.BadName {
			t.Errorf("metric %q: %+v", name, b)
		}
	}
}

func TestDevices(t *testing.T) {
	for want, attrs := range map[string]map[string]any{
		"otlp":     {"x": "y", "device.id": ""},
		"shop":     {"service.name": "shop"},
		"h1":       {"service.name": "shop", "host.name": "h1"},
		"a_b":      {"device.id": "a.b", "host.name": "h1"},
		"17":       {"device.id": int64(17)},
		"________": {"service.name": "день днём"[:15]},
	} {
		m := pcommon.NewMap()
		if err := m.FromRaw(attrs); err != nil {
			t.Fatal(err)
		}
		if got := (&Rules{}).deviceOf(m); got != want {
			t.Errorf("%v is %q, want %q", attrs, got, want)
		}
		if got := (&Rules{Device: "fixed"}).deviceOf(m); got != "fixed" {
			t.Errorf("credentials say fixed, got %q", got)
		}
	}
	a, b := asName(strings.Repeat("x", 100)+"a"), asName(strings.Repeat("x", 100)+"b")
	if a == b || !schemas.ValidName(a) || !schemas.ValidName(b) {
		t.Errorf("long names %q and %q", a, b)
	}
}

// nested is a log request whose body is a list of a list of a list.
func nested(t testing.TB, levels int) []byte {
	t.Helper()
	ld := plog.NewLogs()
	v := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body()
	for range levels {
		v = v.SetEmptySlice().AppendEmpty()
	}
	v.SetStr(strings.Repeat("x", 5000))
	b, err := plogotlp.NewExportRequestFromLogs(ld).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTooDeep(t *testing.T) {
	for levels, want := range map[int]bool{1: false, 60: false, 99: false, 100: true, 5000: true} {
		if err := within(schemas.Logs, Protobuf, nested(t, levels)); errors.Is(err, ErrDeep) != want {
			t.Errorf("%d levels: %v", levels, err)
		}
		text := strings.Repeat(`{"a":[`, levels) + `"{[{[\"{["` + strings.Repeat(`]}`, levels)
		if err := within(schemas.Logs, JSON, []byte(text)); errors.Is(err, ErrDeep) != (levels > 150) {
			t.Errorf("%d levels of JSON: %v", levels, err)
		}
	}
}

// What would take a hundred times its size in memory is refused by its bytes.
func TestTooMany(t *testing.T) {
	field := func(number byte, content []byte) []byte {
		return append(binary.AppendUvarint([]byte{number<<3 | 2}, uint64(len(content))), content...)
	}
	empty := func(number byte) []byte { return bytes.Repeat([]byte{number<<3 | 2, 0}, maxElements+1) }
	inSpan := func(b []byte) []byte { return field(1, field(2, field(2, b))) }
	inPoint := func(number byte, b []byte) []byte { return inSpan(field(number, field(1, b))) }
	for name, c := range map[string]struct {
		signal schemas.Signal
		e      Encoding
		body   []byte
	}{
		"resources":         {schemas.Traces, Protobuf, empty(1)},
		"spans":             {schemas.Traces, Protobuf, field(1, field(2, empty(2)))},
		"deprecated scopes": {schemas.Traces, Protobuf, field(1, bytes.Repeat([]byte{0xc2, 0x3e, 0}, maxElements+1))},
		"events":            {schemas.Traces, Protobuf, inSpan(empty(11))},
		"links":             {schemas.Traces, Protobuf, inSpan(empty(13))},
		"attributes":        {schemas.Logs, Protobuf, inSpan(empty(6))},
		"values":            {schemas.Logs, Protobuf, inSpan(field(5, field(5, empty(1))))},
		"exemplars":         {schemas.Metrics, Protobuf, inPoint(7, empty(5))},
		"quantiles":         {schemas.Metrics, Protobuf, inPoint(11, empty(6))},
		"fewer spans":       {schemas.Traces, Protobuf, field(1, field(2, bytes.Repeat([]byte{0x12, 0}, MaxRecords+1)))},
		"fewer logs":        {schemas.Logs, Protobuf, field(1, field(2, bytes.Repeat([]byte{0x12, 0}, MaxRecords+1)))},
		"fewer points":      {schemas.Metrics, Protobuf, inSpan(field(5, bytes.Repeat([]byte{0x0a, 0}, MaxRecords+1)))},
		"JSON":              {schemas.Traces, JSON, []byte(`{"resourceSpans":[` + strings.Repeat(`{},`, 2*maxElements) + `{}]}`)},
	} {
		if _, err := Read(c.signal, c.e, c.body, rules("a")); !errors.Is(err, ErrMany) {
			t.Errorf("%s, %d bytes: %v", name, len(c.body), err)
		}
	}
	for _, b := range [][]byte{{0x0b}, {0x0a}, {0x0a, 9}, {0x08}, {0x09, 1}, {0x80}} {
		if err := within(schemas.Traces, Protobuf, b); !errors.Is(err, errWire) {
			t.Errorf("%x: %v", b, err)
		}
	}
}

// Whatever comes is read without harm, and each record is in one place.
func FuzzRead(f *testing.F) {
	md, m := metric("x")
	m.SetEmptyGauge().DataPoints().AppendEmpty()
	b, _ := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	f.Add(byte(0), b)
	b, _ = pmetricotlp.NewExportRequestFromMetrics(md).MarshalJSON()
	f.Add(byte(3), b)
	td := ptrace.NewTraces()
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetTraceID(pcommon.TraceID{1})
	b, _ = ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	f.Add(byte(1), b)
	f.Add(byte(2), nested(f, 20))
	f.Fuzz(func(t *testing.T, how byte, body []byte) {
		signal := []schemas.Signal{schemas.Metrics, schemas.Traces, schemas.Logs}[how%3]
		e := []Encoding{Protobuf, JSON}[how/3%2]
		b, err := Read(signal, e, body, rules("a"))
		if err != nil {
			return
		}
		n := 0
		for _, r := range b.Refused {
			n += r.N
		}
		for _, it := range b.Items {
			n += len(it.Reading.Values)
			if !schemas.ValidName(it.Device) || it.Reading.EventTime > now+5e9 {
				t.Errorf("took %+v", it)
			}
		}
		if n != b.Records {
			t.Errorf("%d records of %d are somewhere", n, b.Records)
		}
	})
}
