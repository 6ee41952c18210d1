package cases

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"weir/schemas"
	"weir/services/internal/rules"
)

// Words for numbers of OpenTelemetry's protocol, by number.
var (
	kinds      = []string{"unspecified", "internal", "server", "client", "producer", "consumer"}
	statuses   = []string{"unset", "ok", "error"}
	severities = []string{"unspecified", "trace", "debug", "info", "warn", "error", "fatal"}
)

// began is when spans begin and points are taken: a case has no clock.
var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// made is an item as pdata has it.
type made struct {
	judge    func(*rules.Run) (why schemas.Reason, pass bool)
	resource pcommon.Map
	fields   func() map[string]any // as After names them
}

func (it *Item) make() (made, error) {
	switch {
	case it.Span != nil:
		return it.span()
	case it.Point != nil:
		return it.point()
	}
	return it.log()
}

func (it *Item) span() (made, error) {
	rs := ptrace.NewTraces().ResourceSpans().AppendEmpty()
	ss := rs.ScopeSpans().AppendEmpty()
	s, w := ss.Spans().AppendEmpty(), it.Span
	ss.Scope().SetName(it.Scope)
	s.SetName(w.Name)
	s.Status().SetMessage(w.Message)
	kind, err1 := number("kind", kinds, w.Kind)
	status, err2 := number("status", statuses, w.Status)
	s.SetKind(ptrace.SpanKind(kind))
	s.Status().SetCode(ptrace.StatusCode(status))
	took, err3 := time.Duration(0), error(nil)
	if w.Duration != "" {
		took, err3 = time.ParseDuration(w.Duration)
	}
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(began))
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(began.Add(took)))
	trace, span, parent := pcommon.TraceID{15: 1}, pcommon.SpanID{7: 1}, pcommon.SpanID{}
	err4, err5, err6 := identity(trace[:], w.TraceID), identity(span[:], w.SpanID), identity(parent[:], w.ParentID)
	s.SetTraceID(trace)
	s.SetSpanID(span)
	s.SetParentSpanID(parent)
	m := made{
		judge: func(r *rules.Run) (schemas.Reason, bool) { return r.Span(rs, ss, s), false }, resource: rs.Resource().Attributes(),
		fields: func() map[string]any {
			return map[string]any{
				"name": s.Name(), "kind": word(kinds, int(s.Kind())), "status": word(statuses, int(s.Status().Code())), "attributes": s.Attributes().AsRaw(),
			}
		},
	}
	return m, it.attributes(m, s.Attributes(), w.Attributes, err1, err2, err3, err4, err5, err6)
}

func (it *Item) point() (made, error) {
	rm := pmetric.NewMetrics().ResourceMetrics().AppendEmpty()
	sm := rm.ScopeMetrics().AppendEmpty()
	metric, w := sm.Metrics().AppendEmpty(), it.Point
	sm.Scope().SetName(it.Scope)
	metric.SetName(w.Metric)
	metric.SetUnit(w.Unit)
	var d pmetric.NumberDataPoint
	switch w.Type {
	case "", "gauge":
		d = metric.SetEmptyGauge().DataPoints().AppendEmpty()
	case "sum":
		d = metric.SetEmptySum().DataPoints().AppendEmpty()
	default:
		return made{}, fmt.Errorf("type %q: want gauge or sum", w.Type)
	}
	d.SetTimestamp(pcommon.NewTimestampFromTime(began))
	d.SetDoubleValue(w.Value)
	m := made{
		judge: func(r *rules.Run) (schemas.Reason, bool) { return r.Point(rm, sm, metric, d), false }, resource: rm.Resource().Attributes(),
		fields: func() map[string]any {
			value := d.DoubleValue()
			if d.ValueType() == pmetric.NumberDataPointValueTypeInt {
				value = float64(d.IntValue())
			}
			return map[string]any{"metric": metric.Name(), "unit": metric.Unit(), "value": value, "attributes": d.Attributes().AsRaw()}
		},
	}
	return m, it.attributes(m, d.Attributes(), w.Attributes)
}

func (it *Item) log() (made, error) {
	rl := plog.NewLogs().ResourceLogs().AppendEmpty()
	sl := rl.ScopeLogs().AppendEmpty()
	l, w := sl.LogRecords().AppendEmpty(), it.Log
	sl.Scope().SetName(it.Scope)
	severity, err1 := number("severity", severities, w.Severity)
	if severity > 0 {
		severity = 4*severity - 3 // the first of four
	}
	l.SetSeverityNumber(plog.SeverityNumber(severity))
	l.SetTimestamp(pcommon.NewTimestampFromTime(began))
	err2 := l.Body().FromRaw(w.Body)
	m := made{
		judge: func(r *rules.Run) (schemas.Reason, bool) { return r.Log(rl, sl, l) }, resource: rl.Resource().Attributes(),
		fields: func() map[string]any {
			return map[string]any{"body": l.Body().AsRaw(), "severity": word(severities, (int(l.SeverityNumber())+3)/4), "attributes": l.Attributes().AsRaw()}
		},
	}
	return m, it.attributes(m, l.Attributes(), w.Attributes, err1, err2)
}

// attributes fills in those of an item and of its resource, and returns the first
// error.
func (it *Item) attributes(m made, of pcommon.Map, attributes map[string]any, errs ...error) error {
	errs = append(errs, of.FromRaw(attributes), m.resource.FromRaw(it.Resource))
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}

// number is that of a word; 0 where nothing is written.
func number(what string, words []string, written string) (int, error) {
	if written == "" {
		return 0, nil
	}
	n := slices.Index(words, strings.ToLower(written))
	if n < 0 {
		return 0, fmt.Errorf("%s %q: want one of %s", what, written, strings.Join(words, ", "))
	}
	return n, nil
}

// word is that of a number; the number, where it has none.
func word(words []string, n int) string {
	if n < 0 || n >= len(words) {
		return fmt.Sprint(n)
	}
	return words[n]
}

// identity reads an id in hexadecimal digits, if one is written.
func identity(into []byte, written string) error {
	if written == "" {
		return nil
	}
	b, err := hex.DecodeString(written)
	if err != nil || len(b) != len(into) {
		return fmt.Errorf("id %q: want %d hexadecimal digits", written, 2*len(into))
	}
	copy(into, b)
	return nil
}
