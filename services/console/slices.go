package console

import (
	"cmp"
	"math"
	"slices"

	"weir/schemas"
)

// slice is a part of an answer: the windows that end in (after, through], and where
// their revisions are. The slices of an answer follow each other without gaps.
type slice struct {
	after, through int64
	spans          []span
}

// sliceRevisions is how many revisions a slice of an answer is to have: few enough for memory, enough that
// to ask for a slice costs little beside reading it.
const sliceRevisions = 20_000

// slices are those of the answer to a question, oldest first, of about sliceRevisions each; more where the index
// cannot tell them apart. The newest one has about so many, and each one before it twice as many as the next.
func (x *index) slices(q *Query, newest int) []slice {
	found := x.find(q)
	slices.SortFunc(found, func(a, b place) int { return cmp.Compare(a.through, b.through) })
	var out []slice
	through, rows, want := int64(math.MaxInt64), 0, newest
	for i, p := range slices.Backward(found) {
		after := int64(math.MinInt64)
		if i > 0 {
			after = found[i-1].through
		}
		if rows += p.rows; i > 0 && (rows < want || after == p.through) {
			continue
		}
		out = append(out, slice{after, through, x.within(found, after, through)})
		through, rows, want = after, 0, min(2*want, sliceRevisions)
	}
	slices.Reverse(out)
	return out
}

// place is a slot as a question sees it: its windows end in (after, through].
type place struct {
	after, through int64
	*slot
}

// find are the slots that may hold something of the answer.
func (x *index) find(q *Query) (found []place) {
	for id, t := range x.tracks {
		view, late := schemas.CutLate(id.view)
		if late != q.Late || q.View != "" && view != q.View {
			continue
		}
		first, _ := t.find(q.From >> id.width)
		for _, s := range t.slots[first:] {
			if s.n > (q.To-1)>>id.width+1 { // windows that begin before To end within one width after it
				break
			}
			found = append(found, place{s.n << id.width, later(s.n, id.width), s})
		}
	}
	return found
}

// later is the end of slot n.
func later(n int64, width int) int64 {
	if n >= math.MaxInt64>>width {
		return math.MaxInt64
	}
	return (n + 1) << width
}

// within are the messages with windows that end in (after, through].
func (x *index) within(found []place, after, through int64) []span {
	var lists [][]span
	for _, p := range found {
		if p.after < through && p.through > after {
			lists = append(lists, p.spans)
		}
	}
	return merge(x.apart, lists...)
}
