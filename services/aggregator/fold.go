package aggregator

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"weir/pkg/sketch"
	"weir/pkg/window"
	"weir/schemas"
	"weir/services/internal/fold"
)

// Fold is the pure core of one agent's aggregator: frames in, results out. It
// has no clock, no goroutine and does no I/O.
type Fold struct {
	agent   string
	compile Compile

	generations []*generation // ascending by from; at least one
	now, wall   int64         // agent time and wall clock of the newest tick
	frame       uint64        // number of the newest frame
	arrived     uint64        // records that arrived in all frames through it
	numbers     uint64        // those that devices had numbered
	gap         uint64        // the newest frame that is missing; 0: none is
	second      int64         // agent time of the last second that was reported, whole seconds
	began       int64         // agent time of the first frame: what adds up since before it has an unknown part
	low         int64         // agent watermark as of the last tick: it moves at ticks only
	told        int64         // agent watermark as of the last commit

	devices []*device
	byName  map[string]map[string]*device // by tenant and name
	sources *window.Sources
	groups  map[groupKey]*group
	order   []*group // in order of creation
	views   []*viewState
	lates   map[lateKey]*lateTotal
	touched []*series // with an early value in this second
	accounts
	holes []schemas.Hole
	base  map[schemas.Total]uint64 // totals that earlier epochs have told, by what they count
	// rewound: the input has lost its end since the newest frame, and what was written
	// then uses its numbers again.
	rewound  bool
	standing fold.Standing // windows that stand, made from input that is lost
	standEnd int64         // latest end of them
	included bool          // the state included the frame applied last already
	news                   // for detectors, with the next commit
	logs     logs          // for the tier above, likewise

	attrs    attributes
	counting bool // some view counts counters

	pool    *window.Pool[tally]
	dec     schemas.FrameDecoder
	in      schemas.Frame
	senders []sender // of the frame's sources, resolved
	rest    unread   // of the frame's sparse columns
	metrics []string // of the frame's strings, interned where they name a metric
	names   map[string]string
	name    []byte
	out     fold.Collector
	early   []schemas.Early // of the second that a tick reports
}

var errBadGroup = errors.New("state names a device or view that is not there")

// NewFold makes the core of an agent with the default settings.
func NewFold(agent string, compile Compile) *Fold {
	f := &Fold{agent: agent, compile: compile}
	f.reset()
	return f
}

func (f *Fold) reset() {
	first, _ := newGeneration(nil, f.compile) // the defaults cannot fail
	*f = Fold{
		agent: f.agent, compile: f.compile, generations: []*generation{first},
		now: math.MinInt64, began: math.MinInt64, second: math.MinInt64, low: math.MinInt64, told: math.MinInt64, byName: map[string]map[string]*device{}, names: map[string]string{}, sources: window.NewSources(first.Sources),
		groups: map[groupKey]*group{}, lates: map[lateKey]*lateTotal{}, accounts: newAccounts(),
		pool: window.NewPool[tally](1 << 16),
	}
}

// Apply folds one frame.
func (f *Fold) Apply(m fold.Message) (*fold.Results, error) {
	if err := f.dec.Decode(m.Data, &f.in); err != nil {
		if newer := (*schemas.NewerVersionError)(nil); errors.As(err, &newer) {
			return nil, fmt.Errorf("journal message %d: %w", m.Seq, err)
		}
		return nil, nil // damaged: its number is missing in the next frame, which declares its records
	}
	if !f.resync() || f.in.N <= f.frame {
		return nil, nil // the state includes it, or it was written twice by an outcome that was unknown
	}
	f.number()
	if err := f.configure(f.in.Config); err != nil {
		return nil, err
	}
	f.hear(&f.in)
	f.time()
	f.arrive(f.in.Flow)
	f.refused()
	f.readings()
	if f.in.HasTick {
		return f.tick(), nil
	}
	return nil, nil
}

// number follows the frames' dense numbers and declares what is missing.
func (f *Fold) number() {
	if f.in.N > f.frame+1 {
		f.miss(f.in.ArrivedBefore-f.arrived, f.in.NumberedBefore-min(f.numbers, f.in.NumberedBefore))
	}
	f.frame = f.in.N
	f.arrived, f.numbers = f.in.ArrivedBefore+f.in.Arrived(), f.in.NumberedBefore+f.in.Numbered()
}

