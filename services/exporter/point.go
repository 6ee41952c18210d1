package exporter

import (
	"strings"

	"weir/pkg/sketch"
	"weir/schemas"
)

// series names what points belong to: one key of one view at one producer of the
// outbox. It is shared by its points and never changes.
type series struct {
	producer string // the gateway partition
	view     string
	tenant   string
	dims     []string // of the view's group_by
	values   []string // of the key, one for each
	counter  bool     // its points are increases, not values
}

// dim is the key's value of a dimension; ok is false where the view has none.
func (s *series) dim(name string) (value string, ok bool) {
	for i, d := range s.dims {
		if d == name && i < len(s.values) {
			return s.values[i], true
		}
	}
	return "", false
}

// attributes calls f with the attributes of readings in the key, without their prefix.
func (s *series) attributes(f func(key, value string)) {
	for i, d := range s.dims {
		if key, ok := strings.CutPrefix(d, schemas.AttributeDim); ok && i < len(s.values) {
			f(key, s.values[i])
		}
	}
}

// metric is what its points are called where only the metric's own name will do.
func (s *series) metric() string {
	if m, ok := s.dim("metric"); ok && m != "" {
		return m
	}
	return s.view
}

// point is one data point. Times are Unix ns.
type point struct {
	*series
	start, time int64
	sketch      *sketch.Sketch    // nil: of a counter
	increase    float64           // of a counter
	amendment   bool              // what came after its window was final, as a delta
	gauges      *gauges           // of the window that it ends; nil where it ends none
	records     uint64            // in the windows that it is the first to show
	exemplars   schemas.Exemplars // of the window that it ends, or that came late
}

// gauges are figures of one window.
type gauges struct {
	count, mean, min, max float64
	quantiles             [len(quantiles)]float64
}

// quantiles are those of a window that gauges tell.
var quantiles = [...]float64{0.5, 0.9, 0.99}

// gaugesOf are those of a window with values; nil where it has none.
func gaugesOf(f readable) *gauges {
	if f.sketch.Count() == 0 || f.counter {
		return nil
	}
	g := &gauges{count: float64(f.Count), mean: f.Sum / float64(f.Count), min: f.Min, max: f.Max}
	for i, q := range quantiles {
		g.quantiles[i] = f.sketch.Quantile(q)
	}
	return g
}

// delta is the point of one window.
func delta(s *series, f *final, values *sketch.Sketch) point {
	p := point{series: s, start: f.Start, time: f.End, sketch: values, amendment: f.amends, records: f.Count, exemplars: f.Exemplars}
	if s.counter {
		p.sketch, p.increase = nil, f.Sum
	}
	return p
}
