package widen

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir/pkg/sketch"
	"weir/schemas"
	"weir/services/internal/fold"
	"weir/services/internal/parts"
)

// errRun says that entries cannot be folded together.
var errRun = errors.New("they are not whole commits of one epoch in a row")

// row is the latest revision of a part.
type row struct {
	schemas.Window
	held bool // only an explicit final revision ends it
}

// folding is what entries come to.
type folding struct {
	out  *schemas.Commit
	rows map[string]*row // by window and part
}

// Fold is one commit in the place of several. A window is as long as times windows of
// its view; at 1 all stay as long as they are. The commits are not changed.
func Fold(commits []*schemas.Commit, times int64) (*schemas.Commit, error) {
	f, err := latest(commits)
	if err != nil {
		return nil, err
	}
	loose, fixed := f.sort()
	f.out.Windows = append(fixed, f.widen(loose, times)...)
	f.seal()
	return f.out, nil
}

// HoldBack leaves the log records out of a commit that Fold has made, and counts them. It is
// false where there are none.
func HoldBack(c *schemas.Commit) bool {
	if len(c.Logs) == 0 {
		return false
	}
	f := folding{out: c}
	f.holdBack()
	f.seal()
	return true
}

// Shed is one commit in the place of several, without log records and the windows that are
// not revised by others: their records are counted.
func Shed(commits []*schemas.Commit) (*schemas.Commit, error) {
	f, err := latest(commits)
	if err != nil {
		return nil, err
	}
	loose, fixed := f.sort()
	f.out.Windows = fixed
	for i := range loose {
		f.shed(&loose[i])
	}
	f.holdBack()
	f.seal()
	return f.out, nil
}

// latest gathers the latest revisions.
func latest(commits []*schemas.Commit) (*folding, error) {
	if len(commits) == 0 {
		return nil, fmt.Errorf("fold no entries: %w", errRun)
	}
	last := *commits[len(commits)-1]
	f := &folding{out: &last, rows: map[string]*row{}}
	last.Since = commits[0].First()
	last.Windows, last.Local, last.Early, last.Findings, last.Logs, last.Shed, last.Holes, last.Past, last.Knows = nil, nil, nil, nil, nil, nil, nil, nil, nil
	next, run := last.Since, 0
	for i, c := range commits {
		if c.First() != next || c.Epoch != last.Epoch || c.Producer != last.Producer || c.Estate || c.RunFirst < last.Since {
			return nil, fmt.Errorf("fold entries %d to %d of %s, at %d: %w", last.Since, last.N, last.Producer, c.N, errRun)
		}
		next = c.N + 1
		if c.End {
			f.take(commits[run:i+1], c)
			run = i + 1
		}
	}
	if !last.End {
		return nil, fmt.Errorf("fold entries %d to %d of %s: %w", last.Since, last.N, last.Producer, errRun)
	}
	last.InFirst = first(commits).InFirst
	last.RunFirst = last.Since
	return f, nil
}

// first is the first commit's end.
func first(commits []*schemas.Commit) *schemas.Commit {
	return commits[slices.IndexFunc(commits, func(c *schemas.Commit) bool { return c.End })]
}

// take takes the entries of one commit, which end tells more of.
func (f *folding) take(run []*schemas.Commit, end *schemas.Commit) {
	for _, c := range run {
		for i := range c.Windows {
			w := &c.Windows[i]
			name := fold.WindowName(w) + fmt.Sprint(w.FirstN)
			if old := f.rows[name]; old == nil || w.Revision > old.Revision {
				f.rows[name] = &row{*w, w.End <= through(end, w.View)}
			}
		}
		f.out.Findings = append(f.out.Findings, c.Findings...)
		f.out.Logs = append(f.out.Logs, c.Logs...)
		f.out.Shed = append(f.out.Shed, c.Shed...)
		f.out.Holes = append(f.out.Holes, c.Holes...)
		f.out.Knows = append(f.out.Knows, c.Knows...)
		f.out.Resumed = f.out.Resumed || c.Resumed
	}
}

// through is how far a view is final, as a commit says.
func through(c *schemas.Commit, view string) int64 {
	for i := range c.Views {
		if c.Views[i].View == view {
			return c.Views[i].FinalThrough
		}
	}
	return -1 << 63
}

// sort parts the rows into those that are whole here, and those that other entries
// revise. Both are in the order of their windows.
func (f *folding) sort() (loose, fixed []schemas.Window) {
	for _, r := range f.rows {
		if f.whole(r) {
			loose = append(loose, r.Window)
		} else {
			fixed = append(fixed, r.Window)
		}
	}
	slices.SortFunc(loose, compare)
	slices.SortFunc(fixed, compare)
	return loose, fixed
}

// whole reports whether all revisions of a part are here. Late totals stay apart: they
// are an hour long already.
func (f *folding) whole(r *row) bool {
	_, late := schemas.CutLate(r.View)
	final := r.Timing == schemas.FinalTiming || !r.held && r.End <= through(f.out, r.View)
	return !late && final && r.FirstN >= f.out.Since
}