// miss declares the frames before this one that are not there, with so many records,
// of which some had numbers. Those may be missing by number already, or will be once
// their devices send again: each is declared once.
func (f *Fold) miss(records, numbered uint64) {
	f.holes = append(f.holes, schemas.Hole{Source: f.agent, From: f.frame + 1, To: f.in.N - 1, Records: records})
	f.hole += records
	f.holeOf += min(records, numbered)
	for _, d := range f.devices {
		for _, n := range d.boots {
			d.lose(0, int64(n.hole(f.frame+1)))
		}
	}
	f.gap = f.in.N - 1
	f.changed = true
}

// time takes the frame's tick as the agent time of everything in it.
func (f *Fold) time() {
	if f.in.HasTick && f.in.Tick.Time > f.now {
		f.now, f.wall = f.in.Tick.Time, f.in.Tick.Wall
	}
	if f.now == math.MinInt64 {
		f.now = f.in.Tick.Time // no tick yet: the first frame starts agent time, if its writer tells it
	}
	if f.now == 0 && len(f.in.IngestTime) > 0 {
		f.now = f.in.IngestTime[0] // else the first record does
	}
	if f.began == math.MinInt64 {
		f.began = f.now
	}
	if f.in.Resumed && f.now > math.MinInt64 {
		f.sources.Restart(f.now)
	}
}

func (f *Fold) configure(c *schemas.Config) error {
	if c == nil {
		return nil
	}
	g, err := newGeneration(c, f.compile)
	if err != nil {
		return err
	}
	last := f.generations[len(f.generations)-1]
	if len(f.devices) == 0 || g.from <= last.from {
		g.from = last.from
		f.generations[len(f.generations)-1] = g // nothing is kept under the old one yet, or never will be
	} else {
		f.generations = append(f.generations, g)
	}
	if len(f.generations) > maxGenerations {
		f.generations = f.generations[1:]
	}
	f.generations[0].from = math.MinInt64
	f.counting = counts(f.generations)
	if f.attrs.look(f.generations) {
		f.forgetAttributes()
	}
	f.sources.Configure(g.Sources)
	for _, d := range f.devices {
		d.Class = g.ClassOf(d.Device)
	}
	f.changed = true
	return nil
}

// newest is the generation that limits, classes and watermarks follow.
func (f *Fold) newest() *generation { return f.generations[len(f.generations)-1] }

func (f *Fold) revision() uint64 { return f.newest().revision }

// at is the generation whose views an event time falls under.
func (f *Fold) at(t int64) *generation {
	i := len(f.generations) - 1
	for i > 0 && t < f.generations[i].from {
		i--
	}
	return f.generations[i]
}

// forgetAttributes drops what was kept of attributes when views begin to look at
// others.
func (f *Fold) forgetAttributes() {
	for _, d := range f.devices {
		d.sets = nil
		for _, s := range d.series {
			s.others = nil
		}
	}
}

// sender is a source of a frame: a device, and those of its attributes that views
// look at.
type sender struct {
	*device
	attrs *attrSet
	print uint64 // of all its attributes, where views count counters; see prints
}

// resolve finds the devices of the frame's sources.
func (f *Fold) resolve() {
	f.senders = f.senders[:0]
	var known map[string]*device // of the tenant at hand
	for i := range f.in.Sources {
		s := &f.in.Sources[i]
		tenant, name := f.in.Strings[s.Tenant], f.in.Strings[s.Device]
		if i == 0 || s.Tenant != f.in.Sources[i-1].Tenant {
			known = f.devicesOf(tenant)
		}
		d := known[name]
		if d == nil {
			d = f.newDevice(strings.Clone(tenant), strings.Clone(name), f.newest().ClassOf(name))
		}
		f.senders = append(f.senders, sender{d, d.take(f.attrs.of(&f.in, s), f.newest().MaxSets, &f.attrs), f.print(d, s)})
	}
}

// devicesOf are the devices of a tenant by name.
func (f *Fold) devicesOf(tenant string) map[string]*device {
	known := f.byName[tenant]
	if known == nil {
		known = map[string]*device{}
		f.byName[strings.Clone(tenant)] = known
	}
	return known
}

func (f *Fold) newDevice(tenant, name, class string) *device {
	d := &device{
		DeviceID: DeviceID{tenant, name, class}, id: len(f.devices), tenant: f.accounts.tenant(tenant),
		firstSeen: f.now, due: math.MaxInt64, hold: math.MaxInt64,
	}
	f.devices = append(f.devices, d)
	f.devicesOf(tenant)[name] = d
	return d
}

