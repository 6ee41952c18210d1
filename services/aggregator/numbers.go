package aggregator

import (
	"encoding/binary"
	"sort"
	"strings"

	"weir/services/internal/fold"
)

// maxIntervals bounds the gaps that are remembered for one boot of a device. A
// client that resends out of order after an outage leaves a gap for each reading
// that it had in flight; a gap that is closed too early turns an acknowledged
// reading into a repeat. Memory is taken only where there are gaps.
const maxIntervals = 1024

// maxBoots bounds the boots of a device whose numbers are remembered.
const maxBoots = 8

// interval is a run of numbers seen, both ends included.
type interval struct{ from, to uint64 }

// numbers is the set of numbers seen from one boot of a device: ascending
// intervals, disjoint and not touching. When there are too many, the oldest gap
// is closed: what is missing in it stays declared, and what still comes from it
// is a repeat.
type numbers struct {
	boot    string
	seen    []interval
	newest  int64  // event time of the newest number
	missing uint64 // numbers in the gaps
	closed  uint64 // numbers in gaps that were closed
}

// add notes a number and reports whether it is new.
func (n *numbers) add(seq uint64) bool {
	k := len(n.seen)
	if k == 0 {
		n.seen = append(n.seen, interval{seq, seq})
		return true
	}
	if last := &n.seen[k-1]; seq == last.to+1 {
		last.to = seq
		return true
	}
	return n.insert(seq)
}

// insert handles every case but the next number in order.
func (n *numbers) insert(seq uint64) bool {
	i := sort.Search(len(n.seen), func(i int) bool { return n.seen[i].from > seq })
	if i > 0 && seq <= n.seen[i-1].to {
		return false
	}
	n.settle(seq, i)
	below := i > 0 && n.seen[i-1].to+1 == seq
	above := i < len(n.seen) && n.seen[i].from == seq+1
	switch {
	case below && above:
		n.seen[i-1].to = n.seen[i].to
		n.seen = append(n.seen[:i], n.seen[i+1:]...)
	case below:
		n.seen[i-1].to = seq
	case above:
		n.seen[i].from = seq
	default:
		n.seen = append(n.seen, interval{})
		copy(n.seen[i+1:], n.seen[i:])
		n.seen[i] = interval{seq, seq}
	}
	n.bound()
	return true
}

// settle keeps the count of missing numbers: seq, which goes before interval i,
// fills a gap or makes one.
func (n *numbers) settle(seq uint64, i int) {
	switch {
	case i == len(n.seen):
		n.missing += seq - n.seen[i-1].to - 1
	case i == 0:
		n.missing += n.seen[0].from - seq - 1
	default:
		n.missing--
	}
}

func (n *numbers) bound() {
	if len(n.seen) <= maxIntervals {
		return
	}
	gap := n.seen[1].from - n.seen[0].to - 1
	n.missing -= gap
	n.closed += gap
	n.seen[1].from = n.seen[0].from
	n.seen = append(n.seen[:0], n.seen[1:]...)
}

// lost is how many numbers are known to be missing.
func (n *numbers) lost() uint64 { return n.missing + n.closed }

// numbersOf finds the numbers of a boot, newest first, or starts them.
func (d *device) numbersOf(boot string) *numbers {
	for i := range d.boots {
		if d.boots[i].boot == boot {
			n := d.boots[i]
			copy(d.boots[1:i+1], d.boots[:i])
			d.boots[0] = n
			return n
		}
	}
	n := &numbers{boot: strings.Clone(boot)}
	d.boots = append([]*numbers{n}, d.boots...)
	if len(d.boots) > maxBoots {
		d.forgotten += d.boots[maxBoots].lost()
		d.boots = d.boots[:maxBoots]
	}
	return n
}

// fresh judges a numbered reading: true when it is new. Without a boot, a number
// seen before with a later time by the device's own clock starts an implicit boot.
func (d *device) fresh(boot string, seq uint64, eventTime int64, ownClock bool) bool {
	n := d.numbersOf(boot)
	before := n.lost()
	ok := n.add(seq)
	if !ok && boot == "" && ownClock && eventTime > n.newest {
		d.forgotten += before
		*n = numbers{newest: eventTime, seen: append(n.seen[:0], interval{seq, seq})}
		d.tenant.numbered += d.perValue
		return true
	}
	if ok && eventTime > n.newest {
		n.newest = eventTime
	}
	if ok {
		d.tenant.numbered += d.perValue
	}
	d.lose(int64(n.lost() - before))
	return ok
}

func (n *numbers) append(b []byte) []byte {
	b = fold.AppendString(b, n.boot)
	b = binary.AppendVarint(b, n.newest)
	b = binary.AppendUvarint(b, n.missing)
	b = binary.AppendUvarint(b, n.closed)
	b = binary.AppendUvarint(b, uint64(len(n.seen)))
	for _, s := range n.seen {
		b = binary.AppendUvarint(b, s.from)
		b = binary.AppendUvarint(b, s.to)
	}
	return b
}

func readNumbers(r *fold.StateReader) *numbers {
	n := &numbers{boot: r.String(), newest: r.Int(), missing: r.Uint(), closed: r.Uint()}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		n.seen = append(n.seen, interval{r.Uint(), r.Uint()})
	}
	return n
}
