package ingest

import (
	"math"
	"time"
)

// Event times are between these bounds, in Unix nanoseconds.
const (
	year2000 = 946_684_800 * int64(time.Second)
	lastTime = math.MaxInt64
)

// stampOf reads a device's time given as a number: below 1e11 it is seconds,
// below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds. A decimal
// of up to 19 digits is taken exactly, to the nanosecond below it; a binary
// float, which cannot hold one, to the nearest microsecond. ok is false before 2000 and beyond int64.
func stampOf(v *number) (ns int64, ok bool) {
	shift := 0 // power of ten from the unit to nanoseconds
	switch f := v.float; {
	case f < 1e11:
		shift = 9
	case f < 1e14:
		shift = 6
	case f < 1e17:
		shift = 3
	}
	switch {
	case v.neg || v.float != v.float:
		return 0, false
	case v.exact:
		ns, ok = scale(v.mant, v.exp+shift)
	default:
		ns, ok = microseconds(v.float, shift)
	}
	return ns, ok && ns >= year2000
}

// scale is mant × 10^exp rounded down, if it fits an int64.
func scale(mant uint64, exp int) (int64, bool) {
	for ; exp < 0 && mant > 0; exp++ {
		mant /= 10
	}
	for ; exp > 0 && mant > 0; exp-- {
		if mant > math.MaxInt64/10 {
			return 0, false
		}
		mant *= 10
	}
	return int64(mant), mant <= lastTime
}

// microseconds is f × 10^shift ns to the nearest microsecond, or as it is where
// the unit is finer than that.
func microseconds(f float64, shift int) (int64, bool) {
	unit := int64(1)
	if shift >= 3 {
		unit = 1000
		f *= pow10[shift-3]
	}
	f = math.Round(f)
	if f >= float64(lastTime/unit) {
		return 0, false
	}
	return int64(f) * unit, true
}

// parseStamp reads a device's time given as RFC 3339 text.
func parseStamp(text []byte) (ns int64, ok bool) {
	t, err := time.Parse(time.RFC3339Nano, alias(text))
	if err != nil || t.Year() < 2000 || t.Year() > 2261 {
		return 0, false
	}
	ns = t.UnixNano()
	return ns, ns >= year2000
}
