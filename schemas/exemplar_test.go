package schemas

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// spans draws records of few traces, times and values, so that there are ties of every kind.
func spans() *rapid.Generator[Exemplar] {
	return rapid.Custom(func(t *rapid.T) Exemplar {
		return Exemplar{
			Time: rapid.Int64Range(0, 2).Draw(t, "time"), Value: float64(rapid.IntRange(-2, 4).Draw(t, "value")),
			TraceID: TraceID{[16]byte{15: rapid.Byte().Draw(t, "trace") % 12}, [8]byte{7: rapid.Byte().Draw(t, "span") % 3}},
		}
	})
}

// chosen says what Exemplars are, by their definition.
func chosen(records []Exemplar) (out Exemplars) {
	greatest := map[[16]byte]Exemplar{}
	for _, e := range records {
		if was, known := greatest[e.Trace]; !known || above(e, was) {
			greatest[e.Trace] = e
		}
	}
	for _, e := range greatest {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Exemplar) int { return cmp.Compare(a.traceHash(), b.traceHash()) })
	if len(out) <= sampledTraces {
		return out
	}
	others := out[sampledTraces:]
	last := others[0]
	for _, e := range others {
		if above(e, last) {
			last = e
		}
	}
	return append(out[:sampledTraces], last)
}

// above is the order in which a window prefers records.
func above(a, b Exemplar) bool {
	switch {
	case a.Value != b.Value:
		return a.Value > b.Value
	case a.Time != b.Time:
		return a.Time < b.Time
	case a.Span != b.Span:
		return slices.Compare(a.Span[:], b.Span[:]) < 0
	}
	return slices.Compare(a.Trace[:], b.Trace[:]) < 0
}

// TestExemplarsOfAnyMerge: records in parts, in any order, some in several parts and parts
// merged more than once, are what the definition says of all.
func TestExemplarsOfAnyMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(spans(), 0, 30).Draw(t, "records")
		want := chosen(records)
		parts := make([]Exemplars, rapid.IntRange(1, 5).Draw(t, "parts"))
		for _, e := range rapid.Permutation(records).Draw(t, "order") {
			for range rapid.IntRange(1, 2).Draw(t, "times") {
				i := rapid.IntRange(0, len(parts)-1).Draw(t, "part")
				parts[i] = parts[i].Add(e)
			}
		}
		var got Exemplars
		for _, i := range append(rapid.SliceOf(rapid.IntRange(0, len(parts)-1)).Draw(t, "merges"), rapid.Permutation(indices(len(parts))).Draw(t, "all")...) {
			if !parts[i].sound() {
				t.Fatalf("part %d is not sound: %v", i, parts[i])
			}
			got = got.Merge(parts[i])
		}
		if !equal(got, want) {
			t.Fatalf("got  %s\nwant %s", repr(got), repr(want))
		}
	})
}

func indices(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// TestTraceHash: what traces are chosen is part of the format.
func TestTraceHash(t *testing.T) {
	id := TraceID{Trace: [16]byte{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36}}
	if got, want := id.traceHash(), uint64(0x8f4d5d0cad247a4c); got != want {
		t.Errorf("hash %#x, want %#x", got, want)
	}
}

func TestAddingExemplarsAllocatesNothing(t *testing.T) {
	x := make(Exemplars, 0, MaxExemplars)
	var e Exemplar
	n := testing.AllocsPerRun(1000, func() {
		e.Trace[3]++
		e.Value++
		x = x.Add(e)
	})
	if n != 0 {
		t.Errorf("%v allocations a record", n)
	}
}

func BenchmarkExemplars(b *testing.B) {
	x := make(Exemplars, 0, MaxExemplars)
	var e Exemplar
	for i := range b.N {
		e.Trace[0], e.Trace[1], e.Trace[2], e.Value = byte(i), byte(i>>8), byte(i>>16), float64(i*7919%1000)
		x = x.Add(e)
	}
}
