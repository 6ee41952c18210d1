package truth

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSetIsASet compares with a map, and checks the form that Set promises.
func TestSetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		model := map[int64]bool{}
		number := rapid.Int64Range(0, 40)
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			from := number.Draw(t, "from")
			if rapid.Bool().Draw(t, "one") {
				if fresh := s.Add(from); fresh == model[from] {
					t.Fatalf("Add(%d) = %v, it was there: %v", from, fresh, model[from])
				}
				model[from] = true
				continue
			}
			to := number.Draw(t, "to")
			s.AddRange(from, to)
			for n := from; n < to; n++ {
				model[n] = true
			}
		}
		for n := range int64(41) {
			if s.Has(n) != model[n] {
				t.Fatalf("%v.Has(%d) = %v", s, n, !model[n])
			}
		}
		if s.Len() != int64(len(model)) || !s.ordered() {
			t.Fatalf("%v: %d numbers, want %d, in order", s, s.Len(), len(model))
		}
		from, to := number.Draw(t, "without from"), number.Draw(t, "without to")
		rest := s.Without(from, to)
		for n := range int64(41) {
			if want := n >= from && n < to && !model[n]; rest.Has(n) != want {
				t.Fatalf("%v.Without(%d, %d) = %v", s, from, to, rest)
			}
		}
	})
}

func BenchmarkAddNext(b *testing.B) {
	var s Set
	n := int64(0)
	for b.Loop() {
		s.Add(n)
		n++
	}
}
