package aggregator

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"weir/pkg/sketch"
	"weir/pkg/window"
	"weir/schemas"
	"weir/services/internal/fold"
)

// group is one key of one view with its open windows.
type group struct {
	view    *View
	state   *viewState
	spec    window.Spec
	key     schemas.Key
	dev     *device // set where the key holds the device: its own watermark closes the windows
	panes   window.Panes[tally]
	members bitset // devices that ever fed it; only where the key does not hold the device
}

// groupKey is what makes two generations' groups the same: their windows cannot
// be mixed as long as the shape of the windows is the same.
type groupKey struct {
	shape
	key string
}

// shape is what makes windows of two generations addable.
type shape struct {
	view, dims string
	size, hop  int64
	scale      int
	counter    bool
}

func (v *View) shape() shape {
	return shape{v.Name, strings.Join(v.Dims, " "), v.Spec.Size, v.Spec.Hop, v.Sketch.Scale, v.Counter}
}

// viewState are the totals of one view over all its groups and generations.
type viewState struct {
	name    string
	size    int64
	uplink  schemas.Tier
	publish bool
	through int64  // final_through as announced
	emitted uint64 // Σ count of the latest revisions
	open    uint64 // records counted but in no emitted revision
	late    uint64
	groups  []*group // those that the agent watermark closes
}

// groupsOf finds the groups that records of a series with some attributes feed
// under a generation.
func (f *Fold) groupsOf(s *series, a *attrSet, g *generation) []*group {
	targets := s.targets
	if a != nil {
		targets = s.others[a]
	}
	for i := range targets {
		if targets[i].gen == g {
			return targets[i].groups
		}
	}
	t := f.target(s, a, g)
	kept := targets[:0]
	for _, old := range targets {
		if f.current(old.gen) {
			kept = append(kept, old)
		}
	}
	s.feed(a, append(kept, t))
	return t.groups
}

// target finds the groups by asking each view of the generation.
func (f *Fold) target(s *series, a *attrSet, g *generation) target {
	t := target{gen: g}
	for i := range g.Views {
		v := &g.Views[i]
		if v.Match == nil || v.Match(&s.dev.DeviceID, s.metric, a.all()) {
			t.groups = append(t.groups, f.group(v, s, a))
		}
	}
	return t
}

// feed notes what records with some attributes feed.
func (s *series) feed(a *attrSet, targets []target) {
	switch {
	case a == nil:
		s.targets = targets
	case s.others == nil:
		s.others = map[*attrSet][]target{a: targets}
	default:
		s.others[a] = targets
	}
}

func (f *Fold) current(g *generation) bool {
	for _, h := range f.generations {
		if h == g {
			return true
		}
	}
	return false
}

// group finds or makes the group of a series in a view.
func (f *Fold) group(v *View, s *series, a *attrSet) *group {
	key := schemas.Key{Tenant: s.dev.Tenant, Values: make([]string, len(v.Dims))}
	for i, d := range v.Dims {
		key.Values[i] = dimension(d, s, a)
	}
	var dev *device
	if v.byDevice() {
		dev = s.dev
	}
	return f.groupOf(v, key, dev)
}

func dimension(dim string, s *series, a *attrSet) string {
	switch dim {
	case "device":
		return s.dev.Device
	case "class":
		return s.dev.Class
	case "metric":
		return s.metric
	}
	return a.all().Get(strings.TrimPrefix(dim, attrDim))
}

func (f *Fold) groupOf(v *View, key schemas.Key, dev *device) *group {
	k := groupKey{v.shape(), key.ID()}
	g := f.groups[k]
	if g == nil {
		g = &group{view: v, key: key, dev: dev, state: f.viewState(v)}
		f.groups[k] = g
		f.order = append(f.order, g)
		if dev != nil {
			dev.own = append(dev.own, g)
		} else {
			g.state.groups = append(g.state.groups, g)
		}
	}
	g.view, g.spec = v, v.Spec
	g.spec.Carry = v.Counter
	return g
}

func (f *Fold) viewState(v *View) *viewState {
	for _, s := range f.views {
		if s.name == v.Name {
			s.size, s.uplink, s.publish = v.Spec.Size, v.Uplink, v.Publish
			return s
		}
	}
	s := &viewState{name: v.Name, size: v.Spec.Size, uplink: v.Uplink, publish: v.Publish, through: math.MinInt64}
	f.views = append(f.views, s)
	return s
}

