package nab_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/lab/eval/nab"
)

// fired scores 1 in the given rows of so many.
func fired(rows int, at ...int) []float64 {
	scores := make([]float64, rows)
	for _, i := range at {
		scores[i] = 1
	}
	return scores
}

// TestWorthOfRows: what one file of 100 rows with two windows earns, by hand. Probation is 15 rows.
func TestWorthOfRows(t *testing.T) {
	file := nab.File{Rows: 100, Windows: []nab.Window{{Left: 40, Right: 49}, {Left: 70, Right: 79}}}
	sigmoid := func(y float64) float64 { return 2/(1+math.Exp(5*y)) - 1 }
	cases := []struct {
		name      string
		rows      []int
		want      float64 // on top of −2 for two windows missed
		hit, falx int
	}{
		{"nothing", nil, 0, 0, 0},
		{"the first row of a window is a whole hit", []int{40}, 2, 1, 0},
		{"the last row is a little", []int{49}, 1 + sigmoid(-0.1)/sigmoid(-1), 1, 0},
		{"only the best row of a window counts", []int{40, 41, 49}, 2, 1, 0},
		{"a false row before the first window costs in full", []int{39}, -0.11, 0, 1},
		{"just after a window it is cheap", []int{50}, 0.11 * sigmoid(1./9), 0, 1},
		{"long after it costs in full", []int{69, 99}, 0.11 * (sigmoid(20./9) + sigmoid(20./9)), 0, 2},
		{"rows on probation are not scored", []int{0, 14}, 0, 0, 0},
		{"probation ends", []int{15}, -0.11, 0, 1},
	}
	for _, c := range cases {
		sheet, err := nab.NewSheet([]nab.File{file}, [][]float64{fired(100, c.rows...)})
		if err != nil {
			t.Fatal(err)
		}
		got := nab.Sum(sheet.At(nab.Profiles()[0], 1))
		if math.Abs(got.Earned-(c.want-2)) > 1e-12 || got.Hit != c.hit || got.FalseRows != c.falx {
			t.Errorf("%s: %+v, wanted %v", c.name, got, c.want-2)
		}
	}
}

func TestLimitsOfProbation(t *testing.T) {
	for rows, want := range map[int]int{0: 0, 6: 0, 7: 1, 1000: 150, 5000: 750, 22695: 750} {
		if got := (nab.File{Rows: rows}).Probation(); got != want {
			t.Errorf("%d rows: %d, wanted %d", rows, got, want)
		}
	}
}

// TestWindowInProbation: a window that ends on probation cannot be hit, and false rows after it are cheap.
func TestWindowInProbation(t *testing.T) {
	file := nab.File{Rows: 100, Windows: []nab.Window{{Left: 2, Right: 13}}}
	sheet, err := nab.NewSheet([]nab.File{file}, [][]float64{fired(100, 5, 15)})
	if err != nil {
		t.Fatal(err)
	}
	got := nab.Sum(sheet.At(nab.Profiles()[0], 1))
	if got.Hit != 0 || got.FalseRows != 1 || got.Earned <= -1-0.11 || got.Earned >= -1 {
		t.Errorf("%+v", got)
	}
}

func TestFindWindows(t *testing.T) {
	times := []int64{10, 20, 30, 30, 30, 40, 50} // the clock stood still
	cases := []struct {
		name  string
		edges [][2]int64
		want  []nab.Window // nil: an error
	}{
		{"both edges are first rows of their time", [][2]int64{{10, 30}, {40, 50}}, []nab.Window{{Left: 0, Right: 2}, {Left: 5, Right: 6}}},
		{"one row", [][2]int64{{30, 30}}, []nab.Window{{Left: 2, Right: 2}}},
		{"no such row", [][2]int64{{10, 35}}, nil},
		{"out of order", [][2]int64{{40, 50}, {10, 20}}, nil},
		{"overlapping", [][2]int64{{10, 30}, {30, 50}}, nil},
		{"backwards", [][2]int64{{30, 20}}, nil},
	}
	for _, c := range cases {
		got, err := nab.FindWindows(times, c.edges)
		if !slices.Equal(got, c.want) || (err != nil) != (c.want == nil) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

func TestScoresThatAreNone(t *testing.T) {
	file := []nab.File{{Rows: 2}}
	for _, scores := range [][][]float64{{}, {{1}}, {{1, math.NaN()}}} {
		if _, err := nab.NewSheet(file, scores); err == nil {
			t.Errorf("%v: no error", scores)
		}
	}
}

// TestBestIsTheBest: no threshold of any kind gives more than the one that the sweep finds, in any profile and on any
// subset of the files, and the tally is that of the threshold.
func TestBestIsTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files, scores := drawFiles(t)
		sheet, err := nab.NewSheet(files, scores)
		if err != nil {
			t.Fatal(err)
		}
		use := rapid.SliceOfN(rapid.Bool(), len(files), len(files)).Draw(t, "use")
		for _, p := range nab.Profiles() {
			at := func(threshold float64) (sum nab.Tally) {
				for i, tally := range sheet.At(p, threshold) {
					if use[i] {
						sum = sum.Plus(tally)
					}
				}
				return sum
			}
			threshold, best := sheet.Best(p, use)
			if again := at(threshold); math.Abs(again.Earned-best.Earned) > 1e-9 || again.Hit != best.Hit || again.FalseRows != best.FalseRows {
				t.Fatalf("at %v: %+v, the sweep says %+v", threshold, again, best)
			}
			for other := -0.5; other <= 6; other += 0.5 {
				if got := at(other); got.Earned > best.Earned+1e-9 {
					t.Fatalf("%v gives %v, the best %v only %v", other, got.Earned, threshold, best.Earned)
				}
			}
		}
	})
}

// drawFiles makes a few small files with scores of few different values.
func drawFiles(t *rapid.T) (files []nab.File, scores [][]float64) {
	for range rapid.IntRange(1, 4).Draw(t, "files") {
		f := nab.File{Rows: rapid.IntRange(1, 60).Draw(t, "rows")}
		for at := rapid.IntRange(0, 20).Draw(t, "healthy"); at < f.Rows; {
			right := min(at+rapid.IntRange(0, 8).Draw(t, "width"), f.Rows-1)
			f.Windows = append(f.Windows, nab.Window{Left: at, Right: right})
			at = right + rapid.IntRange(1, 20).Draw(t, "gap")
		}
		files = append(files, f)
		s := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 5), func(i int) float64 { return float64(i) }), f.Rows, f.Rows).Draw(t, "scores")
		scores = append(scores, s)
	}
	return files, scores
}

// TestSpreadWithoutWindows: there is nothing to say, and no draw goes on forever.
func TestSpreadWithoutWindows(t *testing.T) {
	files := []nab.File{{Rows: 10}, {Rows: 10}}
	sheet, err := nab.NewSheet(files, [][]float64{fired(10, 3), fired(10)})
	if err != nil {
		t.Fatal(err)
	}
	p, chance := nab.Profiles()[0], rand.New(rand.NewPCG(1, 2))
	low, high := nab.Bootstrap(p, sheet.At(p, 1), 10, chance)
	mean, deviation := sheet.Transfer(p, 10, chance)
	for _, v := range []float64{low, high, mean, deviation, p.Score(nab.Sum(sheet.At(p, 1)))} {
		if !math.IsNaN(v) {
			t.Errorf("%v, wanted no number", v)
		}
	}
	if threshold, best := sheet.Best(p, nil); !math.IsInf(threshold, 1) || best.FalseRows != 0 {
		t.Errorf("the best is to fire at %v: %+v", threshold, best)
	}
}
