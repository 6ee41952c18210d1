package sketch

import "math"

//go:generate go run grid_gen.go

// A key is a bucket's place on the number line: 0 is the zero bucket, m > 0 the positive bucket i = m - origin(scale),
// and -m its mirror image. Keys ascend as the values in their buckets do, and because origin halves with each step of
// scale, coarsening a key is a shift of its magnitude m.

const (
	// octaves shifts exponents so that magnitudes are positive at every scale. It is a multiple of 16, so that it
	// still is whole at MinScale, and above 1022+16, so that even the bucket of 2^-1022 has a magnitude of at least 1.
	octaves = 1040

	minNormal    = 0x1p-1022 // smaller numbers count as zero
	mantissaBits = 52
	cellBits     = 9 // the bounds of scale 8 are more than 1/512 apart, so a cell of 1/512 holds at most one
)

// cells[c] is the greatest k with mantissas[k] at or below the start of cell c.
var cells = firstBounds()

func firstBounds() (cells [1 << cellBits]uint8) {
	k := uint8(0)
	for c := range cells {
		for mantissas[int(k)+1] <= uint64(c)<<(mantissaBits-cellBits) {
			k++
		}
		cells[c] = k
	}
	return cells
}

// magnitude returns the magnitude, at MaxScale, of the bucket that holds a. The number a is normal and positive.
func magnitude(a float64) int32 {
	bits := math.Float64bits(a) - 1 // the float before a: turns (lower, upper] into [lower, upper)
	fraction := bits & (1<<mantissaBits - 1)
	k := int32(cells[fraction>>(mantissaBits-cellBits)])
	if fraction >= mantissas[k+1] {
		k++
	}
	exponent := int32(bits>>mantissaBits) - 1023
	return (exponent+octaves)<<MaxScale + k
}

// bucketOf returns the key of v's bucket at the scale that is drop steps below MaxScale. Only subnormal numbers count
// as zero here.
func bucketOf(v float64, drop uint8) int32 {
	a := math.Abs(v)
	if a < minNormal {
		return 0
	}
	if v < 0 {
		return -(magnitude(a) >> (drop & 31))
	}
	return magnitude(a) >> (drop & 31)
}

// coarser returns the key that holds the bucket of key after drop steps down in scale.
func coarser(key int32, drop uint8) int32 {
	sign := key >> 31 // -1 or 0
	magnitude := (key ^ sign) - sign
	return (magnitude>>(drop&31) ^ sign) - sign // the mask tells the compiler that drop is small
}

// origin is the magnitude of bucket 0, (1, b], at a scale.
func origin(scale int) int32 {
	return octaves << MaxScale >> (MaxScale - scale)
}

// lower returns the lower bound of the bucket of a magnitude, which is the upper bound of the one before. It is +Inf
// where 2^1024 is meant.
func lower(magnitude int32, scale int) float64 {
	place := magnitude << (MaxScale - scale)
	fraction := math.Float64frombits(1023<<mantissaBits | mantissas[place&(1<<MaxScale-1)])
	return math.Ldexp(fraction, int(place>>MaxScale)-octaves)
}

// middle returns the value that stands for all values of a bucket: no value in it is further off than Accuracy(scale).
func middle(key int32, scale int) float64 {
	switch {
	case key < 0:
		return -middle(-key, scale)
	case key == 0:
		return 0
	default:
		return lower(key, scale) * (1 + Accuracy(scale))
	}
}

// Accuracy returns alpha, the relative error of quantiles at a scale from MinScale to MaxScale: (b-1)/(b+1) with
// b = 2^(2^-scale), the base of the grid.
func Accuracy(scale int) float64 {
	base := lower(origin(scale)+1, scale)
	return (base - 1) / (base + 1)
}
