package detect

import (
	"testing"
	"unsafe"
)

// TestNoAllocation: Update allocates nothing, whatever the kind.
func TestNoAllocation(t *testing.T) {
	for _, k := range Kinds() {
		d := made(t, k.Name)
		i := 0
		step := func() {
			i++
			d.Update(Sample{Time: int64(i) * second, Value: goldenValue(i), Completeness: 1})
		}
		for range 1000 {
			step()
		}
		if n := testing.AllocsPerRun(2000, step); n != 0 {
			t.Errorf("%s: %v allocations for each update", k.Name, n)
		}
	}
}

// header is what the allocator adds to an object of this size that has pointers.
const header = 8

// TestSize: the state of the default detector, as it is stored and in memory.
func TestSize(t *testing.T) {
	d := made(t, Default)
	if n := len(d.AppendState(nil)); n > 1024 {
		t.Errorf("a state has %d bytes, at most 1024 are wanted", n)
	}
	if n := unsafe.Sizeof(ensemble{}) + header; n > 1024 {
		t.Errorf("an ensemble with its guard takes %d bytes, at most 1024 are wanted", n)
	}
	if d.(*guard) != &d.(*guard).judge.(*ensemble).front {
		t.Error("the guard of an ensemble is a piece of memory of its own")
	}
}

// BenchmarkUpdate plays 1000 series in turn, as a process does.
func BenchmarkUpdate(b *testing.B) {
	for _, k := range Kinds() {
		b.Run(k.Name, func(b *testing.B) {
			all := make([]Detector, 1000)
			for i := range all {
				all[i] = made(b, k.Name)
			}
			values := make([]float64, 4096)
			noise := dice{}
			for i := range values {
				values[i] = 20 + noise.next() + noise.next()
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				all[n%1000].Update(Sample{Time: int64(n/1000+1) * second, Value: values[n%4096], Completeness: 1})
				n++
			}
		})
	}
}
