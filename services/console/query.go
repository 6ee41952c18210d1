package console

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/schemas"
)

// Query says which windows are wanted. Empty fields do not narrow it.
type Query struct {
	Tier         schemas.Tier
	Late         bool // totals of records that came too late, not windows
	View         string
	Tenant       string
	Device       string
	DevicePrefix string
	Metric       string
	From, To     int64 // event time, Unix ns, half-open
	Final        bool
	Limit        int // the newest so many; 0: all
	Detail       bool
	Follow       bool

	onlyLocal bool           // leave out what goes up to the next tier
	here      []schemas.Tier // whose outboxes can be asked
}

// recent is how far back a question reaches that does not say.
const recent = 5 * time.Minute

// deviceDim and metricDim are dimensions of views that have their own parameter.
const (
	deviceDim = "device"
	metricDim = "metric"
	classDim  = "class"
)

// DeviceView is the view that is asked for where only a device is.
const DeviceView = "device"

var windowParams = []string{
	"tier", "view", "tenant", "device", "device_prefix", "metric", "from", "to", "final", "limit", "detail", "follow",
}

// parseQuery reads a query to the tiers that are here from URL parameters; now is
// the wall clock. Its errors are questionErrors.
func parseQuery(v url.Values, late bool, now int64, here []schemas.Tier) (Query, error) {
	for name := range v {
		if !slices.Contains(windowParams, name) {
			return Query{}, questionError{fmt.Errorf("parameter %q is unknown; use %s", name, strings.Join(windowParams, ", "))}
		}
	}
	p := params{values: v, now: now}
	q := Query{
		Tier: schemas.Tier(v.Get("tier")), Late: late, View: v.Get("view"), Tenant: v.Get("tenant"),
		Device: v.Get("device"), DevicePrefix: v.Get("device_prefix"), Metric: v.Get("metric"),
		To: p.time("to", math.MaxInt64), Final: p.bool("final"), Limit: p.count("limit"),
		Detail: p.bool("detail"), Follow: p.bool("follow"), here: here,
	}
	q.From = p.time("from", q.defaultFrom(now))
	if q.From >= q.To && p.err == nil {
		p.err = questionError{fmt.Errorf("from %s is not before to %s", schemas.RowTime(q.From), schemas.RowTime(q.To))}
	}
	if late && q.Follow {
		p.fail("follow", v.Get("follow"), "it with windows only")
	}
	if q.Tier == "" && !late {
		q.Tier = q.defaultTier()
	}
	if q.Tier == "" {
		return q, p.err
	}
	if !slices.Contains(here, q.Tier) {
		p.fail("tier", string(q.Tier), oneOf(here)+": other tiers are elsewhere")
	}
	return q, p.err
}

func oneOf(tiers []schemas.Tier) string {
	var names []string
	for _, t := range tiers {
		names = append(names, string(t))
	}
	return strings.Join(names, " or ")
}

// tiers are the questions that together answer q, one for each tier: late totals
// without a tier are at the tier where their windows are.
func (q Query) tiers() []Query {
	if q.Tier != "" {
		return []Query{q}
	}
	var all []Query
	for _, t := range q.here {
		one := q
		one.Tier, one.onlyLocal = t, t != schemas.TierAgent // an agent's go up, and are shown here too
		all = append(all, one)
	}
	return all
}

// parts are the windows of a commit that may answer.
func (q *Query) parts() schemas.Parts {
	if q.onlyLocal {
		return schemas.WithLocal
	}
	return schemas.WithLocal | schemas.WithWindows
}

// defaultFrom is five minutes before the end; late totals reach back to the beginning.
func (q *Query) defaultFrom(now int64) int64 {
	if q.Late {
		return 0
	}
	return min(now, q.To) - int64(recent)
}

// defaultTier is where the windows in question are, as far as can be told here.
func (q *Query) defaultTier() schemas.Tier {
	want := schemas.TierCenter
	if q.Device != "" || q.DevicePrefix != "" || q.View == DeviceView {
		want = schemas.TierRegion
	}
	if slices.Contains(q.here, want) {
		return want
	}
	return q.here[len(q.here)-1]
}

// stream is where the tier writes what it knows.
func (q *Query) stream() string {
	switch q.Tier {
	case schemas.TierAgent:
		return schemas.StreamAgentOutbox
	case schemas.TierCenter:
		return schemas.StreamCenterOutbox
	}
	return schemas.StreamRegionOutbox
}

// wants reports whether a revision belongs to the answer, its timing aside.
func (q *Query) wants(w *schemas.Window) bool {
	if w.End <= q.From || w.Start >= q.To || q.Tenant != "" && w.Key.Tenant != q.Tenant {
		return false
	}
	view, late := schemas.CutLate(w.View)
	if late != q.Late || q.View != "" && view != q.View {
		return false
	}
	return (q.Metric == "" || w.Dim(metricDim) == q.Metric) &&
		(q.Device == "" || w.Dim(deviceDim) == q.Device) &&
		(q.DevicePrefix == "" || strings.HasPrefix(w.Dim(deviceDim), q.DevicePrefix))
}

// params reads typed parameters; the first failure sticks.
type params struct {
	values url.Values
	now    int64
	err    error
}

// questionError says that a question cannot be answered as it was put.
type questionError struct{ error }

func (p *params) fail(name, value, want string) {
	if p.err == nil {
		p.err = questionError{fmt.Errorf("%s %.100q: use %s", name, value, want)}
	}
}

func (p *params) bool(name string) bool {
	s := p.values.Get(name)
	v, err := strconv.ParseBool(s)
	if s != "" && err != nil {
		p.fail(name, s, "true or false")
	}
	return v
}

func (p *params) count(name string) int {
	s := p.values.Get(name)
	v, err := strconv.ParseUint(s, 10, 31)
	if s != "" && err != nil {
		p.fail(name, s, "a number from 0")
	}
	return int(v)
}

// layouts are how people write times; UTC where they do not say.
var layouts = []string{time.RFC3339Nano, time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly}

// time reads an event time: in one of the layouts, Unix nanoseconds, or a duration before now.
func (p *params) time(name string, otherwise int64) int64 {
	s := p.values.Get(name)
	if s == "" {
		return otherwise
	}
	if ns, err := strconv.ParseInt(s, 10, 64); err == nil {
		return ns
	}
	if d, ok := parseAge(s); ok {
		return p.now - d
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1970 && t.Year() <= 2261 {
			return t.UnixNano()
		}
	}
	p.fail(name, s, `RFC 3339 like "2026-11-21T10:00:00Z", "2026-11-21 10:00" or "2026-11-21" in UTC, Unix nanoseconds, or a duration before now like "10m" or "2d"`)
	return otherwise
}

// parseAge reads a duration, in ns; days, too.
func parseAge(s string) (ns int64, ok bool) {
	if days, found := strings.CutSuffix(s, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		return int64(n) * 24 * int64(time.Hour), err == nil
	}
	d, err := time.ParseDuration(s)
	return int64(d.Abs()), err == nil
}
