package aggregator

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"weir/schemas"
	"weir/services/internal/fold"
)

// BenchmarkFold reports ns and allocations per record, from a frame's bytes to
// the results of its tick, for one agent with 100 devices.
func BenchmarkFold(b *testing.B) {
	for _, metrics := range []int{1, 10} {
		b.Run(fmt.Sprintf("metrics=%d", metrics), func(b *testing.B) { benchmarkFold(b, metrics) })
	}
}

func benchmarkFold(b *testing.B, metrics int) {
	const devices, perSecond = 100, 5
	frames, records := steadyJournal(devices, perSecond, metrics, 120)
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for n < b.N {
		b.StopTimer()
		f := NewFold("a001", nil)
		warm := len(frames) / 2
		for i, fr := range frames {
			if i == warm {
				b.StartTimer()
			}
			if _, err := f.Apply(fold.Message{Seq: uint64(i + 1), Data: fr}); err != nil {
				b.Fatal(err)
			}
			if i >= warm {
				n += records / len(frames)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/record")
}

// steadyJournal is seconds of frames of 100 ms with a tick in every third.
func steadyJournal(devices, perSecond, metrics, seconds int) (frames [][]byte, records int) {
	s := &script{}
	rnd := rand.New(rand.NewPCG(1, 1))
	start := int64(1_760_000_000_000 * ms)
	for t := int64(0); t < int64(seconds)*1000; t += 100 {
		now := start + t*ms
		for d := range devices {
			period := int64(1000 / perSecond)
			if (t+int64(d)*7)%period >= 100 {
				continue
			}
			var values []schemas.Value
			for m := range metrics {
				values = append(values, schemas.Value{Metric: fmt.Sprintf("m%d", m), Value: 20 + float64(rnd.IntN(4096))/1024})
			}
			s.reading(fmt.Sprintf("s1-%05d", d), uint64(t/period), now-int64(rnd.IntN(100))*ms, now, values...)
			records += metrics
		}
		s.cutAt(now, t%300 == 0)
	}
	return s.frames, records
}
