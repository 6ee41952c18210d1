package gateway

import (
	"container/heap"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"weir/schemas"
	"weir/services/internal/fold"
)

// never is a time before all times.
const never = math.MinInt64

// hold is how far, in agent time, a producer may stay behind the newest one
// before it no longer holds windows back.
const hold = 120 * 1_000_000_000

// wholeSecond is how often progress and changed windows are reported.
const wholeSecond = 1_000_000_000

// Fold is the pure core of one gateway partition.
type Fold struct {
	producer string
	tier     schemas.Tier

	now, wall int64 // agent time of the newest commit applied, of all producers
	second    int64 // the last second reported
	config    uint64
	entries   uint64 // applied
	repeats   uint64
	producers map[string]*producer
	names     []string // of the producers, sorted
	views     []*view  // in order of first sight
	windows   map[string]*merged

	flushes uint64    // since the state was made or restored
	touched []*merged // by the commit that has just ended
	dirty   []*merged // came out, have changed, and wait for the next second
	holds   []*merged // to be held at the end of this flush
	ended   []*merged // in this flush, of views that are published here
	dec     schemas.CommitDecoder
	out     fold.Collector
	emits   map[string]uint64 // revisions by view/timing, since this process started
}

// view is one view at this gateway.
type view struct {
	schemas.Progress
	byDevice bool
	late     bool      // late totals of a view: no progress is told of them
	waiting  []*merged // have not come out, a heap by end
	closing  []*merged // not final yet, a heap by end; held ones have left it
}

// NewFold makes the core of a partition.
func NewFold(producer string, tier schemas.Tier) *Fold {
	f := &Fold{producer: producer, tier: tier, emits: map[string]uint64{}}
	f.reset()
	return f
}

func (f *Fold) reset() {
	*f = Fold{
		producer: f.producer, tier: f.tier, emits: f.emits, now: never, second: never,
		producers: map[string]*producer{}, windows: map[string]*merged{},
	}
}

// Apply folds one entry of one producer.
func (f *Fold) Apply(m fold.Message) (*fold.Results, error) {
	name, kind, ok := schemas.SourceOf(m.Subject)
	if !ok || kind != schemas.KindCommit {
		return nil, nil
	}
	c, err := f.dec.Decode(m.Data, schemas.WithWindows)
	if newer := (*schemas.NewerVersionError)(nil); errors.As(err, &newer) {
		return nil, fmt.Errorf("commit of %s at %d: %w", name, m.Seq, err)
	}
	if err != nil {
		return nil, nil // damaged: its number is a debt of its producer
	}
	p := f.find(name)
	if !p.space(c.Epoch).add(c.N) {
		f.repeats++
		return nil, nil
	}
	f.entries++
	for i := range c.Windows {
		f.apply(p, &c.Windows[i])
	}
	if !c.End {
		return nil, nil
	}
	f.progress(p, c)
	return f.flush(), nil
}

func (f *Fold) find(name string) *producer {
	p := f.producers[name]
	if p == nil {
		p = newProducer(name)
		f.producers[name] = p
		f.names = append(f.names, name)
		sort.Strings(f.names)
	}
	return p
}

// apply puts one revision in the place of the one before it.
func (f *Fold) apply(p *producer, w *schemas.Window) {
	k := windowKey(w)
	m := f.windows[k]
	if m == nil {
		m = &merged{key: k}
		f.windows[k] = m
	}
	i, known := m.find(w)
	if !known {
		m.parts = slices.Insert(m.parts, i, &part{of: m})
	}
	old := m.parts[i]
	if known && w.Revision <= old.Revision {
		return // an older revision that came later
	}
	if v := f.viewOf(w); !v.late {
		p.view(w.View).coming += w.Count - old.Count
	}
	sketch := append(old.Sketch[:0], w.Sketch...)
	old.Window = *w
	old.Sketch = sketch
	if len(m.parts) == 1 && m.rev == 0 && !m.changed {
		f.register(m)
	}
	m.changed = true
	if !old.fresh {
		old.fresh = true
		p.fresh = append(p.fresh, old)
	}
}

// register puts a new window where its end is watched.
func (f *Fold) register(m *merged) {
	v := f.viewOf(&m.parts[0].Window)
	if v.late {
		return
	}
	m.amends = m.end() <= v.FinalThrough
	heap.Push((*mergedByEnd)(&v.closing), m)
	if !v.byDevice {
		heap.Push((*mergedByEnd)(&v.waiting), m)
	}
}

func (f *Fold) viewOf(w *schemas.Window) *view {
	v := f.viewNamed(w.View)
	v.byDevice = v.byDevice || w.Dim("device") != ""
	return v
}

func (f *Fold) viewNamed(name string) *view {
	for _, v := range f.views {
		if v.View == name {
			return v
		}
	}
	v := &view{Progress: schemas.Progress{View: name, OnTimeThrough: never, FinalThrough: never}}
	_, v.late = schemas.CutLate(name)
	f.views = append(f.views, v)
	return v
}

// progress takes what the end of a run says: how far its producer is, and which
// of its parts are final.
func (f *Fold) progress(p *producer, c *schemas.Commit) {
	p.time, p.wall, p.totals, p.config = c.Time, c.Wall, c.Totals, c.ConfigRev
	if c.Time > f.now {
		f.now, f.wall = c.Time, c.Wall
	}
	f.config = max(f.config, c.ConfigRev)
	for _, row := range c.Views {
		p.view(row.View).Progress = row
		v := f.viewNamed(row.View)
		v.Size, v.Uplink = row.Size, row.Uplink
	}
	f.touched = f.touched[:0]
	for _, part := range p.fresh {
		f.settle(p, part)
		part.fresh = false
		f.touched = append(f.touched, part.of)
	}
	p.fresh = p.fresh[:0]
	for _, v := range p.progress {
		v.applied, v.coming = v.applied+v.coming, 0
		f.finish(v)
	}
}

// settle classes a part of the run that has just ended.
func (f *Fold) settle(p *producer, part *part) {
	v := p.view(part.View)
	switch {
	case part.Timing == schemas.FinalTiming:
		part.final = true
	case part.End <= v.FinalThrough:
		part.held = true
	case !part.queued:
		part.queued = true
		heap.Push((*byEnd)(&v.open), part)
	}
}

// finish makes the parts final that the producer's final_through has passed.
func (f *Fold) finish(v *progress) {
	for len(v.open) > 0 && v.open[0].End <= v.FinalThrough {
		p := heap.Pop((*byEnd)(&v.open)).(*part)
		p.queued = false
		if !p.held {
			p.final = true
			f.touched = append(f.touched, p.of)
		}
	}
}
