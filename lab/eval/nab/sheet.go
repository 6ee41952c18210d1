package nab

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A Sheet holds the scores of one detector on a set of files, ready for any threshold and profile.
type Sheet struct {
	windows []int // per file
	rows    []row // of all files, those on probation left out, highest score first
}

// row is one scored row.
type row struct {
	score  float64
	file   int32
	window int32 // counted over all files, or outside
	share  float64
}

// NewSheet takes the scores of a detector: per file one score per row, in the order of files. A score that is not
// a number, or a wrong number of them, is an error.
func NewSheet(files []File, scores [][]float64) (*Sheet, error) {
	if len(files) != len(scores) {
		return nil, fmt.Errorf("score %d files: there are scores of %d", len(files), len(scores))
	}
	s := &Sheet{}
	before := 0 // windows of the files before
	for n, f := range files {
		if err := checkScores(f, scores[n]); err != nil {
			return nil, fmt.Errorf("file %d: %w", n, err)
		}
		for i, w := range f.worths()[f.Probation():] {
			r := row{score: scores[n][f.Probation()+i], file: int32(n), window: outside, share: w.share}
			if w.window != outside {
				r.window = int32(before + w.window)
			}
			s.rows = append(s.rows, r)
		}
		s.windows = append(s.windows, len(f.Windows))
		before += len(f.Windows)
	}
	slices.SortStableFunc(s.rows, func(a, b row) int { return cmp.Compare(b.score, a.score) })
	return s, nil
}

func checkScores(f File, scores []float64) error {
	if len(scores) != f.Rows {
		return fmt.Errorf("%d scores for %d rows", len(scores), f.Rows)
	}
	if i := slices.IndexFunc(scores, math.IsNaN); i >= 0 {
		return fmt.Errorf("the score of row %d is not a number", i)
	}
	return nil
}

// At tallies each file: a row fires when its score has reached the threshold.
func (s *Sheet) At(p Profile, threshold float64) []Tally {
	tallies := make([]Tally, len(s.windows))
	for i, n := range s.windows {
		tallies[i] = Tally{Earned: -float64(n) * p.Missed, Windows: n}
	}
	best := s.noHits()
	for _, r := range s.rows {
		if r.score < threshold {
			break
		}
		tallies[r.file].fire(p, r, best)
	}
	return tallies
}

// Best sweeps over all distinct scores from above and returns the first threshold with the highest total, and that
// total. +Inf means that it is best never to fire. Only the files that use holds are looked at; nil means all.
func (s *Sheet) Best(p Profile, use []bool) (threshold float64, total Tally) {
	var now Tally
	for i, n := range s.windows {
		if use == nil || use[i] {
			now.Windows += n
		}
	}
	now.Earned = -float64(now.Windows) * p.Missed
	threshold, total = math.Inf(1), now
	best, fired := s.noHits(), math.Inf(1)
	for _, r := range s.rows {
		if use != nil && !use[r.file] {
			continue
		}
		if r.score != fired && now.Earned > total.Earned {
			threshold, total = fired, now
		}
		fired = r.score
		now.fire(p, r, best)
	}
	if now.Earned > total.Earned {
		threshold, total = fired, now
	}
	return threshold, total
}

// noHit marks a window of which no row has fired.
const noHit = -1

func (s *Sheet) noHits() []float64 {
	all := 0
	for _, n := range s.windows {
		all += n
	}
	return slices.Repeat([]float64{noHit}, all)
}

// fire counts a row that fires. best holds the greatest share so far of each window.
func (t *Tally) fire(p Profile, r row, best []float64) {
	if r.window == outside {
		t.Earned += p.FalseRow * r.share
		t.FalseRows++
		return
	}
	if best[r.window] == noHit {
		t.Hit++
		t.Earned += p.Missed
		best[r.window] = 0
	}
	if r.share > best[r.window] {
		t.Earned += p.Hit * (r.share - best[r.window])
		best[r.window] = r.share
	}
}
