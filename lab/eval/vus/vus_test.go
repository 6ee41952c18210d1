package vus

import (
	"math"
	"slices"
	"testing"

	"weir/lab/eval/nab"
)

// TestPublishedDefinition compares with values that a plain transcription of the definition gives, tolerance by
// tolerance and threshold by threshold.
func TestPublishedDefinition(t *testing.T) {
	cases := []struct {
		rows     int
		windows  []nab.Window
		mod, mul int
		greatest int
		want     float64
	}{
		{300, []nab.Window{{Left: 40, Right: 49}, {Left: 120, Right: 124}, {Left: 130, Right: 131}}, 11, 7919, 20, 0.5281741906540077},
		{300, []nab.Window{{Left: 0, Right: 3}, {Left: 296, Right: 299}}, 97, 31, 15, 0.15075463815112725},
		{400, []nab.Window{{Left: 50, Right: 60}, {Left: 64, Right: 64}, {Left: 70, Right: 75}, {Left: 200, Right: 220}}, 53, 17, 40, 0.29893186311116077},
		{200, []nab.Window{{Left: 100, Right: 100}}, 29, 7, 7, 0.029073981317183015},
		{120, []nab.Window{{Left: 30, Right: 60}}, 23, 5, 30, 0.6095767951828258},
		{120, []nab.Window{{Left: 30, Right: 60}}, 2, 1, 30, 1},
	}
	for _, c := range cases {
		scores := make([]float64, c.rows)
		for i := range scores {
			scores[i] = float64(i * c.mul % c.mod)
		}
		for _, w := range c.windows {
			for i := w.Left; i <= w.Right; i++ {
				scores[i] += 5
			}
		}
		if got := PR(scores, c.windows, c.greatest); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%d rows, %v: %.15f, wanted %.15f", c.rows, c.windows, got, c.want)
		}
		for i := range scores {
			scores[i] = math.Exp(scores[i] / 7)
		}
		if got := PR(scores, c.windows, c.greatest); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%d rows, %v: %.15f on another scale, wanted %.15f", c.rows, c.windows, got, c.want)
		}
	}
}

func TestNothingToFind(t *testing.T) {
	for _, windows := range [][]nab.Window{nil, {{Left: 0, Right: 2}}} {
		if got := PR([]float64{1, 2, 3}, windows, 5); !math.IsNaN(got) {
			t.Errorf("%v: %v", windows, got)
		}
	}
}

// TestTolerance is the period of what has one, and a constant of what has none.
func TestTolerance(t *testing.T) {
	wave := func(period float64) []float64 {
		values := make([]float64, 3000)
		for i := range values {
			values[i] = math.Sin(2 * math.Pi * float64(i) / period)
		}
		return values
	}
	for _, c := range []struct {
		name   string
		values []float64
		want   int
	}{
		{"a period of 50", wave(50), 50},
		{"a period of 288", wave(288), 288},
		{"a period that is too long", wave(350), unknownPeriod},
		{"constant", slices.Repeat([]float64{4}, 500), unknownPeriod},
		{"a value that is none", append(wave(50), math.NaN()), unknownPeriod},
		{"short", []float64{1, 2}, unknownPeriod},
		{"empty", nil, unknownPeriod},
	} {
		if got := Tolerance(c.values); got != c.want {
			t.Errorf("%s: %d, wanted %d", c.name, got, c.want)
		}
	}
}
