package datadir

import "fmt"

// Cap is how large a stream is to become, and is.
type Cap struct {
	Bytes int64 // its cap
	Used  int64 // bytes on the disk now
}

// Shares of a volume.
const (
	leastCap  = 8 << 20  // of a stream: some seconds, and the largest message
	besides   = 16 << 20 // for buckets and indexes
	mostShare = 0.8      // of what is free or theirs already: what was removed takes room for a while
)

// Plan is how streams share a volume with a reserve.
type Plan struct {
	Caps    []int64 // of the streams, bytes
	Reserve int64   // bytes
	Wanted  int64   // what the caps were to be together
	Least   int64   // bytes that must be free for the smallest caps; 0: they fit
}

// Sum is what the streams may hold together.
func (p Plan) Sum() (sum int64) {
	for _, c := range p.Caps {
		sum += c
	}
	return sum
}

// Shrunk reports whether some cap is smaller than wanted.
func (p Plan) Shrunk() bool { return p.Sum() < p.Wanted }

// FitCaps shrinks the caps of streams, all in proportion, where the volume has no
// room for them: a disk must never become full of what we keep. room is what is
// free, with the reserve that there is. No cap comes below what its stream holds.
func FitCaps(streams []Cap, room int64) Plan {
	var wanted, used, smallest int64
	for _, c := range streams {
		wanted, used, smallest = wanted+c.Bytes, used+c.Used, smallest+c.least()
	}
	p := Plan{Wanted: wanted, Reserve: ReserveSize(min(wanted, share(room+used)))}
	budget := share(room+used) - p.Reserve - besides
	part := min(1, float64(max(budget, 0))/float64(max(wanted, 1)))
	for _, c := range streams {
		p.Caps = append(p.Caps, max(int64(float64(c.Bytes)*part), c.least()))
	}
	if smallest > max(budget, used) {
		p.Least = roomFor(smallest, wanted) - used
	}
	return p
}

// roomFor is how large a volume lets streams that want this much have the least.
// The reserve grows with the volume, so it is not today's that must fit, too.
func roomFor(least, wanted int64) int64 {
	size := least + besides
	for {
		need := least + besides + ReserveSize(min(wanted, size))
		if need <= size {
			return int64(float64(size)/mostShare) + 1
		}
		size = need
	}
}

func (c Cap) least() int64 { return min(c.Bytes, max(leastCap, c.Used)) }

// share is what of a volume is for streams, the reserve and some besides.
func share(room int64) int64 { return int64(float64(room) * mostShare) }

// NoRoom says that not even the smallest caps fit.
func NoRoom(dir string, room, least int64) error {
	return fmt.Errorf("data folder %s: %d MB are free and its streams need at least %d MB: make room or choose another disk",
		dir, room>>20, least>>20)
}
