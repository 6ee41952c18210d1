package schemas

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Bounds of views. Resolutions are those of Prometheus native histograms.
const (
	MaxViews       = 32
	MaxOpenWindows = 32 // per series: size, allowed lateness and disorder together, in hops
	maxDims        = 8
	minScale       = -4
	maxScale       = 8
)

// Check says everything that is wrong with a policy that was made in code. One
// that ParsePolicy returned is good. The error is a *PolicyError.
func (p *Policy) Check() error { return asError(p.check(nil)) }

// check looks at what a policy means. where has the paths of views in the document.
func (p *Policy) check(where map[viewPlace]string) []Problem {
	c := &checker{policy: p, where: where}
	c.times()
	c.classes()
	c.exporters()
	c.receivers()
	c.itemRules()
	c.rules("", &p.Rules)
	p.overridden(c.rules)
	if len(c.problems) == 0 { // else a pair repeats what is wrong with one of them
		p.overriddenTwice(c.rules)
	}
	return c.problems
}

// checker collects what is wrong with the meaning of a policy.
type checker struct {
	policy   *Policy
	where    map[viewPlace]string
	problems []Problem
}

func (c *checker) want(ok bool, path string, value any, format string, args ...any) {
	if ok {
		return
	}
	p := Problem{Path: path, Value: short(value), Want: fmt.Sprintf(format, args...)}
	if !slices.Contains(c.problems, p) { // an override repeats what it does not change
		c.problems = append(c.problems, p)
	}
}

func (c *checker) within(path string, d, least, most Duration) {
	c.want(d >= least && d <= most, path, d, "want %s to %s", least, most)
}

func (c *checker) times() {
	p := c.policy
	c.within("disorder", p.Disorder, millisecond, hour)
	c.within("idle", p.Idle, 100*millisecond, day)
	c.within("reconnect_grace", p.ReconnectGrace, millisecond, hour)
	c.within("max_future", p.MaxFuture, 0, day)
	c.within("max_past", p.MaxPast, minute, 10*365*day)
}

func (c *checker) classes() {
	for i, d := range c.policy.DeviceClasses {
		path := fmt.Sprintf("device_classes[%d]", i)
		c.glob(path+".match", d.Match)
		c.want(ValidName(d.Class), path+".class", d.Class, "use 1 to %d letters, digits, '-' or '_'", MaxNameLen)
	}
}

func (c *checker) glob(path, pattern string) {
	c.want(validGlob(pattern, nameByte, MaxNameLen), path, pattern, "use a name of letters, digits, '-' and '_', with * for any text and ? for one character")
}

// rules checks the rules of the document, or those of an override.
func (c *checker) rules(who string, r *Rules) {
	scope := ""
	if who != "" {
		scope = who + "."
	}
	c.limits(scope+"limits.", &r.Limits)
	c.detect(scope+"detect.", &r.Detect)
	c.want(len(r.Views) <= MaxViews, scope+"views", len(r.Views), "want at most %d views, device and fleet among them", MaxViews)
	for i := range r.Views {
		c.view(c.viewPath(scope, r.Views[i].Name), &r.Views[i])
	}
}

// viewPath is where a view was written, for an override or else for all.
func (c *checker) viewPath(scope, name string) string {
	if at, ok := c.where[viewPlace{scope, name}]; ok {
		return at
	}
	if at, ok := c.where[viewPlace{"", name}]; ok && !strings.Contains(scope, pairing) {
		return at
	}
	return fmt.Sprintf("%sviews[%q]", scope, name)
}

func (c *checker) limits(scope string, l *Limits) {
	for _, b := range [...]struct {
		name           string
		n, least, most int
	}{
		{"tenants", l.Tenants, 1, 10_000},
		{"devices", l.Devices, 1, 10_000_000},
		{"connections", l.Connections, 1, 1_000_000},
		{"series_per_device", l.SeriesPerDevice, 1, 65_536},
		{"depth", l.Depth, 2, 64},
		{"readings_per_message", l.ReadingsPerMessage, 1, 10_000},
		{"metrics_per_reading", l.MetricsPerReading, 1, 4096},
		{"logs_per_second", l.LogsPerSecond, 0, 100_000},
		{"logs_at_once", l.LogsAtOnce, 1, 100_000},
	} {
		c.want(b.n >= b.least && b.n <= b.most, scope+b.name, b.n, "want %d to %d", b.least, b.most)
	}
	for _, b := range [...]struct {
		name    string
		n, most ByteSize
	}{
		{"payload", l.Payload, 256 << 10},
		{"log_size", l.LogSize, 64 << 10},
	} {
		const least = ByteSize(64)
		c.want(b.n >= least && b.n <= b.most, scope+b.name, b.n, "want %s to %s", least, b.most)
	}
}

