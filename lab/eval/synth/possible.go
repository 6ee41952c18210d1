package synth

import "math"

// SpikesPossible is the share of spikes of so many sigma that the best judge of single values can find, who knows the
// noise and is wrong with probability perSample on a healthy one. It needs Tail.
func (f Family) SpikesPossible(sigmas, perSample float64) float64 {
	low, high := 0.0, 1e6*f.Sigma
	for high-low > 1e-9*f.Sigma {
		if mid := (low + high) / 2; 2*f.Tail(mid) > perSample {
			low = mid
		} else {
			high = mid
		}
	}
	return f.Tail(high - sigmas*f.Sigma)
}

func gaussianTail(x float64) float64 { return math.Erfc(x/math.Sqrt2) / 2 }

func laplaceTail(x float64) float64 {
	if x < 0 {
		return 1 - math.Exp(x)/2
	}
	return math.Exp(-x) / 2
}

// student3Tail is the closed form for three degrees of freedom; far out, where it would cancel, the leading term.
func student3Tail(x float64) float64 {
	if x > 1e4 {
		return 2 * math.Sqrt(3) / (math.Pi * x * x * x)
	}
	y := x / math.Sqrt(3)
	return 0.5 - (y/(1+y*y)+math.Atan(y))/math.Pi
}
