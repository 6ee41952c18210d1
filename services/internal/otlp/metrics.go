package otlp

import (
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"weir/schemas"
)

// Metrics makes readings of the data points of a request.
func Metrics(md pmetric.Metrics, r Rules) *Batch {
	b := &Batch{Items: make([]Item, 0, md.DataPointCount())}
	for _, rm := range md.ResourceMetrics().All() {
		p := points{Batch: b, rules: &r, resource: rm.Resource().Attributes()}
		p.device = r.deviceOf(p.resource)
		p.judging.by = r.judge(p.device)
		resource := mapHash(p.resource) // before any rule changes it
		for _, sm := range rm.ScopeMetrics().All() {
			scope := sm.Scope()
			p.id = resource*3 + mapHash(scope.Attributes())*5 + schemas.HashName(scope.Name()+"\x00"+scope.Version())
			for _, m := range sm.Metrics().All() {
				p.judge(rm, sm, m)
				p.metric(m)
			}
		}
	}
	return b
}

// points makes readings of the points of one resource and scope.
type points struct {
	*Batch
	rules    *Rules
	resource pcommon.Map
	device   string
	id       uint64 // of resource and scope
	judging  judging
}

func (p *points) metric(m pmetric.Metric) {
	name := m.Name()
	if !schemas.DeviceMetric(name) {
		p.nameless(name, pointsOf(m))
		return
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		p.numbers(name, schemas.SampleRecord, m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		kind := schemas.SampleRecord
		if s := m.Sum(); s.IsMonotonic() && s.AggregationTemporality() != pmetric.AggregationTemporalityDelta {
			kind = schemas.TotalRecord
		}
		p.numbers(name, kind, m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		kind := histogramKind(m.Histogram().AggregationTemporality())
		for _, d := range m.Histogram().DataPoints().All() {
			if p.passes(d.Flags(), 1) {
				p.histogram(name, kind, d)
			}
		}
	case pmetric.MetricTypeExponentialHistogram:
		kind := histogramKind(m.ExponentialHistogram().AggregationTemporality())
		for _, d := range m.ExponentialHistogram().DataPoints().All() {
			if p.passes(d.Flags(), 1) {
				p.exponential(name, kind, d)
			}
		}
	case pmetric.MetricTypeSummary:
		for _, d := range m.Summary().DataPoints().All() {
			p.summary(name, d)
		}
	}
}

// pointsOf is how many points a metric has.
func pointsOf(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().Len()
	}
	return 0
}

func histogramKind(t pmetric.AggregationTemporality) schemas.RecordKind {
	if t == pmetric.AggregationTemporalityDelta {
		return schemas.HistogramRecord
	}
	return schemas.HistogramsRecord
}

// point is what data points of all types have.
type point interface {
	Attributes() pcommon.Map
	StartTimestamp() pcommon.Timestamp
	Timestamp() pcommon.Timestamp
	Flags() pmetric.DataPointFlags
}

// put takes a reading of the values of a point.
func (p *points) put(d point, values ...schemas.Value) {
	a := p.attributes()
	a.take(p.rules, d.Attributes())
	a.take(p.rules, p.resource)
	stream := schemas.MetricStream{ID: p.streamOf(d), Start: nanos(d.StartTimestamp())}
	for i := range values {
		values[i].MetricStream = stream
	}
	p.add(p.rules, p.device, schemas.Reading{EventTime: nanos(d.Timestamp()), Attrs: p.sorted(), Values: keep(&p.values, values)})
}

func (p *points) numbers(name string, kind schemas.RecordKind, all pmetric.NumberDataPointSlice) {
	for _, d := range all.All() {
		if p.passes(d.Flags(), 1) {
			p.put(d, schemas.Value{Metric: name, Kind: kind, Value: numberOf(d)})
		}
	}
}

func numberOf(d pmetric.NumberDataPoint) float64 {
	if d.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(d.IntValue())
	}
	return d.DoubleValue()
}

// summary keeps the count and the sum of a summary, which add up, and its
// quantiles as they are.
func (p *points) summary(name string, d pmetric.SummaryDataPoint) {
	values := []schemas.Value{
		{Metric: name + ".count", Kind: schemas.TotalRecord, Value: float64(d.Count())},
		{Metric: name + ".sum", Kind: schemas.TotalRecord, Value: d.Sum()},
	}
	for _, q := range d.QuantileValues().All() {
		if v := q.Value(); v == v { // NaN: there was nothing to say
			values = append(values, schemas.Value{Metric: name + ".p" + percent(q.Quantile()), Value: v})
		}
	}
	if p.passes(d.Flags(), len(values)) {
		p.put(d, values...)
	}
}

// percent writes 0.99 as 99 and 0.999 as 99.9.
func percent(q float64) string { return strconv.FormatFloat(math.Round(q*1e6)/1e4, 'f', -1, 64) }

// nanos is a timestamp as the rest of Weir has it. Those beyond 2262 become the
// last that there is, which is in the future.
func nanos(t pcommon.Timestamp) int64 { return int64(min(uint64(t), math.MaxInt64)) }
