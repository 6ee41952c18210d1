package alarm

import "math"

// Edges counts findings: a flag that is set after one that is not.
type Edges struct {
	Opened int
	open   bool
}

// Add takes the next flag and reports whether a finding opens.
func (e *Edges) Add(flag bool) bool {
	opens := flag && !e.open
	e.open = flag
	if opens {
		e.Opened++
	}
	return opens
}

// Upper is the upper bound of the mean of a Poisson variable, at 95 % confidence, when count was seen.
func Upper(count int) float64 {
	low, high := float64(count), 3*float64(count)+10
	for high-low > 1e-9*high {
		if mid := (low + high) / 2; atMost(count, mid) > 0.05 {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// atMost is the probability that a Poisson variable of this mean is at most count.
func atMost(count int, mean float64) float64 {
	sum := 0.0
	for k := range count + 1 {
		logFactorial, _ := math.Lgamma(float64(k) + 1)
		sum += math.Exp(float64(k)*math.Log(mean) - mean - logFactorial)
	}
	return sum
}
