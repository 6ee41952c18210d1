package gateway

import (
	"slices"
	"strings"

	"weir/schemas"
	"weir/services/internal/parts"
)

// part is the latest revision of one part of a window.
type part struct {
	schemas.Window
	of     *merged
	run    uint64 // first entry of the commit that holds it
	at     uint64 // the entry that holds it
	final  bool   // no revision of it follows, and none is on its way
	held   bool   // final_through had passed it in its commit: only an explicit final ends it
	fresh  bool   // entries of its commit are missing
	queued bool   // in the open parts of a stretch
	muted  bool   // left out: see contest.go
}

// merged is one window of this gateway: the sum of its parts.
type merged struct {
	key   string
	parts []*part // in the order of parts.Compare

	firstN  uint64 // of this gateway's own part
	rev     uint32
	emitted uint64 // records in the latest revision
	out     bool   // a revision has come out
	changed bool   // since then
	held    bool   // it came out while announced as final
	flushed uint64 // the flush in which the latest revision came out; 0: before the state was restored
	amends  bool   // it began after its view had passed its end: what came before has been forgotten
	gone    bool   // final and forgotten

	contested bool // not all parts count
}

func (m *merged) view() string { return m.parts[0].View }
func (m *merged) end() int64   { return m.parts[0].End }

// late reports whether it holds late totals.
func (m *merged) late() bool {
	_, late := schemas.CutLate(m.view())
	return late
}

// windowKey names a window among all.
func windowKey(w *schemas.Window) string {
	var b strings.Builder
	b.Grow(64)
	b.WriteString(w.View)
	b.WriteByte(0)
	b.WriteString(w.Key.ID())
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

// find is where the part that w revises is, or where it goes.
func (m *merged) find(w *schemas.Window) (i int, known bool) {
	return slices.BinarySearchFunc(m.parts, w, func(p *part, w *schemas.Window) int { return parts.Compare(&p.Window, w) })
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

// sum is the window as the sum of the parts that count; some must. sketches is where
// its sketch is appended.
func (m *merged) sum(sketches []byte) (schemas.Window, []byte) {
	var s parts.Sum
	for _, p := range m.parts {
		if m.counts(p) {
			s.Add(&p.Window)
		}
	}
	return s.Whole(sketches)
}

// empty reports whether no part counts.
func (m *merged) empty() bool { return m.contested && !slices.ContainsFunc(m.parts, m.counts) }

// counts reports whether a part is in the sum: it is not left out, and of the epochs of
// a gateway that have brought the window its has the most records.
func (m *merged) counts(p *part) bool {
	return !m.contested || !p.muted && m.fullest(p.Contributor) == p.Epoch
}

// fullest is the epoch of a contributor with the most records in parts that are not left
// out; of those with as many the one that is the last by its bytes.
func (m *merged) fullest(contributor string) (epoch schemas.Epoch) {
	most, n := uint64(0), uint64(0)
	for i, p := range m.parts {
		if p.Contributor != contributor {
			continue
		}
		if i == 0 || m.parts[i-1].Contributor != contributor || m.parts[i-1].Epoch != p.Epoch {
			n = 0
		}
		if !p.muted {
			n += p.Records()
		}
		if n >= most {
			most, epoch = n, p.Epoch
		}
	}
	return epoch
}

// partsOf are those of an epoch.
func (m *merged) partsOf(contributor string, e schemas.Epoch) []*part {
	of := func(p *part) bool { return p.Contributor == contributor && p.Epoch == e }
	from := slices.IndexFunc(m.parts, of)
	if from < 0 {
		return nil
	}
	to := from + 1
	for to < len(m.parts) && of(m.parts[to]) {
		to++
	}
	return m.parts[from:to]
}

// holdsAll reports whether it holds all that an epoch has brought of the window: some of
// it, and nothing of it has been forgotten.
func (m *merged) holdsAll(contributor string, e schemas.Epoch) bool {
	return len(m.partsOf(contributor, e)) > 0 && !m.amends && !m.late()
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