// add adds a record of a reading to the group; values is its distribution, nil where it
// is one value. It reports false where the record came too late.
func (g *group) add(f *Fold, s *series, r *observation, p schemas.Point, values *sketch.Sketch) bool {
	watermark := f.low
	if g.dev != nil {
		watermark = r.own
	}
	acc, ok := g.panes.Accept(&g.spec, p.Time, watermark, f.pool)
	if !ok {
		return false
	}
	if acc.records() == 0 {
		_ = acc.sk.Configure(g.view.Sketch) // a validated configuration on an empty sketch
	}
	if values != nil {
		acc.addMany(p, values)
	} else {
		acc.add(p)
	}
	if r.trace != nil {
		acc.exemplify(schemas.Exemplar{Time: p.Time, Value: p.Value, TraceID: *r.trace})
	}
	if g.view.Counter && values == nil {
		g.count(acc, s.counter(r.print), p, min(r.own, watermark))
	}
	if watermark > p.Time && watermark >= windowEnd(&g.spec, p.Time) {
		acc.late++
	}
	if g.dev == nil {
		acc.seen.set(s.dev.id)
		g.members.set(s.dev.id)
		return true
	}
	g.dev.noteDue(g)
	return true
}

// count adds a sample of one counter. What it changes in a later window is the step into the
// counter's next sample.
func (g *group) count(acc *tally, counter uint64, p schemas.Point, settled int64) {
	acc.counters().Of(counter).Add(p.Time, p.Value, p.ID, settled)
	g.panes.Follow(&g.spec, p.Time, func(a *tally) bool { return a.count.Has(counter) })
}

// alone is the counter of a group by device and metric, without attributes.
func (g *group) alone() uint64 {
	w := schemas.Window{Dims: g.view.Dims, Key: g.key}
	return schemas.SeriesIdentity(g.key.Tenant, w.Dim("device"), "", w.Dim("metric"))
}

// signal is that of the records of a group whose key holds the metric.
func (g *group) signal() schemas.Signal {
	for i, d := range g.view.Dims {
		if d == "metric" {
			return schemas.SignalOf(g.key.Values[i])
		}
	}
	return schemas.Metrics
}

// tumbling reports whether each record is in one window.
func (g *group) tumbling() bool { return g.spec.Hop == 0 || g.spec.Hop == g.spec.Size }

// noteDue keeps what the device's groups need, so that a tick need not look.
func (d *device) noteDue(g *group) {
	d.due = min(d.due, g.panes.Due())
	d.hold = min(d.hold, g.panes.HoldDue())
	d.dirty = d.dirty || g.panes.Dirty()
}

// windowEnd is the end of the newest window that holds t.
func windowEnd(s *window.Spec, t int64) int64 {
	hop := s.Hop
	if hop == 0 {
		hop = s.Size
	}
	start := t - t%hop
	if t%hop < 0 {
		start -= hop
	}
	return start + s.Size
}

func (g *group) append(b []byte) []byte {
	sh := g.view.shape()
	b = fold.AppendString(fold.AppendString(b, sh.view), sh.dims)
	b = binary.AppendVarint(b, sh.size)
	b = binary.AppendVarint(b, sh.hop)
	b = binary.AppendVarint(b, int64(sh.scale))
	b = fold.AppendBool(b, sh.counter)
	b = fold.AppendString(b, g.key.Tenant)
	b = binary.AppendUvarint(b, uint64(len(g.key.Values)))
	for _, v := range g.key.Values {
		b = fold.AppendString(b, v)
	}
	if g.dev == nil {
		b = binary.AppendVarint(b, -1)
	} else {
		b = binary.AppendVarint(b, int64(g.dev.id))
	}
	b = binary.AppendUvarint(b, uint64(len(g.members)))
	for _, w := range g.members {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return g.panes.AppendBinary(b, appendTally)
}

func (f *Fold) readGroup(r *fold.StateReader, version byte) {
	sh := shape{r.String(), r.String(), r.Int(), r.Int(), int(r.Int()), r.Bool()}
	key := schemas.Key{Tenant: r.String(), Values: make([]string, r.Len())}
	for i := range key.Values {
		key.Values[i] = r.String()
	}
	id := r.Int()
	if r.Err != nil || id >= int64(len(f.devices)) {
		r.Fail(errBadGroup)
		return
	}
	v := viewShaped(f.generations, sh)
	if v == nil || len(v.Dims) != len(key.Values) {
		r.Fail(errBadGroup)
		return
	}
	var dev *device
	if id >= 0 {
		dev = f.devices[id]
	}
	g := f.groupOf(v, key, dev)
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		g.members = append(g.members, r.Fixed())
	}
	read := func(a *tally, b []byte) ([]byte, error) { return readTally(a, b, version, g.alone()) }
	r.Then(func(b []byte) ([]byte, error) { return g.panes.Decode(b, f.pool, read) })
	if dev != nil {
		dev.noteDue(g)
	}
}

// viewShaped finds the newest view of a shape.
func viewShaped(gens []*generation, sh shape) *View {
	for _, g := range slices.Backward(gens) {
		for i := range g.Views {
			if v := &g.Views[i]; v.shape() == sh {
				return v
			}
		}
	}
	return nil
}
