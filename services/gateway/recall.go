package gateway

import (
	"encoding/binary"
	"math"
	"slices"

	"weir/services/internal/fold"
)

// maxRecent bounds how many things that entries of an epoch have brought are remembered.
const maxRecent = 4096

// recall remembers what the last entries of an epoch have brought, and of what it has
// forgotten how far that reached.
type recall struct {
	recent   []brought // in the order in which they came
	oldestN  uint64    // greatest entry of what is forgotten
	firstAt  int64     // earliest time of what is forgotten
	oldestAt int64     // latest time of what is forgotten
	latest   int64     // latest time of all
}

// brought is one thing that an entry has brought: a window that it has revised, or a log
// record.
type brought struct {
	n, id uint64
	at    int64 // a time of it: what is forgotten is told by it
}

func newRecall() recall { return recall{firstAt: math.MaxInt64, oldestAt: never, latest: never} }

// note remembers what entry n has brought.
func (r *recall) note(n, id uint64, at int64) {
	if len(r.recent) >= maxRecent {
		for _, b := range r.recent[:maxRecent/4] {
			r.oldestN, r.firstAt, r.oldestAt = max(r.oldestN, b.n), min(r.firstAt, b.at), max(r.oldestAt, b.at)
		}
		r.recent = append(r.recent[:0], r.recent[maxRecent/4:]...)
	}
	r.latest = max(r.latest, at)
	r.recent = append(r.recent, brought{n, id, at})
}

// has reports whether entries after n have brought something, whenever that was; unsure:
// nobody remembers any more, and they may have, by its time.
func (r *recall) has(n, id uint64, at int64) (has, unsure bool) {
	has = slices.ContainsFunc(r.recent, func(b brought) bool { return b.n > n && b.id == id })
	return has, !has && r.oldestN > n && r.firstAt <= at && at <= r.oldestAt
}

func (r *recall) append(b []byte) []byte {
	b = binary.AppendVarint(binary.AppendUvarint(b, r.oldestN), r.oldestAt)
	b = binary.AppendVarint(b, r.firstAt)
	b = binary.AppendUvarint(b, uint64(len(r.recent)))
	for _, o := range r.recent {
		b = binary.LittleEndian.AppendUint64(binary.AppendUvarint(b, o.n), o.id)
		b = binary.AppendVarint(b, o.at)
	}
	return b
}

// read reads what append wrote. Before version 9 nobody knew how far back what is
// forgotten reaches.
func (r *recall) read(from *fold.StateReader, version byte) {
	r.oldestN, r.oldestAt = from.Uint(), from.Int()
	if r.firstAt = never; version > 8 {
		r.firstAt = from.Int()
	}
	r.latest = r.oldestAt
	r.readRecent(from)
}

func (r *recall) readRecent(from *fold.StateReader) {
	for k := from.Len(); k > 0 && from.Err == nil; k-- {
		b := brought{from.Uint(), from.Fixed(), from.Int()}
		r.recent, r.latest = append(r.recent, b), max(r.latest, b.at)
	}
}
