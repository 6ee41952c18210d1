package sights

import (
	"fmt"
	"math"
	"time"
)

// Spread sums up delays, in seconds.
type Spread struct {
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`
	Windows int     `json:"windows"`
	Unseen  int     `json:"unseen"` // windows that should have been shown and were not
}

// SpreadOf is nearest ranks of sorted delays.
func SpreadOf(late []time.Duration, wanted int) Spread {
	s := Spread{Windows: len(late), Unseen: wanted - len(late)}
	if len(late) == 0 {
		return s
	}
	rank := func(q float64) float64 { return late[int(math.Ceil(q*float64(len(late))))-1].Seconds() }
	s.P50, s.P99, s.Max = rank(0.5), rank(0.99), rank(1)
	return s
}

// String is the figures of a cell.
func (s Spread) String() string {
	if s.Windows == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f · %.2f · %.2f", s.P50, s.P99, s.Max)
}
