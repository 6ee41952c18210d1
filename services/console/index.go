package console

import (
	"cmp"
	"math/bits"
	"slices"

	"weir/schemas"
)

// index says where in an outbox the revisions of windows are, by view and by the
// time at which the windows end, wherever they were written: long after their time,
// again, or under a clock that was set back. What it names may have been removed
// since; what it does not name is not there.
//
// It is made in the order of the stream, of a stretch without gaps, and grows at both
// ends. Its size is bounded: what is too much for it becomes coarser.
type index struct {
	from, to uint64 // the stretch: messages [from, to)
	tracks   map[trackID]*track
	spans    int    // of all tracks
	most     int    // spans to hold
	apart    uint64 // messages that lie closer together are one span
	fine     int    // no slot is narrower than 1<<fine ns

	finals finality
	open   map[string][]*slot // by producer: the slots of a commit that has not ended
	ends   map[string]uint64  // by producer: where the first commit ends
}

// An index starts with slots of 69 s, and joins what is less than 64 messages apart:
// to read those costs less than to ask again. Its spans take at most some 5 MB.
const (
	indexFine  = 36
	indexApart = 64
	indexSpans = 1 << 16
)

// trackID names windows of one view and about one length.
type trackID struct {
	view  string
	width int // slots are 1<<width ns wide, which is at least the windows' length
}

// track is the slots of a trackID, by time.
type track struct{ slots []*slot }

// slot is where windows are that end in (n, n+1] widths.
type slot struct {
	n     int64
	rows  int // revisions in it
	spans []span
}

// span is messages that are near each other.
type span struct{ first, last uint64 }

// newIndex is the index of no messages, at a place of the stream.
func newIndex(at uint64) *index {
	return &index{
		from: at, to: at, most: indexSpans, apart: indexApart, fine: indexFine,
		tracks: map[trackID]*track{}, finals: finality{}, open: map[string][]*slot{}, ends: map[string]uint64{},
	}
}

// add takes the next entry, which is message seq.
func (x *index) add(seq uint64, c *schemas.Commit) {
	x.finals.enter(c)
	for _, rows := range [...][]schemas.Window{c.Local, c.Windows} {
		for i := range rows {
			s := x.slot(&rows[i])
			s.rows++
			x.note(s, seq)
			if open := x.open[c.Producer]; !c.End && !slices.Contains(open, s) {
				x.open[c.Producer] = append(open, s)
			}
		}
	}
	if !c.End {
		return
	}
	x.end(c.Producer, seq)
	if _, known := x.ends[c.Producer]; !known {
		x.ends[c.Producer] = seq
	}
	x.finals.take(c)
	x.fit()
}

// note adds the newest message to a slot.
func (x *index) note(s *slot, seq uint64) {
	if n := len(s.spans); n > 0 && seq < s.spans[n-1].last+x.apart {
		s.spans[n-1].last = seq
		return
	}
	s.spans = append(s.spans, span{seq, seq})
	x.spans++
}

// put adds any messages to a slot.
func (x *index) put(s *slot, spans ...span) {
	x.spans -= len(s.spans)
	s.spans = merge(x.apart, s.spans, spans)
	x.spans += len(s.spans)
}

// end makes everybody who reads windows of a commit read its end too: it says what is final.
func (x *index) end(producer string, seq uint64) {
	for _, s := range x.open[producer] {
		x.put(s, span{seq, seq})
	}
	delete(x.open, producer)
}

// slot is where a window belongs.
func (x *index) slot(w *schemas.Window) *slot {
	width := max(x.fine, bits.Len64(uint64(w.End-w.Start-1)))
	return x.track(trackID{w.View, width}).slot((w.End - 1) >> width)
}

func (x *index) track(id trackID) *track {
	if x.tracks[id] == nil {
		x.tracks[id] = &track{}
	}
	return x.tracks[id]
}

func (t *track) find(n int64) (int, bool) {
	return slices.BinarySearchFunc(t.slots, n, func(s *slot, n int64) int { return cmp.Compare(s.n, n) })
}

func (t *track) slot(n int64) *slot {
	i, found := t.find(n)
	if !found {
		t.slots = slices.Insert(t.slots, i, &slot{n: n})
	}
	return t.slots[i]
}

// join puts the index of the stretch that follows behind x. The later one is not used any more.
func (x *index) join(later *index) {
	for x.fine < later.fine {
		x.coarsen()
	}
	moved := x.take(later.tracks)
	for producer, seq := range later.ends {
		x.end(producer, seq)
		if _, known := x.ends[producer]; !known {
			x.ends[producer] = seq
		}
	}
	for producer, open := range later.open {
		for _, s := range open {
			x.open[producer] = append(x.open[producer], moved[s])
		}
	}
	x.finals.join(later.finals)
	x.to = later.to
	x.fit()
}

// take adds slots that may be narrower, and returns where each has gone.
func (x *index) take(tracks map[trackID]*track) map[*slot]*slot {
	moved := map[*slot]*slot{}
	for id, t := range tracks {
		width := max(id.width, x.fine)
		to := x.track(trackID{id.view, width})
		for _, s := range t.slots {
			mine := to.slot(s.n >> (width - id.width))
			mine.rows += s.rows
			x.put(mine, s.spans...)
			moved[s] = mine
		}
	}
	return moved
}

// fit makes the index coarser until it is small enough.
func (x *index) fit() {
	for x.spans > x.most && x.fine < 62 {
		x.coarsen()
	}
}

// coarsen makes slots twice as wide, and spans of what lies twice as far apart.
func (x *index) coarsen() {
	x.apart *= 2
	x.fine++
	before := x.tracks
	x.tracks, x.spans = map[trackID]*track{}, 0
	moved := x.take(before)
	for _, open := range x.open {
		for i := range open {
			open[i] = moved[open[i]]
		}
	}
}

// merge is spans in order, those that lie closer than apart joined.
func merge(apart uint64, lists ...[]span) []span {
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	out := all[:0]
	for _, s := range all {
		if n := len(out); n > 0 && s.first < out[n-1].last+apart {
			out[n-1].last = max(out[n-1].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// cut forgets the messages before seq: they were removed.
func (x *index) cut(seq uint64) {
	if seq <= x.from {
		return
	}
	x.from, x.to = seq, max(x.to, seq)
	for id, t := range x.tracks {
		t.slots = slices.DeleteFunc(t.slots, func(s *slot) bool {
			gone := 0
			for gone < len(s.spans) && s.spans[gone].last < seq {
				gone++
			}
			x.spans -= gone
			s.spans = s.spans[gone:]
			return len(s.spans) == 0
		})
		if len(t.slots) == 0 {
			delete(x.tracks, id)
		}
	}
	for producer, open := range x.open {
		x.open[producer] = slices.DeleteFunc(open, func(s *slot) bool { return len(s.spans) == 0 })
	}
}
