package widen

import (
	"errors"
	"fmt"
	"testing"

	"weir/pkg/sketch"
	"weir/schemas"
)

const second = 1_000_000_000

// commit is entry n with windows of ten seconds that begin at the given ones.
func commit(n uint64, hop bool, starts ...int64) *schemas.Commit {
	c := &schemas.Commit{
		Producer: "a", N: n, RunFirst: n, End: true,
		Views: []schemas.Progress{{View: "device", Size: 10 * second, FinalThrough: 1000 * second}},
	}
	for _, start := range starts {
		w := schemas.Window{
			View: "device", Dims: []string{"device", "metric"}, Key: schemas.Key{Tenant: "t", Values: []string{"d", "m"}},
			Start: start * second, End: (start + 10) * second, FirstN: n, Revision: 1, Timing: schemas.FinalTiming,
			Count: 2, Sum: 3, Min: 1, Max: 2, Digest: uint64(start),
		}
		if hop {
			w.Key.Values[0] = "hop"
		}
		c.Windows = append(c.Windows, w)
	}
	return c
}

// show is the windows of a commit in short.
func show(c *schemas.Commit) (out string) {
	for _, w := range c.Windows {
		out += fmt.Sprintf("%d-%d:%d*%d ", w.Start/second, w.End/second, w.Count, w.Widened)
	}
	return out
}

func TestFold(t *testing.T) {
	f := func(what string, commits []*schemas.Commit, times int64, want string) {
		t.Helper()
		c, err := Fold(commits, times)
		if err != nil {
			t.Fatal(err)
		}
		if got := show(c); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	minute := []*schemas.Commit{commit(5, false, 0, 10), commit(6, false, 20, 60)}
	f("wider", minute, 6, "0-60:6*3 60-70:2*0 ")
	f("as they are", minute, 1, "0-10:2*0 10-20:2*0 20-30:2*0 60-70:2*0 ")
	once, _ := Fold(minute, 6)
	f("again", []*schemas.Commit{once, commit(7, false, 70)}, 60, "0-600:10*5 ")
	f("hopping", []*schemas.Commit{commit(5, true, 0, 5, 10)}, 6, "0-10:2*0 5-15:2*0 10-20:2*0 ")
	open, next := commit(5, false, 0, 10), commit(6, false, 20)
	open.Windows[1].Timing, open.Views[0].FinalThrough, next.Views[0].FinalThrough = schemas.OnTime, 0, 0
	f("one that may be revised", []*schemas.Commit{open, next}, 6, "10-20:2*0 0-60:4*2 ")
	if c, err := Shed(minute); err != nil || len(c.Windows) != 0 || len(c.Shed) != 1 || c.Shed[0].N != 8 || c.First() != 5 || c.N != 6 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestFoldRefuses(t *testing.T) {
	other, estate, half := commit(6, false), commit(6, false), commit(6, false)
	other.Epoch[0], estate.Estate, half.End = 1, true, false
	for what, commits := range map[string][]*schemas.Commit{
		"nothing": nil, "a gap": {commit(5, false), commit(7, false)}, "another epoch": {commit(5, false), other},
		"an estate": {commit(5, false), estate}, "half a commit": {commit(5, false), half},
	} {
		if c, err := Fold(commits, 6); !errors.Is(err, errRun) {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
	}
}

// TestCoarse: large sketches get coarser, and hold as many values.
func TestCoarse(t *testing.T) {
	var s sketch.Sketch
	for i := range 5000 {
		s.Add(1.01 * float64(i*i))
	}
	b, err := s.AppendBinary(nil)
	if err != nil || len(b) <= mostSketch {
		t.Fatal(len(b), err)
	}
	small := coarse(b)
	var c sketch.Sketch
	if err := c.UnmarshalBinary(small); err != nil || len(small) > mostSketch || c.Count() != s.Count() || c.Sum() != s.Sum() {
		t.Errorf("%d bytes, %d of %d values: %v", len(small), c.Count(), s.Count(), err)
	}
}
