package sketch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// spread returns n values in about as many buckets as asked for, evenly, in random order.
func spread(n, distinct int) []float64 {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Exp2(float64(rng.IntN(distinct))/64 + 1.0/128)
	}
	return out
}

// walk returns n readings of a sensor that drifts: steps of a tenth around 21.5.
func walk(n int) []float64 {
	rng := rand.New(rand.NewPCG(3, 4))
	out, v := make([]float64, n), 21.5
	for i := range out {
		v = min(max(v+0.1*float64(rng.IntN(3)-1), -10), 45)
		out[i] = v
	}
	return out
}

func sketchOf(values []float64) *Sketch {
	s := new(Sketch)
	for _, v := range values {
		s.Add(v)
	}
	return s
}

func BenchmarkAdd(b *testing.B) {
	const n = 1 << 14
	inputs := map[string][]float64{"walk": walk(n)}
	for _, distinct := range []int{10, 100, 1000} {
		inputs[fmt.Sprintf("distinct=%d", distinct)] = spread(n, distinct)
	}
	for name, values := range inputs {
		b.Run(name, func(b *testing.B) {
			s := sketchOf(values)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Add(values[i%n])
			}
		})
	}
}

// BenchmarkWindow fills, encodes and resets the sketch of one window, as an aggregator does: 100 values.
func BenchmarkWindow(b *testing.B) {
	values, buffer := walk(100), make([]byte, 0, 1024)
	var s Sketch
	b.ReportAllocs()
	for b.Loop() {
		for _, v := range values {
			s.Add(v)
		}
		buffer, _ = s.AppendBinary(buffer[:0])
		s.Reset()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/value")
}

// windows are sketches to merge and code, by what is in them.
func windows() map[string]*Sketch {
	return map[string]*Sketch{
		"exact=8":   sketchOf(walk(8)),
		"walk":      sketchOf(walk(1000)),
		"bins=100":  sketchOf(spread(1000, 100)),
		"bins=1000": sketchOf(spread(20_000, 1000)),
	}
}

func BenchmarkMerge(b *testing.B) {
	for name, o := range windows() {
		b.Run(name, func(b *testing.B) {
			s := sketchOf(spread(1000, 150))
			b.ReportAllocs()
			for b.Loop() {
				s.Merge(o)
			}
		})
	}
}

func BenchmarkAppendBinary(b *testing.B) {
	for name, s := range windows() {
		b.Run(name, func(b *testing.B) {
			buffer := make([]byte, 0, 8192)
			b.ReportAllocs()
			for b.Loop() {
				buffer, _ = s.AppendBinary(buffer[:0])
			}
			b.SetBytes(int64(len(buffer)))
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, s := range windows() {
		b.Run(name, func(b *testing.B) {
			data, _ := s.AppendBinary(nil)
			var back Sketch
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := back.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkQuantile(b *testing.B) {
	for name, s := range windows() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.Quantile(0.99)
			}
		})
	}
}
