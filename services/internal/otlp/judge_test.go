package otlp

import (
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"weir/schemas"
)

// strict drops what has the attribute drop, and forgets the attribute host of what
// it lets pass.
type strict struct{ noPoints bool }

func (strict) of(attributes pcommon.Map) schemas.Reason {
	if _, is := attributes.Get("drop"); is {
		return schemas.ByRule
	}
	attributes.Remove("host")
	return ""
}

func (s strict) Span(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, span ptrace.Span) schemas.Reason {
	return s.of(span.Attributes())
}

func (s strict) Log(_ plog.ResourceLogs, _ plog.ScopeLogs, l plog.LogRecord) (why schemas.Reason, pass bool) {
	_, pass = l.Attributes().Get("pass")
	return s.of(l.Attributes()), pass
}

func (s strict) JudgesPoints() bool { return !s.noPoints }

func (s strict) Point(_ pmetric.ResourceMetrics, _ pmetric.ScopeMetrics, m pmetric.Metric, d any) schemas.Reason {
	if m.Name() == "old" || m.Name() == "older" {
		m.SetName("new")
	}
	return s.of(d.(point).Attributes())
}

func judgedBy(j Judge) Rules {
	r := rules("host")
	r.Judge = func(string) Judge { return j }
	return r
}

// series adds a point of a cumulative sum.
func series(m pmetric.Metric, host string, drop bool) {
	d := m.Sum().DataPoints().AppendEmpty()
	stamp(d)
	d.SetIntValue(1)
	d.Attributes().PutStr("host", host)
	if drop {
		d.Attributes().PutBool("drop", true)
	}
}

// What rules drop is counted, and moves nothing that comes after it to another
// place in the request.
func TestDroppedPointsKeepTheirPlace(t *testing.T) {
	md, m := metric("x")
	m.SetEmptySum().SetIsMonotonic(true)
	for i := range 4 {
		series(m, "a", i%2 == 0)
	}
	b := Metrics(md, judgedBy(strict{}))
	if b.Records != 4 || len(b.Items) != 2 || len(b.Dropped) != 1 || b.Dropped[0].N != 2 || b.Dropped[0].Reason != schemas.ByRule || len(b.Refused) != 0 {
		t.Fatalf("got %+v", b)
	}
	if at := b.Items[1].Reading.Request.At; at != 3 {
		t.Errorf("the last point is at %d", at)
	}
}

// Streams are those of the sender: an attribute that a rule forgets, and a name that
// it gives to two metrics, make no two streams one.
func TestRulesLeaveStreams(t *testing.T) {
	md, m := metric("old")
	m.SetEmptySum().SetIsMonotonic(true)
	series(m, "a", false)
	series(m, "b", false)
	other := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
	other.SetName("older")
	other.SetEmptySum().SetIsMonotonic(true)
	series(other, "a", false)
	twin := pmetric.NewMetrics()
	md.CopyTo(twin)
	seen := map[uint64]bool{}
	b := Metrics(md, judgedBy(strict{}))
	for _, it := range b.Items {
		if it.Reading.Values[0].Metric != "new" || len(it.Reading.Attrs) != 0 {
			t.Errorf("the rule changed nothing: %+v", it.Reading)
		}
		seen[it.Reading.Values[0].ID] = true
	}
	if len(b.Items) != 3 || len(seen) != 3 {
		t.Errorf("%d items of %d streams", len(b.Items), len(seen))
	}
	without := Metrics(twin, judgedBy(strict{noPoints: true}))
	if got, want := without.Items[0].Reading.Values[0].ID+schemas.HashName("old"), b.Items[0].Reading.Values[0].ID; got != want {
		t.Errorf("with rules the stream is %x, without %x", want, got)
	}
}

// A summary is several records, dropped or not; one without a value is none.
func TestDroppedSummary(t *testing.T) {
	md, m := metric("x")
	d := m.SetEmptySummary().DataPoints().AppendEmpty()
	stamp(d)
	d.QuantileValues().AppendEmpty().SetQuantile(0.5)
	d.Attributes().PutBool("drop", true)
	none := m.Summary().DataPoints().AppendEmpty()
	none.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	none.Attributes().PutBool("drop", true)
	if b := Metrics(md, judgedBy(strict{})); b.Records != 3 || len(b.Dropped) != 1 || b.Dropped[0].N != 3 {
		t.Errorf("got %+v", b)
	}
}

func TestDroppedBeforeRefused(t *testing.T) {
	md, m := metric("no name")
	m.SetEmptySum()
	series(m, "a", true)
	series(m, "a", false)
	b := Metrics(md, judgedBy(strict{}))
	if b.Records != 2 || b.Dropped[0].N != 1 || b.Refused[0].N != 1 || b.Refused[0].Reason != schemas.BadName {
		t.Errorf("metric: %+v", b)
	}
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range 2 { // neither has an id
		if s := spans.AppendEmpty(); i == 0 {
			s.Attributes().PutBool("drop", true)
		}
	}
	if b := Traces(td, judgedBy(strict{})); b.Records != 2 || b.Dropped[0].N != 1 || b.Refused[0].N != 1 {
		t.Errorf("traces: %+v", b)
	}
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.AppendEmpty().Attributes().PutBool("drop", true)
	records.AppendEmpty()
	if b := Logs(ld, judgedBy(strict{})); b.Records != 2 || b.Dropped[0].N != 1 || len(b.Items) != 1 {
		t.Errorf("logs: %+v", b)
	}
}
