package detect

import "math"

// Nanoseconds.
const (
	second = 1_000_000_000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// gain is the weight of a new value in an average of time constant tau after a time of dt, in the same unit:
// 1 − exp(−dt/tau).
func gain(dt, tau float64) float64 { return -math.Expm1(-dt / tau) }

// floorDiv is a/b, rounded down; b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// floorMod is what floorDiv leaves, 0 to b−1.
func floorMod(a, b int64) int64 {
	if m := a % b; m < 0 {
		return m + b
	} else {
		return m
	}
}
