package window

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

// Limits of a Spec.
const (
	DefaultMaxOpen = 32   // open windows per key, when MaxOpen is 0
	MostSlices     = 1024 // slices per window: a hop that is nearly prime to the size would make slices of a nanosecond
)

// Spec says which windows a view keeps. Windows begin at the multiples of Hop since the Unix epoch. The zero Spec is
// not valid. Size and Hop must stay the same for the life of the [Panes] they are used with (a change of size is a new
// generation, see [Schedule]); the rest may change between an Advance and the next Accept.
type Spec struct {
	Size     int64 // length of a window in ns, > 0
	Hop      int64 // distance between the starts of windows in ns, at most Size; 0 means Size: tumbling windows
	Lateness int64 // how long past its end a window takes late records, in ns of watermark; >= 0
	MaxOpen  int   // open windows per key; one more closes the oldest at once. 0 means DefaultMaxOpen

	// Carry says that the value of a window depends also on what came before it, as the increase of a counter does.
	// Then Revision.Before is set, and a record that may change the end of one slice marks the windows that begin with
	// the next one as changed (see also Panes.Follow). Windows with Carry stay closed once they are final; see reopens.
	Carry bool
}

// Validate names everything that is wrong with s, or returns nil.
func (s Spec) Validate() error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	check(s.Size > 0 && s.Size <= longest, "window size %s: use 1ns to 36 years", time.Duration(s.Size))
	check(s.Hop >= 0 && s.Hop <= s.Size, "window hop %s: use at most the size %s, or 0 for tumbling windows",
		time.Duration(s.Hop), time.Duration(s.Size))
	check(s.Lateness >= 0 && s.Lateness <= longest, "allowed lateness %s: use 0 to 36 years", time.Duration(s.Lateness))
	check(s.MaxOpen >= 0, "open windows %d: use a positive number, or 0 for %d", s.MaxOpen, DefaultMaxOpen)
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	each := (s.Size + s.hop() - 1) / s.hop()
	check(each <= int64(s.maxOpen()), "each record is in %d windows, and %d may be open: use a longer hop than %s",
		each, s.maxOpen(), time.Duration(s.Hop))
	check(s.Size/s.slice() <= MostSlices, "size %s and hop %s share slices of %s only: use a size with a larger common divisor",
		time.Duration(s.Size), time.Duration(s.Hop), time.Duration(s.slice()))
	return errors.Join(problems...)
}

// Assign yields the bounds of every window that holds t, oldest first; none for a time outside the years 1824 to 2116.
func (s Spec) Assign(t int64) iter.Seq[Bounds] {
	return func(yield func(Bounds) bool) {
		if !inSpan(t) {
			return
		}
		hop := s.hop()
		for start := floor(t-s.Size, hop) + hop; start <= t; start += hop {
			if !yield(Bounds{start, start + s.Size}) {
				return
			}
		}
	}
}

// SliceOf is the slice that holds t. Slices are as wide as the greatest common divisor of Size and Hop, so each window
// is a whole number of them, and hopping windows share them: a record is added to one slice only.
func (s Spec) SliceOf(t int64) Bounds {
	width := s.slice()
	start := floor(t, width)
	return Bounds{start, start + width}
}

// place gives the newest window that holds t, and the slice.
func (s *Spec) place(t int64) (newest, slice Bounds) {
	hop := s.hop()
	start := floor(t, hop)
	newest = Bounds{start, start + s.Size}
	if hop == s.Size || s.Size%hop == 0 { // slices are as wide as the hop
		return newest, Bounds{start, start + hop}
	}
	return newest, s.SliceOf(t)
}

func (s *Spec) hop() int64 {
	if s.Hop == 0 {
		return s.Size
	}
	return s.Hop
}

func (s *Spec) maxOpen() int {
	if s.MaxOpen == 0 {
		return DefaultMaxOpen
	}
	return s.MaxOpen
}

// reopens reports whether a window that silence alone has closed may open anew, as another part that holds the new
// records only. The parts of a window must add up to it. Tumbling windows are one slice each, which goes with the window,
// so theirs do. Hopping windows share slices: a new part would show again what the slice held before. And the increase
// of a counter from the last sample of one part to the first of the next would be in neither.
func (s *Spec) reopens() bool { return s.hop() == s.Size && !s.Carry }

// slice is the width of the slices.
func (s *Spec) slice() int64 {
	hop := s.hop()
	if hop == s.Size || s.Size%hop == 0 {
		return hop
	}
	return divisor(s.Size, hop)
}

// divisor is the greatest common divisor of two positive numbers.
func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