func (c *checker) view(at string, v *View) {
	c.want(ValidName(v.Name), at+".name", v.Name, "use 1 to %d letters, digits, '-' or '_'", MaxNameLen)
	c.groupBy(at+".group_by", v.GroupBy)
	c.match(at+".match.", &v.Match)
	c.want(v.Scale >= minScale && v.Scale <= maxScale, at+".scale", v.Scale, "want %d to %d", minScale, maxScale)
	c.want(v.ZeroWidth >= 0 && v.ZeroWidth <= math.MaxFloat64, at+".zero_width", v.ZeroWidth, "want a number of at least 0")
	c.windows(at, v)
	if v.Name == DeviceView {
		c.deviceView(at, v)
	}
}

func (c *checker) groupBy(path string, dims []string) {
	c.want(len(dims) >= 1 && len(dims) <= maxDims, path, len(dims), "want 1 to %d dimensions, such as [\"device\", \"metric\"]", maxDims)
	for i, d := range dims {
		key, isAttr := strings.CutPrefix(d, "attrs.")
		known := d == "device" || d == "class" || d == "metric" || isAttr && key != "" && len(key) <= MaxMetricLen
		at := fmt.Sprintf("%s[%d]", path, i)
		c.want(known, at, d, "want device, class, metric or attrs.KEY; the tenant is always in the key")
		c.want(!slices.Contains(dims[:i], d), at, d, "it stands there twice: keep one")
	}
}

func (c *checker) match(scope string, m *Match) {
	for _, g := range [...]struct{ name, pattern string }{{"tenant", m.Tenant}, {"class", m.Class}, {"device", m.Device}} {
		if g.pattern != "" {
			c.glob(scope+g.name, g.pattern)
		}
	}
	if m.Metric != "" {
		c.want(validGlob(m.Metric, metricByte, MaxMetricLen), scope+"metric", m.Metric, "use a metric name, with * for any text and ? for one character")
	}
}

// windows checks the times of a view.
func (c *checker) windows(at string, v *View) {
	c.within(at+".size", v.Size, 100*millisecond, day)
	whole := v.Hop > 0 && v.Hop <= v.Size && v.Size%v.Hop == 0
	c.want(whole, at+".hop", v.Hop, "want a part of the size %s that divides it, or leave it out", v.Size)
	c.want(v.AllowedLateness <= c.policy.MaxPast, at+".allowed_lateness", v.AllowedLateness, "want at most max_past, %s", c.policy.MaxPast)
	if !whole {
		return
	}
	span := v.Size + v.AllowedLateness + c.policy.Disorder
	open := (span + v.Hop - 1) / v.Hop
	c.want(open <= MaxOpenWindows, at+".allowed_lateness", v.AllowedLateness,
		"with size %s and hop %s it keeps %d windows of a series open, and %d may be: allow at most %s, or take longer windows",
		v.Size, v.Hop, open, MaxOpenWindows, max(0, v.Hop*MaxOpenWindows-v.Size-c.policy.Disorder))
}

// deviceView keeps the view whose classes are the ledger's fit for that.
func (c *checker) deviceView(at string, v *View) {
	c.want(slices.Contains(v.GroupBy, "device") && slices.Contains(v.GroupBy, "metric"), at+".group_by", strings.Join(v.GroupBy, ", "),
		"the view device is by device and metric: keep both, or add a view of another name")
	c.want(v.Match.IsZero(), at+".match", map[string]any{}, "the view device holds every record, for the ledger: leave it out, or add a view of another name")
	c.want(v.Hop == v.Size, at+".hop", v.Hop, "the view device counts each record once, for the ledger: leave it out, or add a view of another name")
	c.want(v.Kind == Gauge, at+".kind", v.Kind, "the view device keeps the values: add a view of another name for the increase")
	c.want(v.Uplink != UplinkNone, at+".uplink", v.Uplink, "the region checks the ledger by the view device: want region or center")
}
