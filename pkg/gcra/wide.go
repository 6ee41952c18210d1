package gcra

import "math/bits"

// wide is an unsigned number of 128 bits.
type wide struct{ hi, lo uint64 }

func mul(a, b uint64) (w wide) {
	w.hi, w.lo = bits.Mul64(a, b)
	return w
}

// add is a + b, which callers keep below 2^128.
func add(a, b wide) (w wide) {
	var carry uint64
	w.lo, carry = bits.Add64(a.lo, b.lo, 0)
	w.hi, _ = bits.Add64(a.hi, b.hi, carry)
	return w
}

// diff is how far a and b are apart, and whether b is not the larger one.
func diff(a, b wide) (w wide, more bool) {
	if less(a, b) {
		a, b = b, a
	} else {
		more = true
	}
	var borrow uint64
	w.lo, borrow = bits.Sub64(a.lo, b.lo, 0)
	w.hi, _ = bits.Sub64(a.hi, b.hi, borrow)
	return w, more
}

func less(a, b wide) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }
