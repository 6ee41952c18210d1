package detector

import (
	"runtime"
	"testing"

	"weir/schemas"
	"weir/services/internal/fold"
)

// BenchmarkSecond is the cost of one second of 500 series at 10 Hz: 100 devices with
// five metrics each.
func BenchmarkSecond(b *testing.B) {
	var before, after runtime.MemStats
	rules := *DefaultSettings().Rules("", "")
	r := newRigOf(b, ruled(&rules))
	names := devices(100)
	metrics := []string{"temp", "load", "flow", "volt", "turns"}
	var say []fold.Message
	for s := range 300 {
		var early []schemas.Early
		var windows []schemas.Window
		for _, d := range names {
			for _, m := range metrics {
				early = append(early, r.value(d, m, 50, 1))
				if s%10 == 9 {
					w := r.window(r.now, 100, 50+r.noise.NormFloat64(), 1)
					w.Key.Values = []string{d, m}
					windows = append(windows, w)
				}
			}
		}
		r.n++
		r.now += second
		c := schemas.Commit{Producer: "a001", N: r.n, RunFirst: r.n, End: true, Time: r.now, Wall: r.now, Early: early, Windows: windows}
		say = append(say, fold.Message{Seq: r.n, Data: r.enc.Append(nil, &c)})
	}
	runtime.GC()
	runtime.ReadMemStats(&before)
	r.fold = NewFold("a001", nil)
	for _, m := range say {
		r.apply(m)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perSeries := float64(after.HeapAlloc-before.HeapAlloc) / 500
	b.ResetTimer()
	for i := range b.N {
		if i%len(say) == 0 {
			b.StopTimer()
			r.fold = NewFold("a001", nil)
			b.StartTimer()
		}
		if _, err := r.fold.Apply(say[i%len(say)]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(perSeries, "B/series")
	b.ReportMetric(100*b.Elapsed().Seconds()/float64(b.N), "%core")
}
