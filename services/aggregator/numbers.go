package aggregator

import (
	"encoding/binary"
	"math"
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
type interval struct {
	from, to uint64
	opened   uint64 // frame with which the gap below began, or inHole
}

// inHole marks a gap of numbers that may have been in frames that are missing: it
// spans them, or began nearby.
const inHole = math.MaxUint64

// nearby is how many frames a reading is out of order at most, as a rule.
const nearby = 256

// frames are where in the journal a number stands.
type frames struct {
	at   uint64 // its frame
	hole uint64 // the last one that is missing before it; 0: none
}

// opens is the mark of a gap that begins here, between numbers of which the device
// had sent the lower one in a frame.
func (f frames) opens(since uint64) uint64 {
	if f.hole > 0 && (since < f.hole || f.at <= f.hole+nearby) {
		return inHole
	}
	return f.at
}

// numbers is the set of numbers seen from one boot of a device: ascending
// intervals, disjoint and not touching. When there are too many, the oldest gap
// is closed: what is missing in it stays declared, and what still comes from it
// is a repeat.
type numbers struct {
	boot     string
	seen     []interval
	newest   int64  // event time of the newest number
	missing  uint64 // numbers in the gaps
	closed   uint64 // numbers in gaps that were closed
	holed    uint64 // of both, those that may have been in frames that are missing
	newestIn uint64 // frame of the greatest number
}

// add notes a number and reports whether it is new.
func (n *numbers) add(seq uint64, where frames) bool {
	k := len(n.seen)
	if k == 0 {
		n.seen, n.newestIn = append(n.seen, interval{from: seq, to: seq}), where.at
		return true
	}
	if last := &n.seen[k-1]; seq == last.to+1 {
		last.to, n.newestIn = seq, where.at
		return true
	}
	return n.insert(seq, where)
}

// insert handles every case but the next number in order.
func (n *numbers) insert(seq uint64, where frames) bool {
	i := sort.Search(len(n.seen), func(i int) bool { return n.seen[i].from > seq })
	if i > 0 && seq <= n.seen[i-1].to {
		return false
	}
	opened := n.settle(seq, i, where)
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
		n.seen[i] = interval{seq, seq, opened}
	}
	n.bound()
	return true
}

// settle keeps the count of missing numbers: seq, which goes before interval i,
// fills a gap or makes one. It returns the mark of the gap below seq.
func (n *numbers) settle(seq uint64, i int, where frames) (opened uint64) {
	switch {
	case i == len(n.seen):
		opened = where.opens(n.newestIn)
		n.open(seq-n.seen[i-1].to-1, opened)
		n.newestIn = where.at
	case i == 0:
		n.seen[0].opened = where.opens(where.at)
		n.open(n.seen[0].from-seq-1, n.seen[0].opened)
	default:
		opened = n.seen[i].opened
		if n.missing--; opened == inHole {
			n.holed--
		}
	}
	return opened
}

// open counts the numbers of a gap that begins.
func (n *numbers) open(gap, opened uint64) {
	if n.missing += gap; opened == inHole {
		n.holed += gap
	}
}

// hole marks the gaps that may have been in missing frames from one on, and says how
// many numbers they have.
func (n *numbers) hole(from uint64) (found uint64) {
	for i := 1; i < len(n.seen); i++ {
		if s := &n.seen[i]; s.opened != inHole && s.opened+nearby >= from {
			s.opened = inHole
			found += s.from - n.seen[i-1].to - 1
		}
	}
	n.holed += found
	return found
}

// renumber notes that frames are numbered anew.
func (n *numbers) renumber() {
	n.newestIn = 0
	for i := range n.seen {
		if s := &n.seen[i]; s.opened != inHole {
			s.opened = 0
		}
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
	if len(d.boots) > 0 && d.boots[0].boot == boot {
		return d.boots[0]
	}
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
func (d *device) fresh(boot string, seq uint64, eventTime int64, ownClock bool, where frames) bool {
	n := d.numbersOf(boot)
	before, holed := n.lost(), n.holed
	ok := n.add(seq, where)
	if !ok && boot == "" && ownClock && eventTime > n.newest {
		d.forgotten += before
		*n = numbers{newest: eventTime, newestIn: where.at, seen: append(n.seen[:0], interval{from: seq, to: seq})}
		d.tenant.numbered += d.perValue
		return true
	}
	if ok && eventTime > n.newest {
		n.newest = eventTime
	}
	if ok {
		d.tenant.numbered += d.perValue
	}
	d.lose(int64(n.lost()-before), int64(n.holed-holed))
	return ok
}

func (n *numbers) append(b []byte) []byte {
	b = fold.AppendString(b, n.boot)
	b = binary.AppendVarint(b, n.newest)
	b = binary.AppendUvarint(b, n.missing)
	b = binary.AppendUvarint(b, n.closed)
	b = binary.AppendUvarint(binary.AppendUvarint(b, n.holed), n.newestIn)
	b = binary.AppendUvarint(b, uint64(len(n.seen)))
	for _, s := range n.seen {
		b = binary.AppendUvarint(b, s.from)
		b = binary.AppendUvarint(b, s.to)
		b = binary.AppendUvarint(b, s.opened+1) // inHole is 0
	}
	return b
}

func readNumbers(r *fold.StateReader, version byte) *numbers {
	n := &numbers{boot: r.String(), newest: r.Int(), missing: r.Uint(), closed: r.Uint()}
	if version > 3 {
		n.holed, n.newestIn = r.Uint(), r.Uint()
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		s := interval{from: r.Uint(), to: r.Uint()}
		if version > 3 {
			s.opened = r.Uint() - 1
		}
		n.seen = append(n.seen, s)
	}
	return n
}
