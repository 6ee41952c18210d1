package console

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"weir/pkg/sketch"
	"weir/schemas"
	"weir/services/internal/parts"
)

// Bounds of the exporter.
const (
	maxSeries = 10_000           // one more counts for the overflow series of its view
	maxParts  = 100_000          // beyond it final parts are forgotten at once
	partsKept = 10 * time.Minute // how long a part is known after it was final
	sweepEach = 256              // commits between two looks for what may be forgotten
)

// overflowLabel stands for tenant, class and metric of the overflow series.
const overflowLabel = "_overflow"

// seriesID names an exported series. There is never a device in it.
type seriesID struct {
	view, tenant, class, metric string
	attributes                  string // label, 0, value, 0 for each that the view is grouped by
}

// series is one exported series.
type series struct {
	values sketch.Sketch // the increase of every revision since the start; never shrinks
	newest int64         // end of the newest window
	window []shown       // its parts
}

// shown is a part of the newest window of a series.
type shown struct {
	id partID
	schemas.Window
}

// partID names a part of a window.
type partID struct {
	windowID
	contributor string
	epoch       schemas.Epoch
	firstN      uint64
}

// seen is the newest revision of a part that was applied.
type seen struct {
	revision uint32
	values   []byte // its sketch
}

// exporter turns the center's commits into cumulative series. One goroutine uses
// it at a time.
type exporter struct {
	series   map[seriesID]*series
	seen     map[partID]seen
	final    map[string]int64 // by view: windows that ended by then are final
	commits  int
	violated uint64 // revisions that cannot be read or hold less than the one before
}

func newExporter() *exporter {
	return &exporter{series: map[seriesID]*series{}, seen: map[partID]seen{}, final: map[string]int64{}}
}

// apply takes an entry of the center. What was there before the start is known,
// so that later revisions add their increase only, but does not count: a counter
// that starts with what it once was would be added again by who scrapes it.
//
// What is wrong with single windows is returned after all others were applied.
func (e *exporter) apply(c *schemas.Commit, before bool) error {
	var wrong error
	for i := range c.Local {
		w := &c.Local[i]
		if _, late := schemas.CutLate(w.View); late || len(w.Sketch) == 0 {
			continue
		}
		if err := e.revise(w, before); err != nil {
			e.violated++
			wrong = fmt.Errorf("revision %d of window %s %v of %s: %w", w.Revision, w.View, w.Key.Values, schemas.RowTime(w.Start), err)
		}
	}
	for _, p := range c.Views {
		e.final[p.View] = p.FinalThrough
	}
	if e.commits++; e.commits%sweepEach == 0 {
		e.sweep(int64(partsKept))
		if len(e.seen) > maxParts {
			e.sweep(0)
		}
	}
	return wrong
}

func (e *exporter) revise(w *schemas.Window, before bool) error {
	id := partID{windowID: idOf(w), contributor: w.Contributor, epoch: w.Epoch, firstN: w.FirstN}
	was, known := e.seen[id]
	if known && was.revision >= w.Revision {
		return nil
	}
	var now, older sketch.Sketch
	if err := now.UnmarshalBinary(w.Sketch); err != nil {
		return err
	}
	s := e.at(w)
	s.show(id, w)
	e.seen[id] = seen{revision: w.Revision, values: bytes.Clone(w.Sketch)}
	if before {
		return nil
	}
	if known {
		if err := older.UnmarshalBinary(was.values); err != nil {
			return err
		}
		more, err := now.Since(&older)
		if err != nil {
			return err
		}
		now = *more
	}
	s.values.Merge(&now)
	return nil
}

// at is the series that a window belongs to.
func (e *exporter) at(w *schemas.Window) *series {
	id := seriesID{view: w.View, tenant: w.Key.Tenant, class: w.Dim(classDim), metric: w.Dim(metricDim), attributes: attributesOf(w, "")}
	if e.series[id] == nil && len(e.series) >= maxSeries {
		id = seriesID{view: w.View, tenant: overflowLabel, class: overflowLabel, metric: overflowLabel, attributes: attributesOf(w, overflowLabel)}
	}
	if e.series[id] == nil {
		e.series[id] = &series{}
	}
	return e.series[id]
}

// show keeps the parts of the newest window.
func (s *series) show(id partID, w *schemas.Window) {
	switch {
	case w.End < s.newest:
		return
	case w.End > s.newest:
		s.newest, s.window = w.End, s.window[:0]
	}
	fresh := shown{id: id, Window: *w}
	fresh.Sketch = bytes.Clone(w.Sketch)
	if i := slices.IndexFunc(s.window, func(p shown) bool { return p.id == id }); i >= 0 {
		s.window[i] = fresh
		return
	}
	s.window = append(s.window, fresh)
}

// total is the newest window.
func (s *series) total() *parts.Sum {
	t := new(parts.Sum)
	for i := range s.window {
		t.Add(&s.window[i].Window)
	}
	return t
}

// sweep forgets parts that have been final for long enough.
func (e *exporter) sweep(keep int64) {
	for id := range e.seen {
		if id.end <= e.final[id.view]-keep {
			delete(e.seen, id)
		}
	}
}
