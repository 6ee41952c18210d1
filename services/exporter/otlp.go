package exporter

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"weir/schemas"
)

// Names of attributes. What devices send keeps its own names.
const (
	serviceName     = "service.name"
	serviceInstance = "service.instance.id"
	tenantAttr      = "weir.tenant"
	viewAttr        = "weir.view"
	classAttr       = "weir.class"
	deviceAttr      = "device.id"
	amendmentAttr   = "weir.amendment"
)

// otlpForm says how points become OpenTelemetry metrics.
type otlpForm struct {
	delta     bool
	signedSum bool // histograms with values below zero have a sum
	resource  schemas.Granularity
}

// metrics makes one request of points. Histograms keep the buckets of the sketch:
// index for index, at its scale.
func (f otlpForm) metrics(points []point) pmetric.Metrics {
	b := otlpBuilder{
		form: f, out: pmetric.NewMetrics(),
		resources: map[string]pmetric.ResourceMetrics{}, scopes: map[string]pmetric.ScopeMetrics{}, metrics: map[string]pmetric.Metric{},
	}
	for i := range points {
		b.add(&points[i])
	}
	return b.out
}

type otlpBuilder struct {
	form      otlpForm
	out       pmetric.Metrics
	resources map[string]pmetric.ResourceMetrics
	scopes    map[string]pmetric.ScopeMetrics
	metrics   map[string]pmetric.Metric
}

func (b *otlpBuilder) add(p *point) {
	m := b.metric(p)
	if p.sketch == nil {
		d := m.Sum().DataPoints().AppendEmpty()
		d.SetStartTimestamp(pcommon.Timestamp(p.start))
		d.SetTimestamp(pcommon.Timestamp(p.time))
		d.SetDoubleValue(p.increase)
		b.form.attributes(p, d.Attributes())
		return
	}
	d := m.ExponentialHistogram().DataPoints().AppendEmpty()
	d.SetStartTimestamp(pcommon.Timestamp(p.start))
	d.SetTimestamp(pcommon.Timestamp(p.time))
	b.form.histogram(p, d)
	b.form.attributes(p, d.Attributes())
	for _, e := range p.exemplars.ByTime() { // Prometheus takes none that is older than the one before
		exemplar(&e, d.Exemplars().AppendEmpty())
	}
}

func exemplar(e *schemas.Exemplar, to pmetric.Exemplar) {
	to.SetTimestamp(pcommon.Timestamp(e.Time))
	to.SetDoubleValue(e.Value)
	to.SetTraceID(e.Trace)
	to.SetSpanID(e.Span)
}

// histogram writes a sketch bucket for bucket.
func (f otlpForm) histogram(p *point, d pmetric.ExponentialHistogramDataPoint) {
	e := p.sketch.Exponential()
	d.SetScale(e.Scale)
	d.SetCount(e.Count)
	d.SetZeroCount(e.ZeroCount)
	d.SetZeroThreshold(e.ZeroThreshold)
	d.Positive().SetOffset(e.Positive.Offset)
	d.Positive().BucketCounts().FromRaw(e.Positive.Counts)
	d.Negative().SetOffset(e.Negative.Offset)
	d.Negative().BucketCounts().FromRaw(e.Negative.Counts)
	if f.signedSum || len(e.Negative.Counts) == 0 {
		d.SetSum(e.Sum)
	}
	if !math.IsNaN(e.Min) && !math.IsNaN(e.Max) {
		d.SetMin(e.Min)
		d.SetMax(e.Max)
	}
}

// metric is where a point goes.
func (b *otlpBuilder) metric(p *point) pmetric.Metric {
	scope, at := b.scope(p)
	id := at + "\x00" + p.metric()
	m, known := b.metrics[id]
	if known {
		return m
	}
	m = scope.Metrics().AppendEmpty()
	m.SetName(p.metric())
	temporality := pmetric.AggregationTemporalityCumulative
	if b.form.delta {
		temporality = pmetric.AggregationTemporalityDelta
	}
	if p.sketch == nil {
		m.SetEmptySum().SetIsMonotonic(true)
		m.Sum().SetAggregationTemporality(temporality)
	} else {
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(temporality)
	}
	b.metrics[id] = m
	return m
}

// scope is that of a view: views may have metrics of one name and two kinds.
func (b *otlpBuilder) scope(p *point) (pmetric.ScopeMetrics, string) {
	resource, at := b.resourceOf(p)
	id := at + "\x00" + p.view
	s, known := b.scopes[id]
	if !known {
		s = resource.ScopeMetrics().AppendEmpty()
		s.Scope().SetName("weir/" + p.view)
		b.scopes[id] = s
	}
	return s, id
}

func (b *otlpBuilder) resourceOf(p *point) (pmetric.ResourceMetrics, string) {
	id := p.producer
	device, hasDevice := p.dim("device")
	if b.form.resource != schemas.ResourceGateway {
		id += "\x00" + p.tenant
	}
	if b.form.resource == schemas.ResourceDevice && hasDevice {
		id += "\x00" + device
	}
	r, known := b.resources[id]
	if known {
		return r, id
	}
	r = b.out.ResourceMetrics().AppendEmpty()
	a := r.Resource().Attributes()
	a.PutStr(serviceName, "weir")
	a.PutStr(serviceInstance, p.producer)
	if b.form.resource != schemas.ResourceGateway {
		a.PutStr(tenantAttr, p.tenant)
	}
	if b.form.resource == schemas.ResourceDevice && hasDevice {
		a.PutStr(deviceAttr, device)
	}
	b.resources[id] = r
	return r, id
}

// attributes writes those of a point: what its resource does not say.
func (f otlpForm) attributes(p *point, a pcommon.Map) {
	p.attributes(func(key, value string) { a.PutStr(key, value) })
	a.PutStr(viewAttr, p.view)
	if f.resource == schemas.ResourceGateway {
		a.PutStr(tenantAttr, p.tenant)
	}
	if class, ok := p.dim("class"); ok {
		a.PutStr(classAttr, class)
	}
	if device, ok := p.dim("device"); ok && f.resource != schemas.ResourceDevice {
		a.PutStr(deviceAttr, device)
	}
	if p.amendment {
		a.PutBool(amendmentAttr, true)
	}
}
