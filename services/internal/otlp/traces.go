package otlp

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"weir/schemas"
)

// Traces makes readings of the spans of a request.
func Traces(td ptrace.Traces, r Rules) *Batch {
	b := &Batch{Items: make([]Item, 0, td.SpanCount())}
	for _, rs := range td.ResourceSpans().All() {
		resource := rs.Resource().Attributes()
		device := r.deviceOf(resource)
		judge := r.judge(device)
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				b.begin()
				if judge != nil {
					if why := judge.Span(rs, ss, s); why != "" {
						b.drop(device, why, 1)
						continue
					}
				}
				b.span(&r, device, resource, s)
			}
		}
	}
	return b
}

func (b *Batch) span(r *Rules, device string, resource pcommon.Map, s ptrace.Span) {
	start, end := nanos(s.StartTimestamp()), nanos(s.EndTimestamp())
	trace := schemas.TraceID{Trace: s.TraceID(), Span: s.SpanID()}
	if s.TraceID().IsEmpty() || s.SpanID().IsEmpty() {
		b.refuse(device, schemas.BadValue, 1, "span %.140q has no trace or no id of its own", s.Name())
		return
	}
	if end < start {
		b.refuse(device, schemas.BadTime, 1, "span %.140q ends %d ns before it starts", s.Name(), start-end)
		return
	}
	a := b.attributes()
	a.set(serviceName, text(resource, serviceName))
	a.set(spanName, s.Name())
	a.set(spanKind, nameOf(kinds[:], int(s.Kind())))
	a.set(statusCode, nameOf(codes[:], int(s.Status().Code())))
	a.take(r, s.Attributes())
	a.take(r, resource)
	values := []schemas.Value{{Metric: schemas.SpanMetric, Value: float64(end-start) / 1e9}}
	b.add(r, device, schemas.Reading{EventTime: end, Attrs: b.sorted(), Trace: trace, Values: keep(&b.values, values)})
}

// Kinds of spans and codes of their status, as OpenTelemetry's protocol names them.
var (
	kinds = [...]string{"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"}
	codes = [...]string{"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"}
)

// nameOf is the name of a number, that of 0 for one that has none.
func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		i = 0
	}
	return names[i]
}

// Logs makes readings of the log records of a request.
func Logs(ld plog.Logs, r Rules) *Batch {
	b := &Batch{Items: make([]Item, 0, ld.LogRecordCount())}
	for _, rl := range ld.ResourceLogs().All() {
		resource := rl.Resource().Attributes()
		device := r.deviceOf(resource)
		judge := r.judge(device)
		var passes *passer // of the resource; nil: none of its records was chosen yet
		for _, sl := range rl.ScopeLogs().All() {
			passes.enter()
			for _, l := range sl.LogRecords().All() {
				b.begin()
				var why schemas.Reason
				pass := false
				if judge != nil {
					why, pass = judge.Log(rl, sl, l)
				}
				switch taken := why == "" && b.log(&r, device, resource, l); {
				case why != "":
					b.drop(device, why, 1)
				case taken && pass:
					if passes == nil {
						passes = newPasser(&r, device)
					}
					b.pass(&r, passes, rl, sl, l)
				}
			}
		}
	}
	return b
}

// log reports whether a log record is no record that is refused.
func (b *Batch) log(r *Rules, device string, resource pcommon.Map, l plog.LogRecord) bool {
	at := nanos(l.Timestamp())
	if at == 0 {
		at = nanos(l.ObservedTimestamp())
	}
	a := b.attributes()
	a.set(serviceName, text(resource, serviceName))
	a.set(severity, severityOf(l))
	a.take(r, l.Attributes())
	a.take(r, resource)
	values := []schemas.Value{{Metric: schemas.LogMetric, Value: float64(l.SeverityNumber())}}
	trace := schemas.TraceID{Trace: l.TraceID(), Span: l.SpanID()}
	return b.add(r, device, schemas.Reading{EventTime: at, Attrs: b.sorted(), Trace: trace, Values: keep(&b.values, values)})
}

// severityOf is the name of the severity's range: TRACE, DEBUG, INFO, WARN, ERROR,
// FATAL, or UNSPECIFIED.
func severityOf(l plog.LogRecord) string {
	names := [...]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"} // four numbers each
	if n := l.SeverityNumber(); n >= 1 && n <= 24 {
		return names[(n-1)/4]
	}
	return "UNSPECIFIED"
}

// text is an attribute as text, empty where there is none.
func text(m pcommon.Map, key string) string {
	if v, ok := m.Get(key); ok {
		return v.AsString()
	}
	return ""
}