// refused notes numbers that the door refused: seen, not missing.
func (f *Fold) refused() {
	f.resolve()
	f.watch()
	for _, r := range f.in.Refused {
		s := &f.in.Sources[r.Source]
		f.senders[r.Source].fresh(f.in.Strings[s.Boot], r.Seq, math.MinInt64, false, frames{f.frame, f.gap})
	}
}

// watch makes the watermark of devices that are new in this frame.
func (f *Fold) watch() {
	for f.sources.Len() < len(f.devices) {
		f.sources.Add(f.now)
	}
}

// intern returns the one copy of a metric's name.
func (f *Fold) intern(name string) string {
	if s, ok := f.names[name]; ok {
		return s
	}
	name = strings.Clone(name)
	f.names[name] = name
	return name
}

// metric is the interned name of a metric of this frame.
func (f *Fold) metric(i uint32) string {
	if f.metrics[i] == "" {
		f.metrics[i] = f.intern(f.in.Strings[i])
	}
	return f.metrics[i]
}

func (f *Fold) readings() {
	f.metrics = append(f.metrics[:0], make([]string, len(f.in.Strings))...)
	f.rest.begin(&f.in)
	value := 0
	for i := range f.in.From {
		n := int(f.in.Values[i])
		f.reading(i, f.rest.reading(i, value, value+n), value, value+n)
		value += n
	}
}

// observation is what the records of one reading share.
type observation struct {
	*sender
	gen      *generation // whose views its time falls under
	boot     string
	numbered bool
	seq      uint64
	time     int64
	trace    *schemas.TraceID // nil: it belongs to none
	own      int64            // watermark of its device
}

// reading judges one reading and adds its records.
func (f *Fold) reading(i int, x *extras, first, end int) {
	from := &f.senders[f.in.From[i]]
	d, s := from.device, &f.in.Sources[f.in.From[i]]
	t, n := f.in.EventTime[i], uint64(end-first)
	boot := f.in.Strings[s.Boot]
	d.lastSeen = f.now
	d.records += n
	d.rate.add(f.now, uint32(n))
	f.changed = true
	if f.repeat(d, s, boot, i, t, n, x) {
		f.bookOf(d, first).duplicate += n
		return
	}
	if len(x.log) > 0 {
		f.pass(d, i, x.request, first, x.log)
	}
	if t < f.in.IngestTime[i]-f.newest().MaxPast {
		f.bookOf(d, first).old += n
		return
	}
	r := observation{from, f.at(t), boot, s.Numbered, f.in.Seq[i], t, x.trace, f.sources.DataWatermark(d.id)}
	for k := first; k < end; k++ {
		f.record(&r, k, x.value(k-first))
	}
	f.sources.Observe(d.id, t, f.now)
}

func (f *Fold) repeat(d *device, s *schemas.Source, boot string, i int, t int64, n uint64, x *extras) bool {
	switch {
	case s.Numbered:
		d.numbered = true
		d.sized(n)
		return !d.fresh(boot, f.in.Seq[i], t, t/1e6 != f.in.IngestTime[i]/1e6, frames{f.frame, f.gap})
	case x.request.Hash != 0:
		return d.requests.repeat(x.request)
	}
	return x.packet.ID != 0 && d.packets.repeat(x.packet)
}

// bookOf is where the records of a reading are counted, by its first one.
func (f *Fold) bookOf(d *device, first int) *tenant {
	return f.share(d.Tenant, schemas.SignalOf(f.metric(f.in.Metric[first])))
}

// record adds one record to every group that wants it. The default view's
// verdict is the ledger's.
func (f *Fold) record(r *observation, k int, special *schemas.Value) {
	s := f.seriesOf(r.device, f.metric(f.in.Metric[k]))
	p := s.point(r, f.in.Value[k])
	var values *sketch.Sketch
	if special != nil {
		var ok bool
		if p.Value, values, ok = f.special(r.device, s, special, r.time); !ok {
			return
		}
	}
	for j, gr := range f.groupsOf(s, r.attrs, r.gen) {
		if f.doubtful(gr, r.time) {
			if j == 0 {
				s.book.doubt++
			}
			continue
		}
		ok := gr.add(f, s, r, p, values)
		if !ok {
			f.addLate(gr, p)
		} else if gr.tumbling() {
			gr.state.open++
		}
		if j == 0 {
			f.class(s, p, ok)
		}
	}
}

// class books the default view's verdict on a record.
func (f *Fold) class(s *series, p schemas.Point, ok bool) {
	if !ok {
		s.book.late++
		return
	}
	s.book.counted++
	s.book.open++
	if s.early.add(p) {
		f.touched = append(f.touched, s)
	}
}
