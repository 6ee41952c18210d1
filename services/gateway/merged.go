package gateway

import (
	"sort"
	"strings"

	"weir/pkg/sketch"
	"weir/schemas"
)

// part is the latest revision of one part of a window.
type part struct {
	schemas.Window
	of     *merged
	final  bool // no revision of it follows
	held   bool // it came while its producer's final_through had passed it: only an explicit final ends it
	fresh  bool // came in the commit that is being applied
	queued bool // in its producer's heap of open parts
}

// merged is one window of this gateway: the sum of its parts.
type merged struct {
	key   string
	parts []*part // ordered by contributor, epoch, first_n

	firstN  uint64 // of this gateway's own part
	rev     uint32
	emitted uint64 // records in the latest revision
	out     bool   // a revision has come out
	changed bool   // since then
	held    bool   // it came out while announced as final
	flushed bool   // a revision has come out in this flush
	gone    bool   // final and forgotten
}

func (m *merged) view() string { return m.parts[0].View }
func (m *merged) end() int64   { return m.parts[0].End }

// windowKey names a window among all.
func windowKey(w *schemas.Window) string {
	var b strings.Builder
	b.Grow(64)
	b.WriteString(w.View)
	b.WriteByte(0)
	b.WriteString(w.Key.Tenant)
	for _, v := range w.Key.Values {
		b.WriteByte(0)
		b.WriteString(v)
	}
	b.WriteByte(1)
	writeInt(&b, w.Start)
	writeInt(&b, w.End)
	return b.String()
}

func writeInt(b *strings.Builder, v int64) {
	for s := 56; s >= 0; s -= 8 {
		b.WriteByte(byte(v >> s))
	}
}

// find returns the part that w revises, or where it goes.
func (m *merged) find(w *schemas.Window) (int, *part) {
	i := sort.Search(len(m.parts), func(i int) bool { return !partLess(&m.parts[i].Window, w) })
	if i < len(m.parts) && !partLess(w, &m.parts[i].Window) {
		return i, m.parts[i]
	}
	return i, nil
}

func partLess(a, b *schemas.Window) bool {
	if a.Contributor != b.Contributor {
		return a.Contributor < b.Contributor
	}
	if a.Epoch != b.Epoch {
		return string(a.Epoch[:]) < string(b.Epoch[:])
	}
	return a.FirstN < b.FirstN
}

// final reports whether no part will be revised any more.
func (m *merged) final() bool {
	for _, p := range m.parts {
		if !p.final {
			return false
		}
	}
	return true
}

// sum merges the parts, in their order, into one window. bytes is where its
// sketch is appended.
func (m *merged) sum(bytes []byte) (schemas.Window, []byte) {
	w := m.parts[0].Window
	if len(m.parts) == 1 {
		w.Missing = append([]string(nil), w.Missing...)
		return w, bytes
	}
	var sk, next sketch.Sketch
	sketched := decodeSketch(&sk, w.Sketch)
	w.Missing = append([]string(nil), w.Missing...)
	for _, p := range m.parts[1:] {
		add(&w, &p.Window)
		if next.Reset(); sketched && decodeSketch(&next, p.Sketch) {
			sk.Merge(&next)
		} else {
			sketched = false
		}
	}
	if w.Sketch = nil; sketched {
		from := len(bytes)
		bytes, _ = sk.AppendBinary(bytes) // fails only for sketches that Decode refuses
		w.Sketch = bytes[from:len(bytes):len(bytes)]
	}
	return w, bytes
}

// decodeSketch reports false where there is none that can be read: late totals
// have none, and counts and sums are exact without it.
func decodeSketch(s *sketch.Sketch, b []byte) bool {
	return len(b) > 0 && s.UnmarshalBinary(b) == nil
}

// add adds one part to a sum.
func add(w, p *schemas.Window) {
	w.Count += p.Count
	w.Sum += p.Sum
	w.Min, w.Max = min(w.Min, p.Min), max(w.Max, p.Max)
	if schemas.Before(p.First.Time, p.First.ID, w.First.Time, w.First.ID) {
		w.First = p.First
	}
	if schemas.Before(w.Last.Time, w.Last.ID, p.Last.Time, p.Last.ID) {
		w.Last = p.Last
	}
	w.Digest += p.Digest
	w.LateCount += p.LateCount
	w.Expected += p.Expected
	w.Seen += p.Seen
	w.ClockError = max(w.ClockError, p.ClockError)
	w.ConfigRev = max(w.ConfigRev, p.ConfigRev)
	w.Missing = append(w.Missing, p.Missing[:min(len(p.Missing), schemas.MaxMissing-min(len(w.Missing), schemas.MaxMissing))]...)
}

// mergedByEnd is a heap of windows by their end.
type mergedByEnd []*merged

func (h mergedByEnd) Len() int           { return len(h) }
func (h mergedByEnd) Less(i, j int) bool { return h[i].end() < h[j].end() }
func (h mergedByEnd) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *mergedByEnd) Push(x any)        { *h = append(*h, x.(*merged)) }
func (h *mergedByEnd) Pop() any {
	old := *h
	m := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return m
}

// byEnd is a heap of parts by the end of their window.
type byEnd []*part

func (h byEnd) Len() int           { return len(h) }
func (h byEnd) Less(i, j int) bool { return h[i].End < h[j].End }
func (h byEnd) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byEnd) Push(x any)        { *h = append(*h, x.(*part)) }
func (h *byEnd) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return p
}
