package window

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// total adds up what it is given.
type total struct{ n, sum int64 }

func (a *total) Reset()            { *a = total{} }
func (a *total) Merge(from *total) { a.n, a.sum = a.n+from.n, a.sum+from.sum }

// TestFlush: whenever windows are flushed, what has come out of them before and after adds up to what was accepted.
func TestFlush(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Spec{Size: 10, Lateness: rapid.Int64Range(0, 30).Draw(t, "lateness")}
		if rapid.Bool().Draw(t, "hopping") {
			s.Hop = 5
		}
		pool := NewPool[total](4)
		var p Panes[total]
		parts, accepted := map[Bounds][]total{}, map[Bounds]total{}
		var newest int64
		keep := func(r Revision[total]) {
			of := parts[r.Bounds]
			if r.State.Revision == 1 {
				of = append(of, total{})
			}
			of[len(of)-1] = *r.Acc
			parts[r.Bounds] = of
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch at := rapid.Int64Range(0, 100).Draw(t, "at"); rapid.SampledFrom([]string{"add", "add", "add", "advance", "flush"}).Draw(t, "step") {
			case "add":
				if acc, ok := p.Accept(&s, at, newest, pool); ok {
					acc.Merge(&total{1, at})
					for _, b := range openAt(&s, &p, at) {
						a := accepted[b]
						a.Merge(&total{1, at})
						accepted[b] = a
					}
				}
			case "advance":
				newest = max(newest, at)
				p.Advance(&s, newest, newest, newest-s.Lateness, pool, keep)
			case "flush":
				p.Flush(&s, pool, func(r Revision[total], changed bool) {
					if changed {
						keep(r)
					}
				})
				if p.Open() != 0 || len(slices.Collect(sliced(&p, &s))) != 0 {
					t.Fatal("something is left")
				}
			}
		}
		p.Advance(&s, 1000, 1000, 1000, pool, keep)
		for b, want := range accepted {
			var got total
			for _, part := range parts[b] {
				got.Merge(&part)
			}
			if got != want {
				t.Fatalf("%v holds %+v in %d parts, want %+v", b, got, len(parts[b]), want)
			}
		}
	})
}

// openAt are the open windows that hold a time.
func openAt(s *Spec, p *Panes[total], at int64) (out []Bounds) {
	for b := range p.Each(s) {
		if b.Contains(at) {
			out = append(out, b)
		}
	}
	return out
}

func sliced(p *Panes[total], s *Spec) func(func(Bounds) bool) {
	return func(yield func(Bounds) bool) {
		for b := range p.Slices(s) {
			if !yield(b) {
				return
			}
		}
	}
}

// TestFlushCarries: the step from the last reading before to the first one after is in the next part.
func TestFlushCarries(t *testing.T) {
	s := Spec{Size: 10, Carry: true}
	pool := NewPool[total](4)
	var p Panes[total]
	add := func(at int64) {
		acc, ok := p.Accept(&s, at, 0, pool)
		if !ok {
			t.Fatal(at)
		}
		acc.Merge(&total{1, at})
	}
	add(1)
	p.Flush(&s, pool, func(r Revision[total], _ bool) {
		if r.Before != nil || r.Acc.n != 1 {
			t.Errorf("%+v before %+v", r.Before, r.Acc)
		}
	})
	add(2)
	p.Advance(&s, 10, 10, 0, pool, func(r Revision[total]) {
		if r.Before == nil || r.Before.sum != 1 || r.Acc.sum != 2 {
			t.Errorf("%+v before %+v", r.Before, r.Acc)
		}
	})
}
