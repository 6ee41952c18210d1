package detect

import "math"

// Nanoseconds.
const (
	second = 1_000_000_000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// short is up to where Taylor's series take the place of functions that cost ten times as much: they are off by 10⁻⁸
// of the result at most.
const short = 1. / 32

// gain is the weight of a new value in an average of time constant tau after a time of dt, in the same unit:
// 1 − exp(−dt/tau).
func gain(dt, tau float64) float64 {
	x := dt / tau
	if x < short {
		return x * (1 - x*(1./2-x*(1./6-x*(1./24))))
	}
	return -math.Expm1(-x)
}

// log1p is ln(1 + x), x ≥ 0.
func log1p(x float64) float64 {
	if x < short {
		return x * (1 - x*(1./2-x*(1./3-x*(1./4-x*(1./5)))))
	}
	return math.Log1p(x)
}

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
