package alarm

import (
	"math"
	"slices"
	"testing"

	"weir/lab/eval/nab"
)

func TestEdges(t *testing.T) {
	var e Edges
	var opens []bool
	for _, flag := range []bool{false, true, true, false, true} {
		opens = append(opens, e.Add(flag))
	}
	if e.Opened != 2 || !slices.Equal(opens, []bool{false, true, false, false, true}) {
		t.Errorf("%d opened: %v", e.Opened, opens)
	}
}

// TestUpper checks the exact bound against tables of the Poisson distribution (Garwood 1936), one-sided 95 %.
func TestUpper(t *testing.T) {
	for count, want := range map[int]float64{0: 2.996, 1: 4.744, 2: 6.296, 5: 10.513, 10: 16.962, 50: 63.287} {
		if got := Upper(count); math.Abs(got-want) > 1e-3 {
			t.Errorf("%d: %.4f, wanted %.3f", count, got, want)
		}
	}
}

// TestJudge: rows 0 to 9 at 0 to 90 ns, of which the first two are on probation.
func TestJudge(t *testing.T) {
	times := []int64{0, 10, 20, 30, 40, 50, 60, 70, 80, 90}
	windows := []nab.Window{{Left: 0, Right: 1}, {Left: 4, Right: 6}, {Left: 8, Right: 8}}
	cases := []struct {
		name string
		rows []int
		want Events
	}{
		{"silence", nil, Events{Windows: 2}},
		{"found late", []int{5, 6}, Events{Windows: 2, Found: 1, Opened: 1, Delays: []int64{10}}},
		{"both found", []int{4, 8}, Events{Windows: 2, Found: 2, Opened: 2, Delays: []int64{0, 0}}},
		{"false, before and after", []int{2, 7, 9}, Events{Windows: 2, Opened: 3, False: 3}},
		{"open before the window", []int{3, 4}, Events{Windows: 2, Found: 1, Opened: 1, False: 1, Delays: []int64{0}}},
		{"open over its end is one finding", []int{6, 7}, Events{Windows: 2, Found: 1, Opened: 1, Delays: []int64{20}}},
		{"on probation", []int{0, 1}, Events{Windows: 2}},
	}
	for _, c := range cases {
		flags := make([]bool, len(times))
		for _, i := range c.rows {
			flags[i] = true
		}
		got := Judge(flags, times, windows, 2)
		if got.Windows != c.want.Windows || got.Found != c.want.Found || got.Opened != c.want.Opened || got.False != c.want.False || !slices.Equal(got.Delays, c.want.Delays) {
			t.Errorf("%s: %+v, wanted %+v", c.name, got, c.want)
		}
	}
}

func TestEventsAddUp(t *testing.T) {
	a := Events{1, 1, 2, 1, []int64{5}}
	sum := a.Plus(Events{2, 1, 4, 3, []int64{7}})
	if sum.Windows != 3 || sum.Found != 2 || sum.Opened != 6 || sum.False != 4 || !slices.Equal(sum.Delays, []int64{5, 7}) {
		t.Errorf("%+v", sum)
	}
}
