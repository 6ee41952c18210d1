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

// room is how many windows are held in memory.
type room struct {
	few  int // so many, where what does not fit is for another reading
	most int // windows that end at the same time are held together, up to so many
}

// What a question holds: about 12 MB, and 150 MB at most; and what a follower holds.
var (
	questionRoom = room{few: 20_000, most: 250_000}
	followerRoom = room{few: 250_000, most: 250_000}
)

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

// windows collects the newest revisions of parts. One goroutine uses it.
type windows struct {
	wants    func(*schemas.Window) bool
	room     room
	through  int64 // windows that end later are left out: they did not fit
	byID     map[windowID][]*part
	progress finality
	fresh    map[string][]*part    // by producer: what came in the commit that is being read
	changed  map[windowID]struct{} // since the last call of take
}

func newWindows(wants func(*schemas.Window) bool, r room) *windows {
	return &windows{
		wants: wants, room: r, through: math.MaxInt64,
		byID: map[windowID][]*part{}, progress: finality{}, fresh: map[string][]*part{}, changed: map[windowID]struct{}{},
	}
}

// apply takes an entry's windows and, from the end of a commit, its progress.
// Nothing that it keeps aliases the entry's bytes.
func (s *windows) apply(c *schemas.Commit) error {
	s.progress.enter(c)
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
	if len(s.byID) > s.room.few {
		return s.halve()
	}
	return nil
}

// halve leaves out the later half of the windows. Those that end together stay together, as long as there is room.
func (s *windows) halve() error {
	ids := s.all()
	middle, newest := ids[len(ids)/2].end, ids[len(ids)-1].end
	if middle == newest {
		first := slices.IndexFunc(ids, func(id windowID) bool { return id.end == newest })
		switch {
		case first > 0:
		case s.room.few < s.room.most:
			s.room.few = min(2*s.room.few, s.room.most)
			return nil
		default:
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
	p.held = s.progress.passes(p, p.Epoch)
	s.fresh[p.Contributor] = append(s.fresh[p.Contributor], p)
	s.changed[id] = struct{}{}
}

// pass takes the progress in the end of a commit. It does not cover the windows
// of the same commit: those that it passes are held.
func (s *windows) pass(c *schemas.Commit) {
	s.progress.take(c)
	for _, p := range s.fresh[c.Producer] {
		p.held = s.progress.passes(p, c.Epoch)
	}
	delete(s.fresh, c.Producer)
}

// settle takes the progress of the whole stream where only places of it were read:
// each with the end of every commit that has windows there, or to the end of the stream.
func (s *windows) settle(all finality) {
	s.progress = all
	for _, parts := range s.fresh { // their commits have not ended
		for _, p := range parts {
			p.held = all.passes(p, p.Epoch)
		}
	}
}

// final reports whether every part of a window is final.
func (s *windows) final(id windowID) bool {
	for _, p := range s.byID[id] {
		if s.progress.timing(p) != schemas.FinalTiming {
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
		w.Timing = s.progress.timing(p)
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
