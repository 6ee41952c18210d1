package nab

import (
	"fmt"
	"math"
)

// A Window is one labeled anomaly: the rows from Left to Right, both included, counted from 0.
type Window struct{ Left, Right int }

// A File is what scoring needs to know of a series.
type File struct {
	Rows    int
	Windows []Window // in the order of the file, none overlapping
}

// FindWindows turns windows given by timestamps into rows as NAB does: an edge is the first row whose timestamp
// equals it. A timestamp that no row has, or windows out of order, are errors, because NAB would silently ignore
// all windows from there on.
func FindWindows(times []int64, edges [][2]int64) ([]Window, error) {
	first := make(map[int64]int, len(times))
	for i, t := range times {
		if _, seen := first[t]; !seen {
			first[t] = i
		}
	}
	var windows []Window
	for i, e := range edges {
		left, hasLeft := first[e[0]]
		right, hasRight := first[e[1]]
		if !hasLeft || !hasRight {
			return nil, fmt.Errorf("window %d: no row has the timestamp of its edge (Unix %d to %d ns)", i, e[0], e[1])
		}
		if left > right || i > 0 && left <= windows[i-1].Right {
			return nil, fmt.Errorf("window %d: rows %d to %d overlap the window before or run backwards", i, left, right)
		}
		windows = append(windows, Window{left, right})
	}
	return windows, nil
}

// Probation is the number of rows at the beginning of a file that are not scored.
func (f File) Probation() int { return min(f.Rows*15/100, 750) }

// outside is the window of a row that lies in none.
const outside = -1

// worth is what it means that a row fires: within a window a share of a hit, outside a share of a false row (below 0).
type worth struct {
	window int // or outside
	share  float64
}

// worths are those of all rows, those on probation included.
func (f File) worths() []worth {
	all := make([]worth, f.Rows)
	next, inside := 0, false
	for i := range all {
		if !inside && next < len(f.Windows) && i == f.Windows[next].Left {
			inside = true
		}
		if !inside {
			all[i] = worth{outside, f.falseShare(i, next)}
			continue
		}
		w := f.Windows[next]
		all[i] = worth{next, sigmoid(-float64(w.Right-i+1)/w.width()) / sigmoid(-1)}
		if i == w.Right {
			next, inside = next+1, false
		}
	}
	return all
}

// falseShare is what a false row costs: all where no window has ended yet, little just after one.
func (f File) falseShare(row, ended int) float64 {
	if ended == 0 {
		return -1
	}
	last := f.Windows[ended-1]
	return sigmoid(float64(row-last.Right) / (last.width() - 1))
}

func (w Window) width() float64 { return float64(w.Right - w.Left + 1) }

// sigmoid is NAB's scaled sigmoid: about 1 far before, 0 at and −1 far after the edge of a window.
func sigmoid(y float64) float64 {
	if y > 3 {
		return -1
	}
	return 2/(1+math.Exp(5*y)) - 1
}