// compare orders windows by view, key, bounds and part.
func compare(a, b schemas.Window) int {
	return cmp.Or(
		compareKeys(&a, &b), cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.FirstN, b.FirstN),
	)
}

func compareKeys(a, b *schemas.Window) int {
	return cmp.Or(
		strings.Compare(a.View, b.View), strings.Compare(a.Key.Tenant, b.Key.Tenant),
		slices.Compare(a.Dims, b.Dims), slices.Compare(a.Key.Values, b.Key.Values),
	)
}

// widen adds up sorted windows of each key in wider ones.
func (f *folding) widen(windows []schemas.Window, times int64) (out []schemas.Window) {
	for len(windows) > 0 {
		end := 1
		for end < len(windows) && compareKeys(&windows[0], &windows[end]) == 0 {
			end++
		}
		out = append(out, f.widenKey(windows[:end], times)...)
		windows = windows[end:]
	}
	return out
}

// widenKey does so for the windows of one key.
func (f *folding) widenKey(windows []schemas.Window, times int64) (out []schemas.Window) {
	if overlap(windows) {
		return windows
	}
	for len(windows) > 0 {
		start, end := f.span(&windows[0], times)
		var s parts.Sum
		count, widened := 0, uint32(0)
		for count < len(windows) && windows[count].End <= end {
			w := windows[count]
			widened += max(1, w.Widened)
			s.Add(&w)
			count++
		}
		if count < 2 {
			out, windows = append(out, windows[0]), windows[1:]
			continue
		}
		out = append(out, wide(&s, start, end, widened, f.out.N))
		windows = windows[count:]
	}
	return out
}

// overlap reports whether windows of a key, as they were cut, overlap without being the
// same.
func overlap(windows []schemas.Window) bool {
	var before *schemas.Window
	for i := range windows {
		w := &windows[i]
		if w.Widened > 0 {
			continue
		}
		if before != nil && w.Start < before.End && (w.Start != before.Start || w.End != before.End) {
			return true
		}
		before = w
	}
	return false
}

// span are the bounds of the wide window that holds w.
func (f *folding) span(w *schemas.Window, times int64) (start, end int64) {
	size := w.End - w.Start
	for i := range f.out.Views {
		if v := &f.out.Views[i]; v.View == w.View && v.Size > 0 && size%v.Size == 0 {
			size = v.Size
		}
	}
	start = w.Start - mod(w.Start, size*times)
	return start, start + size*times
}

func mod(a, b int64) int64 { return (a%b + b) % b }

// wide is a sum of windows as one part. A sketch of many values is as coarse as it
// takes.
func wide(s *parts.Sum, start, end int64, widened uint32, n uint64) schemas.Window {
	w, _ := s.Whole(nil)
	w.Start, w.End, w.Widened = start, end, widened
	w.FirstN, w.Revision, w.Timing = n, 1, schemas.FinalTiming
	w.Sketch = coarse(w.Sketch)
	return w
}

// mostSketch is how large a sketch of a wide window gets, in bytes, before its scale
// goes down.
const mostSketch = 512

// coarse scales a sketch down until it is small enough.
func coarse(b []byte) []byte {
	var s sketch.Sketch
	for len(b) > mostSketch && s.UnmarshalBinary(b) == nil && s.Scale() > sketch.MinScale {
		s.Downscale(s.Scale() - 1)
		smaller, err := s.AppendBinary(nil)
		if err != nil || len(smaller) >= len(b) {
			break
		}
		b = smaller
	}
	return b
}

// shed counts the records of a window that is left out.
func (f *folding) shed(w *schemas.Window) {
	signal := schemas.SignalOf(w.Dim("metric"))
	for i := range f.out.Shed {
		if r := &f.out.Shed[i]; r.View == w.View && r.Tenant == w.Key.Tenant && r.Signal == signal {
			r.N += w.Records()
			return
		}
	}
	f.out.Shed = append(f.out.Shed, schemas.ShedRecords{View: w.View, Tenant: w.Key.Tenant, Signal: signal, N: w.Records()})
}

// holdBack counts the log records, which are left out.
func (f *folding) holdBack() {
	for i := range f.out.Logs {
		f.out.Shed = append(f.out.Shed, schemas.ShedRecords{View: schemas.PassedView, Tenant: f.out.Logs[i].Tenant, Signal: schemas.Logs, N: 1})
	}
	f.out.Logs = nil
}

// seal makes equal rows of what was shed one, and notes the digest.
func (f *folding) seal() {
	merged := f.out.Shed
	f.out.Shed = nil
	for _, r := range merged {
		i := slices.IndexFunc(f.out.Shed, func(o schemas.ShedRecords) bool {
			return o.View == r.View && o.Tenant == r.Tenant && o.Signal == r.Signal
		})
		if i < 0 {
			f.out.Shed = append(f.out.Shed, r)
			continue
		}
		f.out.Shed[i].N += r.N
	}
	if f.out.Since == f.out.N {
		f.out.Since = 0
	}
	f.out.Digest = 0
	for i := range f.out.Windows {
		f.out.Digest += f.out.Windows[i].Digest + f.out.Windows[i].Count
	}
	for i := range f.out.Logs {
		f.out.Digest += f.out.Logs[i].Hash()
	}
}
