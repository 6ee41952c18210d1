package schemas

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Detect says what is abnormal.
type Detect struct {
	Enabled     bool       `json:"enabled" jsonschema:"Whether anything is looked for."`
	Detector    string     `json:"detector" jsonschema:"Which detector judges values: weir detect --detector list explains each."`
	Budget      float64    `json:"budget" jsonschema:"Findings that a normal series may raise in a day: the threshold follows it."`
	SilentAfter Duration   `json:"silent_after" jsonschema:"How long a device may send nothing; 0s: for ever."`
	SilentGaps  float64    `json:"silent_gaps" jsonschema:"Nor is a device silent before so many of its usual gaps between values; 0: silent_after alone counts."`
	StuckAfter  Duration   `json:"stuck_after" jsonschema:"How long a value that moves every second may stand still; 0s: for ever."`
	GroupOf     int        `json:"group_of" jsonschema:"Devices of an agent with the same kind of finding that make one finding together; 0: never."`
	GroupWithin Duration   `json:"group_within" jsonschema:"Within which time they begin."`
	Series      int        `json:"series" jsonschema:"Series of an agent that are judged; values of further ones are counted as overflow."`
	Metrics     MetricSets `json:"metrics,omitempty" jsonschema:"Facts by metric: a name, with * for any text and ? for one character. The first that matches counts: exact names come before patterns, longer patterns before shorter ones."`

	Joint []JointMetrics `json:"joint,omitempty" jsonschema:"Groups of metrics of a device that are judged together too: what none of them shows alone is a finding. At most 16 groups. The list of a class or tenant takes the place of this one."`
}

// JointMetrics are metrics of a device that belong together, such as flow and pressure.
type JointMetrics struct {
	Metrics []string `json:"metrics" jsonschema:"2 to 16 names of metrics, without patterns. Devices that do not send all of them have no such group."`
}

// Bounds of groups.
const (
	MaxJoint        = 16 // groups of a device
	MaxJointMetrics = 16 // of a group
)

// MetricFacts are what is known of a metric without statistics.
type MetricFacts struct {
	Enabled    *bool    `json:"enabled,omitempty" jsonschema:"Whether the metric is judged. Left out: it is."`
	Min        *float64 `json:"min,omitempty" jsonschema:"Values below are a finding."`
	Max        *float64 `json:"max,omitempty" jsonschema:"Values above are a finding."`
	MaxRate    *float64 `json:"max_rate,omitempty" jsonschema:"A faster change than so much a second is a finding."`
	StuckAfter Duration `json:"stuck_after,omitzero" jsonschema:"How long the value may stand still, whether it moves all the time or not."`
}

// MetricSets are facts by metric.
type MetricSets map[string]MetricFacts

// MaxMetricSets bounds them.
const MaxMetricSets = 256

// defaultDetect finds what is abnormal without being told anything.
func defaultDetect() Detect {
	return Detect{
		Enabled: true, Detector: "ensemble", Budget: 0.1, SilentAfter: 30 * second, SilentGaps: 3, StuckAfter: 20 * second,
		GroupOf: 5, GroupWithin: 10 * second, Series: 10_000,
	}
}

// Of are the facts of a metric; nil: there are none.
func (m MetricSets) Of(metric string) *MetricFacts {
	if f, exact := m[metric]; exact {
		return &f
	}
	best := ""
	for _, pattern := range sortedKeys(m) {
		if Glob(pattern, metric) && len(pattern) > len(best) {
			best = pattern
		}
	}
	if best == "" {
		return nil
	}
	f := m[best]
	return &f
}

// metricSets binds each entry over the one of its name, or over a new one.
func (b *binder) metricSets(path string, v any, into *MetricSets) {
	tree, ok := v.(map[string]any)
	if !ok {
		b.refuse(path, v, "want an object of metrics")
		return
	}
	all := maps.Clone(*into)
	if all == nil {
		all = MetricSets{}
	}
	for _, name := range sortedKeys(tree) {
		f := all[name]
		b.value(join(path, name), tree[name], reflect.ValueOf(&f).Elem())
		all[name] = f
	}
	*into = all
}

