package aggregator

import (
	"encoding/binary"
	"slices"

	"weir/schemas"
	"weir/services/internal/fold"
)

// maxRequests is how many OTLP requests of a device are remembered: more than a
// sender exports while it tries one again.
const maxRequests = 256

// requests remembers the last OTLP requests of a device, so that readings of one
// that is sent again are known as repeats. A request may be in the journal in
// part: what follows the part that is there is new.
type requests struct {
	last []request // a ring, once it is full
	next int
	now  int // that of the newest reading, where the next one's is mostly, too
}

// request is one request and how far it has been taken.
type request struct {
	hash  uint64
	taken uint32 // index behind the last reading taken
}

// repeat reports whether a reading has been taken, and remembers it.
func (q *requests) repeat(r schemas.Request) bool {
	i := q.find(r.Hash)
	if i < 0 {
		q.put(request{r.Hash, r.At + 1})
		return false
	}
	q.now = i
	known := &q.last[i]
	if r.At < known.taken {
		return true
	}
	known.taken = r.At + 1
	return false
}

// find is the place of a request, negative if it is not remembered.
func (q *requests) find(hash uint64) int {
	if q.now < len(q.last) && q.last[q.now].hash == hash {
		return q.now
	}
	return slices.IndexFunc(q.last, func(r request) bool { return r.hash == hash })
}

func (q *requests) put(r request) {
	if len(q.last) < maxRequests {
		q.now = len(q.last)
		q.last = append(q.last, r)
		return
	}
	q.now, q.last[q.next] = q.next, r
	q.next = (q.next + 1) % maxRequests
}

// append writes them oldest first.
func (q *requests) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(q.last)))
	for i := range q.last {
		r := q.last[(q.next+i)%len(q.last)]
		b = binary.LittleEndian.AppendUint64(b, r.hash)
		b = binary.AppendUvarint(b, uint64(r.taken))
	}
	return b
}

func (q *requests) read(r *fold.StateReader) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		q.put(request{r.Fixed(), uint32(r.Uint())})
	}
}
