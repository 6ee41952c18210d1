package detector

import (
	"fmt"

	"weir/pkg/detect"
)

// Settings is a compiled policy document.
type Settings struct {
	ClassOf func(device string) string
	// Rules are those for a tenant's devices of a class. Equal arguments give the same
	// pointer.
	Rules     func(tenant, class string) *Rules
	MaxSeries int   // of an agent; what is beyond is not judged. A group of metrics takes the room of three
	Grace     int64 // ns that devices get after a start of ingest before silence counts
}

// Rules say what is looked for.
type Rules struct {
	Off      bool
	Detector string  // a kind of pkg/detect
	Budget   float64 // false findings per series and day, of all its streams
	// New makes a detector instead of pkg/detect, if it is set.
	New func(detect.Config) detect.Detector

	SilentAfter int64   // ns; 0: silence is no finding
	SilentGaps  float64 // nor is one shorter than so many of the usual gaps between values
	StuckAfter  int64   // ns, for values that move all the time; 0: never

	GroupOf     int   // so many devices with the same kind of finding are one finding; 0: never
	GroupWithin int64 // that begin within so many ns

	Joint  [][]string                       // groups of metrics that are judged together, 2 to detect.MaxChannels each
	Metric func(metric string) *MetricRules // nil: nothing of its own
	// Counter reports whether a metric of a device counts up.
	Counter func(tenant, class, device, metric string) bool
}

// MetricRules are the facts of a metric.
type MetricRules struct {
	Off        bool
	Low, High  *float64 // nil: no limit
	MaxRate    float64  // per second; 0: none
	StuckAfter int64    // ns, whether the value moves all the time or not; 0: as the rules say
}

var noMetricRules MetricRules

func (r *Rules) metric(name string) *MetricRules {
	if r.Metric != nil {
		if m := r.Metric(name); m != nil {
			return m
		}
	}
	return &noMetricRules
}

// Compile turns a policy document into settings. The document has been validated
// before it was journalled.
type Compile func(document []byte) (*Settings, error)

// Defaults, in ns where they are times.
const (
	DefaultSilentAfter = 30 * second
	DefaultSilentGaps  = 3
	DefaultStuckAfter  = 20 * second
	DefaultGroupOf     = 5
	DefaultGroupWithin = 10 * second
	DefaultMaxSeries   = 10_000
	DefaultGrace       = 10 * second
)

// DefaultSettings are in force until a document is told.
func DefaultSettings() *Settings {
	rules := &Rules{
		Detector: detect.Default, Budget: detect.DefaultBudget, SilentAfter: DefaultSilentAfter, SilentGaps: DefaultSilentGaps,
		StuckAfter: DefaultStuckAfter, GroupOf: DefaultGroupOf, GroupWithin: DefaultGroupWithin,
	}
	return &Settings{
		ClassOf:   func(string) string { return "default" },
		Rules:     func(string, string) *Rules { return rules },
		MaxSeries: DefaultMaxSeries, Grace: DefaultGrace,
	}
}

// streams are the detectors of a series: of its means of a second, of their spread, and of its windows. Each has its part
// of the budget.
const streams = 3

// newDetector makes the detector of one stream of a series. The rules have been
// checked, so that it can only fail for want of care.
func (r *Rules) newDetector(interval int64, counter bool) detect.Detector {
	c := detect.Config{Interval: interval, Budget: r.Budget / streams, Counter: counter}
	if r.New != nil {
		return r.New(c)
	}
	d, err := detect.New(r.Detector, c)
	if err != nil {
		panic(fmt.Sprintf("BUG: rules that nobody checked: %v", err))
	}
	return d
}
