package detect

import (
	"fmt"
	"math"
	"strconv"
)

// String says the contribution in words: "level 23.1 where 20 ± 0.4 is usual".
func (c Contribution) String() string {
	switch c.Feature {
	case "flat":
		return fmt.Sprintf("the same value %.0f times in a row where runs of %s are usual", c.Observed, brief(c.Expected))
	case "gap":
		return fmt.Sprintf("silent for %s intervals", brief(c.Observed))
	case "missing":
		return fmt.Sprintf("silent for %s s where a value each %s s is usual", brief(c.Observed), brief(c.Expected))
	case "stuck":
		return fmt.Sprintf("exactly the same value for %s s, longer than %s s", brief(c.Observed), brief(c.Expected))
	case "rate":
		return fmt.Sprintf("changes by %s a second, %s is the most that can be real", brief(c.Observed), brief(c.Expected))
	case "limit":
		return fmt.Sprintf("value %s beyond the limit %s", brief(c.Observed), brief(c.Expected))
	}
	usual := brief(c.Expected)
	if c.Spread > 0 {
		usual = rounded(c.Expected, c.Spread) + " ± " + strconv.FormatFloat(c.Spread, 'g', 2, 64)
	}
	return fmt.Sprintf("%s %s where %s is usual", c.Feature, rounded(c.Observed, c.Spread), usual)
}

// brief is a number in four digits.
func brief(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// rounded is v to the digit below the first of spread.
func rounded(v, spread float64) string {
	if spread <= 0 {
		return brief(v)
	}
	digits := 1 - int(math.Floor(math.Log10(spread)))
	if digits > 12 || digits < -12 {
		return brief(v)
	}
	return strconv.FormatFloat(v, 'f', max(digits, 0), 64)
}
