package schemas

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// fleetFrame is what an agent journals: readings of devices in turn. Values are
// made by value from the metric and a random number in [0, 1).
func fleetFrame(readings, devices, metrics int, value func(metric int, u float64) float64) *Frame {
	b := &FrameBuilder{}
	addFleet(b, fleetReadings(readings, devices, metrics, value), devices)
	f := b.Frame()
	f.Agent, f.N, f.HasTick, f.Tick = "agent-07", 123456, true, Tick{Time: t0, Wall: t0, Error: 1e6, Quality: 2}
	return f
}

func fleetReadings(readings, devices, metrics int, value func(metric int, u float64) float64) []Reading {
	rnd := rand.New(rand.NewPCG(1, 2))
	all := make([]Reading, readings)
	for i := range all {
		at := t0 + int64(i)*2e6 + rnd.Int64N(50)*1e6
		all[i] = Reading{Boot: "a1", Seq: uint64(100_000 + i/devices), Numbered: true, EventTime: at, IngestTime: t0 + int64(i)*2e6 + 60e6}
		for m := range metrics {
			all[i].Values = append(all[i].Values, Value{Metric: fmt.Sprintf("metric_%d", m), Value: value(m, rnd.Float64())})
		}
	}
	return all
}

func addFleet(b *FrameBuilder, all []Reading, devices int) {
	for i := range all {
		b.Add("acme", deviceNames[i%devices], &all[i])
	}
	b.AddFlow("acme", Metrics, "", "", uint64(len(all)*len(all[0].Values)))
}

var deviceNames = func() (names [1000]string) {
	for i := range names {
		names[i] = fmt.Sprintf("s1a2b-%05d", i)
	}
	return names
}()

// What sensors send: tenths of a degree, hundredths of a millibar, per cent, counters …
func decimals(m int, u float64) float64 {
	switch m % 4 {
	case 0:
		return float64(int(200+u*100)) / 10
	case 1:
		return float64(int(98000+u*5000)) / 100
	case 2:
		return float64(int(u * 100))
	}
	return float64(int(u*1e6)) / 1e3
}

func dyadic(_ int, u float64) float64   { return 20 + float64(int(u*10*1024))/1024 }
func floats(_ int, u float64) float64   { return float64(float32(20 + u*10)) }
func anything(_ int, u float64) float64 { return 20 + u*10 }

var frameShapes = []struct {
	name     string
	readings int
	metrics  int
	value    func(int, float64) float64
}{
	{"readings=500/metrics=1/decimal", 500, 1, decimals},
	{"readings=500/metrics=10/decimal", 500, 10, decimals},
	{"readings=500/metrics=1/dyadic", 500, 1, dyadic},
	{"readings=500/metrics=1/float32", 500, 1, floats},
	{"readings=500/metrics=1/float64", 500, 1, anything},
	{"readings=100/metrics=1/decimal", 100, 1, decimals},
}

func reportRecords(b *testing.B, records, bytes int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
	b.ReportMetric(float64(bytes)/float64(records), "B/record")
}

func BenchmarkFrameBuild(b *testing.B) {
	for _, s := range frameShapes[:2] {
		b.Run(s.name, func(b *testing.B) {
			all := fleetReadings(s.readings, 100, s.metrics, s.value)
			var fb FrameBuilder
			b.ReportAllocs()
			for b.Loop() {
				fb.Reset()
				addFleet(&fb, all, 100)
			}
			reportRecords(b, s.readings*s.metrics, fb.Size())
		})
	}
}

func BenchmarkFrameEncode(b *testing.B) {
	for _, s := range frameShapes {
		b.Run(s.name, func(b *testing.B) {
			f := fleetFrame(s.readings, 100, s.metrics, s.value)
			var e FrameEncoder
			buf := e.Append(nil, f)
			b.ReportAllocs()
			for b.Loop() {
				buf = e.Append(buf[:0], f)
			}
			reportRecords(b, f.Records(), len(buf))
		})
	}
}

func BenchmarkFrameDecode(b *testing.B) {
	for _, s := range frameShapes {
		b.Run(s.name, func(b *testing.B) {
			f := fleetFrame(s.readings, 100, s.metrics, s.value)
			buf := new(FrameEncoder).Append(nil, f)
			var d FrameDecoder
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Decode(buf, f); err != nil {
					b.Fatal(err)
				}
			}
			reportRecords(b, f.Records(), len(buf))
		})
	}
}

// fleetCommit is what an agent of n devices commits when their windows close.
func fleetCommit(n int) *Commit {
	c := sampleCommit()
	c.N, c.RunFirst, c.Since, c.Windows, c.Local, c.Early = 7, 7, 0, nil, nil, nil
	for i := range n {
		w := sampleCommit().Windows[0]
		w.Key = Key{"acme", []string{deviceNames[i%len(deviceNames)], "metric_0"}}
		w.Sketch, w.Exemplars, w.Digest = make([]byte, 60), nil, uint64(i)*0x9e3779b97f4a7c15
		c.Windows = append(c.Windows, w)
		c.Early = append(c.Early, Early{"acme", w.Key.Values[0], "metric_0", 10, 21.6, 21.5, 21.7, 21.6})
	}
	return c
}

func BenchmarkCommitEncode(b *testing.B) {
	c := fleetCommit(1000)
	var e CommitEncoder
	buf := e.Append(nil, c)
	b.ReportAllocs()
	for b.Loop() {
		buf = e.Append(buf[:0], c)
	}
	reportWindows(b, c, len(buf))
}

func BenchmarkCommitDecode(b *testing.B) {
	c := fleetCommit(1000)
	buf := new(CommitEncoder).Append(nil, c)
	var d CommitDecoder
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(buf, WithWindows); err != nil {
			b.Fatal(err)
		}
	}
	reportWindows(b, c, len(buf))
}

func reportWindows(b *testing.B, c *Commit, bytes int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(c.Windows)), "ns/window")
	b.ReportMetric(float64(bytes)/float64(len(c.Windows)), "B/window")
}