// pointer binds what may be left out.
func (b *binder) pointer(path string, v any, into reflect.Value) {
	to := reflect.New(into.Type().Elem())
	b.value(path, v, to.Elem())
	into.Set(to)
}

// detect checks what a section means.
func (c *checker) detect(scope string, d *Detect) {
	c.want(ValidName(d.Detector), scope+"detector", d.Detector, "use the name of a detector, such as ensemble")
	c.want(d.Budget >= 0.001 && d.Budget <= 1000, scope+"budget", d.Budget, "want 0.001 to 1000 findings per series and day")
	c.orZero(scope+"silent_after", d.SilentAfter, second, 30*day)
	c.want(d.SilentGaps >= 0 && d.SilentGaps <= 1000, scope+"silent_gaps", d.SilentGaps, "want 0 to 1000")
	c.orZero(scope+"stuck_after", d.StuckAfter, second, 30*day)
	c.want(d.GroupOf == 0 || d.GroupOf >= 2 && d.GroupOf <= 1_000_000, scope+"group_of", d.GroupOf, "want 2 devices or more, or 0 for never")
	c.within(scope+"group_within", d.GroupWithin, second, hour)
	c.want(d.Series >= 0 && d.Series <= 1_000_000, scope+"series", d.Series, "want 0 to 1000000")
	c.want(len(d.Metrics) <= MaxMetricSets, scope+"metrics", len(d.Metrics), "want at most %d", MaxMetricSets)
	for _, name := range sortedKeys(d.Metrics) {
		f := d.Metrics[name]
		c.facts(scope+"metrics."+name, name, &f)
	}
	c.joint(scope+"joint", d.Joint)
}

func (c *checker) joint(path string, groups []JointMetrics) {
	c.want(len(groups) <= MaxJoint, path, len(groups), "want at most %d groups", MaxJoint)
	for i, g := range groups {
		at := fmt.Sprintf("%s[%d].metrics", path, i)
		n := len(g.Metrics)
		c.want(n >= 2 && n <= MaxJointMetrics, at, n, "want 2 to %d metrics that belong together", MaxJointMetrics)
		for k, metric := range g.Metrics {
			c.want(ValidMetric(metric), fmt.Sprintf("%s[%d]", at, k), metric, "use the name of one metric, without * and ?")
			c.want(!slices.Contains(g.Metrics[:k], metric), fmt.Sprintf("%s[%d]", at, k), metric, "it stands there twice: keep one")
		}
		same := slices.ContainsFunc(groups[:i], func(o JointMetrics) bool { return sameMembers(o.Metrics, g.Metrics) })
		c.want(!same, at, JointName(g.Metrics), "another group has the same metrics: keep one")
	}
}

// sameMembers reports whether two lists without repeats have the same members.
func sameMembers(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func (c *checker) facts(at, name string, f *MetricFacts) {
	c.want(validGlob(name, metricByte, MaxMetricLen), at, name, "use a metric name, with * for any text and ? for one character")
	if f.Min != nil && f.Max != nil {
		c.want(*f.Min < *f.Max, at+".min", *f.Min, "want less than max, %g", *f.Max)
	}
	if f.MaxRate != nil {
		c.want(*f.MaxRate > 0, at+".max_rate", *f.MaxRate, "want more than 0, or leave it out")
	}
	c.orZero(at+".stuck_after", f.StuckAfter, second, 30*day)
}

// orZero wants 0 or a duration within bounds.
func (c *checker) orZero(path string, d, least, most Duration) {
	c.want(d == 0 || d >= least && d <= most, path, d, "want %s to %s, or 0s for never", least, most)
}

// detectSeries refuses what cannot differ by tenant or class.
func (b *binder) detectSeries(path string, o Override) {
	detect, _ := o.patch["detect"].(map[string]any)
	for _, name := range [...]string{"series", "group_of", "group_within"} {
		if v, there := detect[name]; there {
			b.refuse(fmt.Sprintf("%s.detect.%s", path, name), v, "it holds for the whole agent: set it in the document's own detect")
		}
	}
}
