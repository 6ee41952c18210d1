package services_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/widen"
)

// cut says how a backlog is folded: so many commits each, in windows so many times as
// long; times 0: they are shed.
type cut struct {
	commits int
	times   int64
}

// TestFoldedBacklog: entries that stand for many come to the same records, however they
// are cut and in whatever order they come; what is shed is counted.
func TestFoldedBacklog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cuts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) cut {
			return cut{rapid.IntRange(1, 30).Draw(t, "commits"), rapid.SampledFrom([]int64{0, 1, 6, 6, 60}).Draw(t, "times")}
		}), 1, 8).Draw(rt, "cuts")
		steps, twice := rapid.IntRange(5, 90).Draw(rt, "steps"), rapid.Bool().Draw(rt, "folded twice")
		order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8}).Draw(rt, "order")
		var wrong string
		synctest.Test(t, func(*testing.T) { wrong = playFolded(cuts, steps, twice, order) })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

func playFolded(cuts []cut, steps int, twice bool, order []int) string {
	w := newWorld()
	w.start()
	w.steps(20)
	w.reach(false)
	w.steps(steps)
	folded := w.fold(cuts, twice)
	w.reach(true)
	lossless := true
	for _, i := range order {
		if i < len(folded) {
			w.apply(new(schemas.CommitEncoder).Append(nil, folded[i]))
			lossless = lossless && len(folded[i].Shed) == 0
		}
	}
	w.settle()
	w.crash()
	v := w.verdict()
	l := v.ledger.Totals
	sum, want := w.sums()
	switch {
	case l.Unexplained != 0 || v.check.Unexplained != 0 || v.check.Debt != 0 || l.InFlight != 0:
		return fmt.Sprintf("unexplained %d and %d, debt %d: %+v", l.Unexplained, v.check.Unexplained, v.check.Debt, l)
	case v.counted+v.late+l.Shed != v.made || l.Counted != v.counted || l.Received != v.made:
		return fmt.Sprintf("%d made, %d counted and %d late: %+v", v.made, v.counted, v.late, l)
	case v.passed != v.said || v.again > 0 || v.passed+v.held != v.made || lossless && v.held > 0:
		return fmt.Sprintf("of %d log records %d are passed on, %d of them again, and %d held back; the region says %d", v.made, v.passed, v.again, v.held, v.said)
	case lossless && (sum != want || l.Shed != 0):
		return fmt.Sprintf("sum %v, want %v; %d shed", sum, want, l.Shed)
	}
	return ""
}

// fold folds what the region lacks.
func (w *world) fold(cuts []cut, twice bool) (out []*schemas.Commit) {
	var owed []*schemas.Commit
	for _, m := range w.all(agentBox) {
		c, err := new(schemas.CommitDecoder).Decode(m.Data, schemas.WithWindows|schemas.WithLogs)
		if err != nil {
			panic(err)
		}
		if !w.has(c) {
			owed = append(owed, c)
		}
	}
	for _, c := range cuts {
		n := min(c.commits, len(owed))
		for n > 0 && !owed[n-1].End {
			n--
		}
		if n == 0 {
			break
		}
		out = append(out, c.of(owed[:n]))
		owed = owed[n:]
	}
	if twice && len(out) > 1 {
		out = append([]*schemas.Commit{cut{2, 60}.of(out[:2])}, out[2:]...)
	}
	return out
}

func (c cut) of(commits []*schemas.Commit) (out *schemas.Commit) {
	var err error
	if c.times == 0 {
		out, err = widen.Shed(commits)
	} else {
		out, err = widen.Fold(commits, c.times)
	}
	if err != nil {
		panic(err)
	}
	return out
}

// sums are the sum of all values in the region's windows, and that of all readings.
func (w *world) sums() (got, want float64) {
	for _, win := range w.emitted {
		if win.View == schemas.DeviceView {
			got += win.Sum
		}
	}
	for d := range w.devs {
		for n := range w.devs[d].seq {
			want += value(began + int64(n+1)*second)
		}
	}
	return got, want
}
