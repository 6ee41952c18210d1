package window

import "math"

// span bounds the times that windows are made for: [-span, span), 2⁶² ns or 146 years each side of 1970. Together with
// longest it keeps every sum of a time and a few durations inside int64.
const span = int64(1) << 62

// longest bounds sizes, hops and lateness: 2⁶⁰ ns, 36 years.
const longest = int64(1) << 60

// never and forever are the watermarks before anything has happened and after everything has.
const (
	never   = math.MinInt64
	forever = math.MaxInt64
)

// inSpan reports whether windows can be made for t.
func inSpan(t int64) bool { return -span <= t && t < span }

// floor is the greatest multiple of step that is not greater than t, also for negative t. step > 0.
func floor(t, step int64) int64 {
	r := t % step
	if r < 0 {
		r += step
	}
	return t - r
}

// later is t + d, kept within int64.
func later(t, d int64) int64 {
	sum := t + d
	switch {
	case d > 0 && sum < t:
		return forever
	case d < 0 && sum > t:
		return never
	}
	return sum
}

// since is to - from, kept within int64.
func since(from, to int64) int64 {
	diff := to - from
	switch {
	case to >= from && diff < 0:
		return math.MaxInt64
	case to < from && diff >= 0:
		return math.MinInt64
	}
	return diff
}
