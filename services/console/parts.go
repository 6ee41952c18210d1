package console

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"

	"weir/schemas"
)

// maxWindows bounds what one question holds in memory: about 150 MB. What does
// not fit is answered in slices of event time, each from a reading of its own.
const maxWindows = 250_000

// errTooMany says that a question is too wide for slices to help.
var errTooMany = questionError{errors.New("too many windows end at the same time: name a tenant, a view or a metric")}

// windowID names a window: one view key over one interval.
type windowID struct {
	view, tenant, values string
	start, end           int64
}

func idOf(w *schemas.Window) windowID {
	return windowID{view: w.View, tenant: w.Key.Tenant, values: strings.Join(w.Key.Values, "\x00"), start: w.Start, end: w.End}
}

// part is the newest revision of one part, and where it was read.
type part struct {
	schemas.Window
	entry uint64 // number of the entry that held it
}

func (p *part) same(w *schemas.Window) bool {
	return p.FirstN == w.FirstN && p.Contributor == w.Contributor && p.Epoch == w.Epoch
}

// progressID names what a producer says about a view.
type progressID struct{ producer, view string }

// mark says that every window with End <= through is final but for revisions in
// entries from first on.
type mark struct {
	through int64
	first   uint64
	epoch   schemas.Epoch
}

// windows collects the newest revisions of parts. One goroutine uses it.
type windows struct {
	wants    func(*schemas.Window) bool
	most     int   // windows to hold
	through  int64 // windows that end later are left out: they did not fit
	byID     map[windowID][]part
	progress map[progressID]mark
	changed  map[windowID]struct{} // since the last call of take
}

func newWindows(wants func(*schemas.Window) bool, most int) *windows {
	return &windows{
		wants: wants, most: most, through: math.MaxInt64,
		byID: map[windowID][]part{}, progress: map[progressID]mark{}, changed: map[windowID]struct{}{},
	}
}

// apply takes an entry's windows and, from the end of a commit, its progress.
// Nothing that it keeps aliases the entry's bytes.
func (s *windows) apply(c *schemas.Commit) error {
	for _, rows := range [...][]schemas.Window{c.Local, c.Windows} {
		for i := range rows {
			if rows[i].End <= s.through && s.wants(&rows[i]) {
				s.put(&rows[i], c.N)
			}
		}
	}
	for _, p := range c.Views {
		s.progress[progressID{c.Producer, p.View}] = mark{through: p.FinalThrough, first: c.RunFirst, epoch: c.Epoch}
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
func (s *windows) put(w *schemas.Window, entry uint64) {
	id := idOf(w)
	parts := s.byID[id]
	i := slices.IndexFunc(parts, func(p part) bool { return p.same(w) })
	if i >= 0 && parts[i].Revision >= w.Revision {
		return
	}
	fresh := part{Window: *w, entry: entry}
	fresh.Sketch = bytes.Clone(w.Sketch)
	fresh.Exemplars = nil
	if i >= 0 {
		parts[i] = fresh
	} else {
		s.byID[id] = append(parts, fresh)
	}
	s.changed[id] = struct{}{}
}

// timing is what the newest progress makes of a part's own timing.
func (s *windows) timing(p *part) schemas.Timing {
	m := s.progress[progressID{p.Contributor, p.View}]
	if p.Timing == schemas.FinalTiming || m.through >= p.End && (m.epoch != p.Epoch || m.first > p.entry) {
		return schemas.FinalTiming
	}
	return p.Timing
}

// final reports whether every part of a window is final.
func (s *windows) final(id windowID) bool {
	parts := s.byID[id]
	for i := range parts {
		if s.timing(&parts[i]) != schemas.FinalTiming {
			return false
		}
	}
	return true
}

// merged is a window as the sum of its parts.
func (s *windows) merged(id windowID) (*Total, error) {
	parts := s.byID[id]
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(strings.Compare(a.Contributor, b.Contributor), bytes.Compare(a.Epoch[:], b.Epoch[:]), cmp.Compare(a.FirstN, b.FirstN))
	})
	t := &Total{}
	for i := range parts {
		if err := t.add(&parts[i].Window, s.timing(&parts[i])); err != nil {
			return nil, err
		}
	}
	return t, nil
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
			strings.Compare(a.view, b.view), strings.Compare(a.values, b.values))
	})
	return ids
}
