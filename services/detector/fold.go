package detector

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"weir/schemas"
	"weir/services/internal/fold"
	"weir/services/internal/found"
)

const second = 1_000_000_000

// never is a time before all times.
const never = math.MinInt64

// forgetAfter is how long a device may be silent before it is forgotten, ns.
const forgetAfter = 24 * 3600 * second

// Fold is the pure core of one agent's detector: commits in, findings out. It has no
// clock, no goroutine and does no I/O.
type Fold struct {
	agent   string
	compile Compile

	document []byte // nil: the defaults
	revision uint64 // of the document
	settings *Settings

	epoch     schemas.Epoch // of the agent's commits
	n         uint64        // newest entry seen
	run       [][]byte      // entries of a commit whose end has not come
	now, wall int64         // agent time and wall clock of the newest commit
	clock     int64         // bound of the error of the agent's clock, ns, as the newest window says

	devices []*device // in order of first sight
	byName  map[string]*device
	series  int // room that all devices take
	open    []*group
	closed  []schemas.Finding // the last ones
	counts  found.Counts
	tally

	dec     schemas.CommitDecoder
	name    []byte
	touched []*joint          // that have to be settled, all of one device
	ready   []schemas.Finding // of the commit that is being applied
	damaged uint64
}

// tally counts, since the state began.
type tally struct {
	missed   uint64 // entries of the agent that were not there any more
	overflow uint64 // values of series that found no room
	bursts   uint64 // seconds with far more values than usual: not judged
	values   uint64 // judged
	partial  uint64 // vectors of groups that lacked a metric: not judged
}

// NewFold makes the core of an agent with the default settings.
func NewFold(agent string, compile Compile) *Fold {
	f := &Fold{agent: agent, compile: compile}
	f.reset()
	return f
}

func (f *Fold) reset() {
	*f = Fold{
		agent: f.agent, compile: f.compile, settings: DefaultSettings(),
		now: never, byName: map[string]*device{},
	}
}

// Apply folds one entry of the agent's commits.
func (f *Fold) Apply(m fold.Message) (*fold.Results, error) {
	c, err := f.dec.Decode(m.Data, 0)
	if newer := (*schemas.NewerVersionError)(nil); errors.As(err, &newer) {
		return nil, fmt.Errorf("commit of %s at %d: %w", f.agent, m.Seq, err)
	}
	if err != nil || c.Producer != f.agent {
		f.damaged++
		return nil, nil // its number is missing in the next one
	}
	if !f.follow(c) {
		return nil, nil
	}
	f.run = append(f.run, m.Data)
	if !c.End {
		f.run[len(f.run)-1] = append([]byte(nil), m.Data...)
		return nil, nil
	}
	defer func() { f.run = f.run[:0] }()
	if err := f.begin(c); err != nil {
		return nil, err
	}
	if err := f.look(); err != nil {
		f.damaged++
		return nil, nil
	}
	return f.results(), nil
}

// follow follows the dense numbers of the agent's entries and reports whether this
// one is new.
func (f *Fold) follow(c *schemas.Commit) bool {
	if c.Epoch != f.epoch {
		f.epoch, f.n, f.run = c.Epoch, c.RunFirst-1, f.run[:0]
	}
	if c.N <= f.n {
		return false
	}
	if f.n+1 < c.RunFirst || len(f.run) == 0 && c.N != c.RunFirst {
		f.missed += c.N - f.n - 1
		f.run = f.run[:0]
	}
	f.n = c.N
	return true
}

// begin takes the time and the news of a commit.
func (f *Fold) begin(c *schemas.Commit) error {
	f.now, f.wall = max(f.now, c.Time), max(f.wall, c.Wall)
	if c.Config != nil {
		if err := f.configure(c.Config); err != nil {
			return err
		}
	}
	if c.Resumed {
		f.resume()
	}
	return nil
}

func (f *Fold) configure(c *schemas.Config) error {
	s, err := f.compile(c.Document)
	if err != nil {
		return fmt.Errorf("policy revision %d: %w", c.Revision, err)
	}
	f.document, f.revision, f.settings = append([]byte(nil), c.Document...), c.Revision, s
	f.series = 0
	for _, d := range f.devices {
		d.follow(s)
		f.series += d.room()
	}
	return nil
}

// resume starts the silence of all devices anew: nobody has listened for a while.
func (f *Fold) resume() {
	for _, d := range f.devices {
		d.resume(f.now, f.settings.Grace)
	}
}

// look judges everything that a commit holds.
func (f *Fold) look() error {
	defer f.settleJoints()
	for _, data := range f.run {
		c, err := f.dec.Decode(data, schemas.WithWindows|schemas.WithEarly)
		if err != nil {
			return err
		}
		for i := range c.Early {
			f.early(&c.Early[i])
		}
		for i := range c.Windows {
			f.window(&c.Windows[i])
		}
	}
	return nil
}

// early judges what a series did in one second.
func (f *Fold) early(e *schemas.Early) {
	if e.Count == 0 {
		return
	}
	if s := f.find(e.Tenant, e.Device, e.Metric); s != nil {
		s.heard(f.now)
		s.second(f, e)
	}
}

// window judges a window of a device and metric.
func (f *Fold) window(w *schemas.Window) {
	f.clock = w.ClockError
	if w.View != schemas.DeviceView || len(w.Dims) != 2 {
		return
	}
	if s := f.find(w.Key.Tenant, w.Dim("device"), w.Dim("metric")); s != nil {
		s.window(f, w)
	}
}

// find is a series, made on first sight; nil where it is not to be judged or finds no
// room.
func (f *Fold) find(tenant, name, metric string) *series {
	f.name = append(append(append(f.name[:0], tenant...), '/'), name...)
	d := f.byName[string(f.name)]
	if d == nil {
		if f.series >= f.settings.MaxSeries {
			f.overflow++
			return nil
		}
		d = f.newDevice(strings.Clone(tenant), strings.Clone(name))
	}
	if d.rules.Off {
		return nil
	}
	if s := d.seriesOf(metric); s != nil {
		return s
	}
	if f.series >= f.settings.MaxSeries {
		f.overflow++
		return nil
	}
	f.series++
	return d.newSeries(strings.Clone(metric))
}

func (f *Fold) newDevice(tenant, name string) *device {
	d := &device{tenant: tenant, name: name, presence: presence{seen: f.now}}
	d.follow(f.settings)
	f.devices = append(f.devices, d)
	f.byName[tenant+"/"+name] = d
	return d
}

// keepClosed is how many closed findings are shown.
const keepClosed = 256

// results are the findings that this commit has led to; nil: none.
func (f *Fold) results() *fold.Results {
	f.silences()
	f.ready = f.ready[:0]
	f.settle()
	f.forget()
	if len(f.ready) == 0 {
		return nil
	}
	for i := range f.ready {
		switch o := &f.ready[i]; o.State {
		case schemas.FindingOpen:
			f.counts.Add(o)
		case schemas.FindingClosed:
			f.closed = found.Keep(f.closed, o, keepClosed)
		}
	}
	return &fold.Results{Time: f.now, Wall: f.wall, ConfigRev: f.revision, Findings: f.ready}
}
