package parts

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"

	"weir/pkg/sketch"
	"weir/schemas"
)

// Compare is the order in which parts are added: by contributor, epoch and
// first entry.
func Compare(a, b *schemas.Window) int {
	return cmp.Or(strings.Compare(a.Contributor, b.Contributor), bytes.Compare(a.Epoch[:], b.Epoch[:]), cmp.Compare(a.FirstN, b.FirstN))
}

// Sum is a window as the sum of its parts. The zero Sum is the sum of none.
//
// What does not add up, such as names, is that of the first part;
// Timing is the least final of all parts'. Sketch is nil from the second part
// on: see Values and Whole.
type Sum struct {
	schemas.Window
	Revisions uint64 // sum over parts: it grows with every revision of any of them

	parts  int
	values sketch.Sketch // of all parts, where known
	known  bool
	next   *sketch.Sketch // scratch
}

// Add adds a part. It keeps w's sketch, not w.
func (s *Sum) Add(w *schemas.Window) {
	s.Revisions += uint64(w.Revision)
	if s.parts++; s.parts == 1 {
		s.Window = *w
		s.Missing, s.Exemplars = slices.Clone(w.Missing), slices.Clone(w.Exemplars)
		return
	}
	s.addSketch(w.Sketch)
	s.Count += w.Count
	s.Extra += w.Extra
	s.LateCount += w.LateCount
	s.Digest += w.Digest
	s.Sum = plus(s.Sum, w.Sum)
	s.Min, s.Max = min(s.Min, w.Min), max(s.Max, w.Max)
	s.addEnds(w)
	s.certify(w)
	s.Timing = min(s.Timing, w.Timing)
	s.ConfigRev = max(s.ConfigRev, w.ConfigRev)
	s.Widened = max(s.Widened, w.Widened)
	s.Exemplars = s.Exemplars.Merge(w.Exemplars)
}

func (s *Sum) addEnds(w *schemas.Window) {
	if schemas.Before(w.First.Time, w.First.ID, s.First.Time, s.First.ID) {
		s.First = w.First
	}
	if schemas.Before(s.Last.Time, s.Last.ID, w.Last.Time, w.Last.ID) {
		s.Last = w.Last
	}
}

// certify adds up who should be in the window and who is, and takes the worst
// clock. 0 is unknown.
func (s *Sum) certify(w *schemas.Window) {
	s.Seen += w.Seen
	if s.Expected == 0 || w.Expected == 0 {
		s.Expected = 0
	} else {
		s.Expected += w.Expected
	}
	if s.ClockError == 0 || w.ClockError == 0 {
		s.ClockError = 0
	} else {
		s.ClockError = max(s.ClockError, w.ClockError)
	}
	room := max(0, schemas.MaxMissing-len(s.Missing))
	s.Missing = append(s.Missing, w.Missing[:min(room, len(w.Missing))]...)
}

// addSketch merges a further part's sketch.
func (s *Sum) addSketch(b []byte) {
	values := s.Values()
	s.Sketch = nil // no longer that of all parts
	if values == nil {
		return
	}
	if s.next == nil {
		s.next = new(sketch.Sketch)
	}
	s.known = len(b) > 0 && s.next.UnmarshalBinary(b) == nil && values.Merge(s.next)
}

// Values are the values of all parts, valid until the next Add. They are nil
// where those of a part are not known: it has no sketch, as late totals have
// none, or one that cannot be read or holds too many. Counts and sums are exact
// without it.
func (s *Sum) Values() *sketch.Sketch {
	if !s.known && len(s.Sketch) > 0 {
		s.known = s.values.UnmarshalBinary(s.Sketch) == nil
	}
	if !s.known {
		return nil
	}
	return &s.values
}

// Whole is the sum as one window. Its sketch is that of its only part, or is
// appended to sketches, which it returns.
func (s *Sum) Whole(sketches []byte) (schemas.Window, []byte) {
	w := s.Window
	if s.parts > 1 && s.known {
		from := len(sketches)
		sketches, _ = s.values.AppendBinary(sketches) // fails only for sketches that cannot be decoded
		w.Sketch = sketches[from:len(sketches):len(sketches)]
	}
	return w, sketches
}

// plus adds and stays finite: a sum beyond the greatest float64 is that, as in
// package sketch. An infinite sum could not be committed.
func plus(a, b float64) float64 {
	sum := a + b
	if math.IsInf(sum, 0) {
		return math.Copysign(math.MaxFloat64, sum)
	}
	return sum
}
