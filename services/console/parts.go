package console

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"

	"weir/schemas"
	"weir/services/internal/parts"
)

// maxWindows bounds what one question holds in memory: about 150 MB. What does
// not fit is answered in slices of event time, each from a reading of its own.
const maxWindows = 250_000

// errTooMany says that a question is too wide for slices to help.
var errTooMany = questionError{errors.New("too many windows end at the same time: name a tenant, a view or a metric")}

// windowID names a window: one view key over one interval.
type windowID struct {
	view, tenant, key string
	start, end        int64
}

func idOf(w *schemas.Window) windowID {
	return windowID{view: w.View, tenant: w.Key.Tenant, key: w.Key.ID(), start: w.Start, end: w.End}
}

// part is the newest revision of one part.
type part struct {
	schemas.Window
	held bool // its producer's final_through had passed it, or did so in the same commit: only an explicit final ends it
}

func (p *part) same(w *schemas.Window) bool {
	return p.FirstN == w.FirstN && p.Contributor == w.Contributor && p.Epoch == w.Epoch
}

// progressID names what a producer says about a view.
type progressID struct{ producer, view string }

// mark says how far a producer's windows are final: every part with End <=
// through, but those that are held.
type mark struct {
	epoch   schemas.Epoch
	through int64 // of this epoch
	before  int64 // of the epochs before it, whose parts nobody revises any more
}

// windows collects the newest revisions of parts. One goroutine uses it.
type windows struct {
	wants    func(*schemas.Window) bool
	most     int   // windows to hold
	through  int64 // windows that end later are left out: they did not fit
	byID     map[windowID][]*part
	progress map[progressID]*mark
	fresh    map[string][]*part    // by producer: what came in the commit that is being read
	changed  map[windowID]struct{} // since the last call of take
}

func newWindows(wants func(*schemas.Window) bool, most int) *windows {
	return &windows{
		wants: wants, most: most, through: math.MaxInt64,
		byID: map[windowID][]*part{}, progress: map[progressID]*mark{}, fresh: map[string][]*part{}, changed: map[windowID]struct{}{},
	}
}

// apply takes an entry's windows and, from the end of a commit, its progress.
// Nothing that it keeps aliases the entry's bytes.
func (s *windows) apply(c *schemas.Commit) error {
	for _, rows := range [...][]schemas.Window{c.Local, c.Windows} {
		for i := range rows {
			if rows[i].End <= s.through && s.wants(&rows[i]) {
				s.put(&rows[i])
			}
		}
	}
	if c.End {
		s.pass(c)
	}
	if len(s.byID) > s.most {
		return s.halve()
	}
	return nil
}

// halve leaves out the later half of the windows.
func (s *windows) halve() error {
	ids := s.all()
	middle, newest := ids[len(ids)/2].end, ids[len(ids)-1].end
	if middle == newest {
		first := slices.IndexFunc(ids, func(id windowID) bool { return id.end == newest })
		if first == 0 {
			return errTooMany
		}
		middle = ids[first-1].end
	}
	s.through = middle
	for _, id := range ids {
		if id.end > middle {
			delete(s.byID, id)
			delete(s.changed, id)
		}
	}
	return nil
}

// put replaces within a part, or adds a part.
func (s *windows) put(w *schemas.Window) {
	id := idOf(w)
	i := slices.IndexFunc(s.byID[id], func(p *part) bool { return p.same(w) })
	if i < 0 {
		i = len(s.byID[id])
		s.byID[id] = append(s.byID[id], new(part))
	}
	p := s.byID[id][i]
	if p.Revision >= w.Revision {
		return
	}
	p.Window = *w
	p.Sketch = bytes.Clone(w.Sketch)
	p.Exemplars = nil
	p.held = p.End <= s.mark(p.Contributor, p.View, p.Epoch).through
	s.fresh[p.Contributor] = append(s.fresh[p.Contributor], p)
	s.changed[id] = struct{}{}
}

// mark is what a producer has said about a view. A new epoch says everything anew.
func (s *windows) mark(producer, view string, epoch schemas.Epoch) *mark {
	id := progressID{producer, view}
	m := s.progress[id]
	switch {
	case m == nil:
		m = &mark{epoch: epoch, through: math.MinInt64, before: math.MinInt64}
	case m.epoch != epoch:
		m = &mark{epoch: epoch, through: math.MinInt64, before: max(m.before, m.through)}
	}
	s.progress[id] = m
	return m
}

// pass takes the progress in the end of a commit. It does not cover the windows
// of the same commit: those that it passes are held.
func (s *windows) pass(c *schemas.Commit) {
	for _, p := range c.Views {
		m := s.mark(c.Producer, p.View, c.Epoch)
		m.through = max(m.through, p.FinalThrough)
	}
	for _, p := range s.fresh[c.Producer] {
		p.held = p.End <= s.mark(c.Producer, p.View, c.Epoch).through
	}
	delete(s.fresh, c.Producer)
}

// timing is what the newest progress makes of a part's own timing.
func (s *windows) timing(p *part) schemas.Timing {
	m := s.progress[progressID{p.Contributor, p.View}]
	passed := m.through >= p.End && !p.held
	if m.epoch != p.Epoch {
		passed = max(m.before, m.through) >= p.End
	}
	if passed {
		return schemas.FinalTiming
	}
	return p.Timing
}

// final reports whether every part of a window is final.
func (s *windows) final(id windowID) bool {
	for _, p := range s.byID[id] {
		if s.timing(p) != schemas.FinalTiming {
			return false
		}
	}
	return true
}

// merged is a window as the sum of its parts.
func (s *windows) merged(id windowID) *parts.Sum {
	slices.SortFunc(s.byID[id], func(a, b *part) int { return parts.Compare(&a.Window, &b.Window) })
	t := new(parts.Sum)
	for _, p := range s.byID[id] {
		w := p.Window
		w.Timing = s.timing(p)
		t.Add(&w)
	}
	return t
}

// all lists the windows by time, then by key.
func (s *windows) all() []windowID { return sorted(s.byID) }

// take lists the windows that have changed since the last call.
func (s *windows) take() []windowID {
	ids := sorted(s.changed)
	clear(s.changed)
	return ids
}

// forget drops windows that ended at or before a time.
func (s *windows) forget(before int64) {
	for id := range s.byID {
		if id.end <= before {
			delete(s.byID, id)
			delete(s.changed, id)
		}
	}
}

func sorted[V any](m map[windowID]V) []windowID {
	ids := make([]windowID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b windowID) int {
		return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(a.start, b.start), strings.Compare(a.tenant, b.tenant),
			strings.Compare(a.view, b.view), strings.Compare(a.key, b.key))
	})
	return ids
}
