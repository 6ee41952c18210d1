package exporter

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"weir/schemas"
)

// Names of what is written to Prometheus: those of /metrics.
const (
	valuesName   = "weir_view_values"
	increaseName = "weir_view_increase_total"
	quantileName = "weir_view_quantile"
)

// label is one of a series in Prometheus.
type label struct{ name, value string }

// labels are those of a series, sorted by name, with more.
func (s *series) labels(name string, more ...label) []label {
	all := append([]label{
		{"__name__", name}, {"job", "weir"}, {"instance", s.producer}, {"view", s.view}, {"tenant", s.tenant},
	}, more...)
	for _, dim := range [...]string{"class", "metric", "device"} {
		if v, ok := s.dim(dim); ok {
			all = append(all, label{dim, v})
		}
	}
	for i, name := range schemas.AttributeLabels(s.dims) {
		if name != "" && i < len(s.values) {
			all = append(all, label{name, s.values[i]})
		}
	}
	all = slices.DeleteFunc(all, func(l label) bool { return l.value == "" }) // no label, to Prometheus
	for i := range all {
		all[i].value = strings.ToValidUTF8(all[i].value, "\uFFFD")
	}
	slices.SortFunc(all, func(a, b label) int { return cmp.Compare(a.name, b.name) })
	return all
}

// sample is one value of a series in Prometheus. Times are Unix ms.
type sample struct {
	labels []label
	time   int64
	value  float64
	began  int64  // of a sum; 0: it is none
	point  *point // of a native histogram; nil: value is it
}

// samples are what a point is in Prometheus: the sum so far as a native histogram
// or a counter, and gauges of the window that it ends.
func (p *point) samples() []sample {
	at, began := p.time/1_000_000, p.start/1_000_000
	if p.sketch == nil {
		return []sample{{labels: p.labels(increaseName), time: at, value: p.increase, began: began}}
	}
	out := []sample{{labels: p.labels(valuesName), time: at, point: p, began: began}}
	gauge := func(name string, v float64, more ...label) {
		out = append(out, sample{labels: p.labels(name, more...), time: at, value: v})
	}
	g := p.gauges
	if g == nil {
		return out
	}
	for i, q := range quantiles {
		gauge(quantileName, g.quantiles[i], label{"quantile", strconv.FormatFloat(q, 'g', -1, 64)})
	}
	gauge("weir_view_count", g.count)
	gauge("weir_view_mean", g.mean)
	gauge("weir_view_min", g.min)
	gauge("weir_view_max", g.max)
	return out
}
