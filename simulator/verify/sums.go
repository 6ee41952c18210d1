package verify

import (
	"fmt"

	"weir/simulator/plan"
)

// sum is what windows are compared by.
type sum struct {
	count  int64
	units  int64  // the sum of the values, in plan.Unit
	digest uint64 // the sum of the identities, modulo 2^64
}

func (s *sum) record(units int64, id uint64) {
	s.count++
	s.units += units
	s.digest += id
}

func (s sum) plus(o sum) sum {
	return sum{s.count + o.count, s.units + o.units, s.digest + o.digest}
}

func (s sum) minus(o sum) sum {
	return sum{s.count - o.count, s.units - o.units, s.digest - o.digest}
}

func (s sum) String() string {
	return fmt.Sprintf("count %d, sum %v, digest %016x", s.count, float64(s.units)*plan.Unit, s.digest)
}

// bounds is what a window must hold, and what it may hold beside that.
type bounds struct{ sure, maybe sum }

func (b *bounds) add(o bounds) {
	b.sure, b.maybe = b.sure.plus(o.sure), b.maybe.plus(o.maybe)
}

// most is everything the window may hold.
func (b bounds) most() sum { return b.sure.plus(b.maybe) }

// fits reports whether s is possible. Values are positive, so sums have bounds
// like counts.
func (b bounds) fits(s sum) bool {
	switch most := b.most(); s.count {
	case b.sure.count:
		return s == b.sure
	case most.count:
		return s == most
	default:
		return s.count > b.sure.count && s.count < most.count && s.units > b.sure.units && s.units < most.units
	}
}

// short reports whether s lacks something and holds nothing too much.
func (b bounds) short(s sum) bool {
	return s.count < b.sure.count && s.units < b.sure.units
}

func (b bounds) String() string {
	if b.maybe.count == 0 {
		return b.sure.String()
	}
	return fmt.Sprintf("%v; and up to %d more, sum %v", b.sure, b.maybe.count, float64(b.maybe.units)*plan.Unit)
}
