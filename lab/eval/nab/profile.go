package nab

import "math"

// A Profile is a set of weights.
type Profile struct {
	Name     string
	Hit      float64 // for a window found at its first row
	FalseRow float64 // taken for a row that fires far from any window
	Missed   float64 // taken for a window without a row that fires
}

// Profiles are those of NAB, in the order in which its results are quoted.
func Profiles() []Profile {
	return []Profile{
		{Name: "standard", Hit: 1, FalseRow: 0.11, Missed: 1},
		{Name: "low FP", Hit: 1, FalseRow: 0.22, Missed: 1},
		{Name: "low FN", Hit: 1, FalseRow: 0.11, Missed: 2},
	}
}

// A Tally is what a detector got on one file or on several.
type Tally struct {
	Earned    float64 // weighted: hits less false rows less missed windows
	Windows   int
	Hit       int // windows with at least one row that fired
	FalseRows int // rows that fired outside all windows, after probation
}

// Plus adds the tally of other files.
func (t Tally) Plus(o Tally) Tally {
	return Tally{t.Earned + o.Earned, t.Windows + o.Windows, t.Hit + o.Hit, t.FalseRows + o.FalseRows}
}

// Sum adds up tallies.
func Sum(tallies []Tally) (sum Tally) {
	for _, t := range tallies {
		sum = sum.Plus(t)
	}
	return sum
}

// Score normalizes what was earned: 0 is a detector that never fires, 100 one that finds every window at its first
// row and nothing else. It is NaN where there are no windows.
func (p Profile) Score(t Tally) float64 {
	if t.Windows == 0 {
		return math.NaN()
	}
	null, perfect := -float64(t.Windows)*p.Missed, float64(t.Windows)*p.Hit
	return 100 * (t.Earned - null) / (perfect - null)
}
