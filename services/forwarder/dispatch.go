package forwarder

import "weir/pkg/gcra"

// parcel is a message on its way up.
type parcel struct {
	source *source
	seq    uint64
	data   []byte // as it is in the outbox, then as it goes over the link
}

// queue is what waits in a lane, in order, within a number of bytes.
type queue struct {
	parcels []parcel
	bytes   int
}

// Room in the queues, bytes. One message always fits.
var queueRoom = [gcra.Lanes]int{gcra.Alert: 1 << 20, gcra.Live: 4 << 20, gcra.Backfill: 1 << 20}

// room reports whether a message fits.
func (q *queue) room(l gcra.Lane, size int) bool {
	return len(q.parcels) == 0 || q.bytes+size <= queueRoom[l]
}

func (q *queue) push(p parcel) {
	q.parcels = append(q.parcels, p)
	q.bytes += len(p.data)
}

func (q *queue) pop() (p parcel, ok bool) {
	if len(q.parcels) == 0 {
		return p, false
	}
	p = q.parcels[0]
	q.parcels[0] = parcel{}
	q.parcels = q.parcels[1:]
	q.bytes -= len(p.data)
	return p, true
}

// window bounds the backfill in flight, so that what is live does not wait behind
// it in the buffers of a slow link. It grows while confirmations come as fast as
// they ever did, and shrinks when they take target longer: then a queue stands
// somewhere on the way.
type window struct {
	size    int64 // bytes
	flying  int64 // bytes
	fastest int64 // confirmation, ns; 0: none yet
	shrunk  int64 // when it last shrank, ns
}

// Bounds of window.
const (
	smallestWindow = 32 << 10
	largestWindow  = 4 << 20
	target         = second / 5
)

// open reports whether n more bytes may fly. One message always may.
func (w *window) open(n int64) bool {
	return w.flying == 0 || w.flying+n <= max(w.size, smallestWindow)
}

func (w *window) send(n int64) { w.flying += n }

// land notes that n bytes fly no more, whatever became of them.
func (w *window) land(n int64) { w.flying -= n }

// confirm notes how long the confirmation of n bytes took that were sent at a time.
func (w *window) confirm(now, sent, n int64) {
	took := now - sent
	w.fastest = least(w.fastest, max(took, 1))
	switch {
	case took <= w.fastest+target:
		w.size = min(max(w.size, smallestWindow)+n, largestWindow)
	case sent > w.shrunk: // once for all that flew together
		w.size, w.shrunk = max(w.size/2, smallestWindow), now
	}
}

// pause is how long nothing is sent because the tier above had no room.
type pause struct{ until, wait int64 } // ns

// Waits of pause, ns.
const (
	shortPause = second / 4
	longPause  = 10 * second
)

// full begins a pause, twice as long as the one before. jitter is around 1.
func (p *pause) full(now int64, jitter float64) {
	if now < p.until {
		return // of messages that flew together
	}
	p.wait = min(max(2*p.wait, shortPause), longPause)
	p.until = now + int64(jitter*float64(p.wait))
}

func (p *pause) room() { p.wait = 0 }
