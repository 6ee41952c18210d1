package otlp

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"weir/schemas"
)

// Judge applies rules to items, which it may change. It says why an item is
// dropped; empty: it goes on.
type Judge interface {
	Span(resource ptrace.ResourceSpans, scope ptrace.ScopeSpans, s ptrace.Span) schemas.Reason
	JudgesPoints() bool // whether there are rules for points
	Point(resource pmetric.ResourceMetrics, scope pmetric.ScopeMetrics, m pmetric.Metric, point any) schemas.Reason
	// Log also says whether a log record is to be passed through.
	Log(resource plog.ResourceLogs, scope plog.ScopeLogs, l plog.LogRecord) (why schemas.Reason, pass bool)
}

// judge is who applies rules to the items of a device; nil: nobody.
func (r *Rules) judge(device string) Judge {
	if r.Judge == nil {
		return nil
	}
	return r.Judge(device)
}

// judging is what rules make of the points of one metric, before anything is read
// from them: a rule may change the name of the metric with any point.
type judging struct {
	by     Judge    // nil: there are no rules
	points []judged // those of the metric; empty: no rule looks at points
	at     int      // the point at hand, from 1
}

// judged is a point, and what is known of it from before rules changed it.
type judged struct {
	stream uint64
	why    schemas.Reason // why it is dropped; empty: it is not
}

// judge applies the rules to all points of a metric.
func (p *points) judge(rm pmetric.ResourceMetrics, sm pmetric.ScopeMetrics, m pmetric.Metric) {
	j := &p.judging
	j.points, j.at = j.points[:0], 0
	if j.by == nil || !j.by.JudgesPoints() {
		return
	}
	name := m.Name()
	each := func(d point, typed any) {
		one := judged{stream: p.id + mapHash(d.Attributes())}
		if !d.Flags().NoRecordedValue() {
			one.why = j.by.Point(rm, sm, m, typed)
		}
		j.points = append(j.points, one)
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		eachOf(m.Gauge().DataPoints(), each)
	case pmetric.MetricTypeSum:
		eachOf(m.Sum().DataPoints(), each)
	case pmetric.MetricTypeHistogram:
		eachOf(m.Histogram().DataPoints(), each)
	case pmetric.MetricTypeExponentialHistogram:
		eachOf(m.ExponentialHistogram().DataPoints(), each)
	case pmetric.MetricTypeSummary:
		eachOf(m.Summary().DataPoints(), each)
	}
	if m.Name() == name {
		return
	}
	for i := range j.points { // streams of two metrics that get one name stay two
		j.points[i].stream += schemas.HashName(name)
	}
}

func eachOf[D point](all interface {
	Len() int
	At(i int) D
}, each func(d point, typed any),
) {
	for i := range all.Len() {
		d := all.At(i)
		each(d, d)
	}
}

// passes goes on to the next point of the metric, which stands for n records, and
// reports whether there is anything to read from it.
func (p *points) passes(flags pmetric.DataPointFlags, n int) bool {
	p.begin()
	j := &p.judging
	j.at++
	if flags.NoRecordedValue() {
		return false
	}
	if len(j.points) == 0 || j.points[j.at-1].why == "" {
		return true
	}
	p.drop(p.device, j.points[j.at-1].why, n)
	return false
}

// streamOf is the stream of the point at hand: that of its sender, whatever rules
// have made of its attributes.
func (p *points) streamOf(d point) uint64 {
	if j := &p.judging; len(j.points) > 0 {
		return j.points[j.at-1].stream
	}
	return p.id + mapHash(d.Attributes())
}

// nameless refuses n points of a metric whose name is none, but for those that
// rules drop.
func (p *points) nameless(name string, n int) {
	refused := n
	for i := range n {
		p.begin()
		if j := &p.judging; len(j.points) > 0 && j.points[i].why != "" {
			p.drop(p.device, j.points[i].why, 1)
			refused--
		}
	}
	if refused > 0 {
		p.refuse(p.device, schemas.BadName, refused, "metric name %.140q", name)
	}
}
