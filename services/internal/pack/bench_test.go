package pack

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"

	"weir/pkg/sketch"
	"weir/schemas"
)

// realistic is what an agent's forwarder sends when windows of 100 devices with three metrics close: the entry without
// its local part.
func realistic() []byte {
	const now, window = 1_763_760_010_000_000_000, 10_000_000_000
	rng := rand.New(rand.NewPCG(7, 7))
	c := &schemas.Commit{
		Producer: "a001", Epoch: schemas.Epoch{1, 2, 3}, N: 4711, RunFirst: 4711, End: true,
		InFirst: 81_000, InLast: 81_009, InHash: rng.Uint64(), Time: now, Wall: now + 3e6, ConfigRev: 7, Digest: rng.Uint64(),
		Views: []schemas.Progress{{View: "device", Size: window, Uplink: schemas.TierRegion, OnTimeThrough: now, FinalThrough: now - 6*window, Emitted: 3e6, Open: 290}},
	}
	metrics := []struct {
		name       string
		mean, step float64
	}{{"temperature", 21.5, 0.1}, {"pressure", 1013.25, 0.01}, {"vibration_rms", 0.8, 0.001}}
	for d := range 100 {
		for _, m := range metrics {
			c.Windows = append(c.Windows, seen(c, rng, fmt.Sprintf("pump-%03d", d+1), m.name, m.mean, m.step))
		}
	}
	var enc schemas.CommitEncoder
	return enc.Append(nil, c)
}

// seen is the window of a device that has sent ten readings of a metric.
func seen(c *schemas.Commit, rng *rand.Rand, device, metric string, mean, step float64) schemas.Window {
	const window = 10_000_000_000
	var s sketch.Sketch
	w := schemas.Window{
		View: "device", Dims: []string{"device", "metric"}, Key: schemas.Key{Tenant: "acme", Values: []string{device, metric}},
		Start: c.Time - window, End: c.Time, FirstN: c.N, Revision: 1, Timing: schemas.OnTime,
		Count: 10, Digest: rng.Uint64(), Expected: 1, Seen: 1, ClockError: 1_000_000, ConfigRev: c.ConfigRev,
	}
	for i := range int64(w.Count) {
		v := math.Round((mean+rng.NormFloat64()*step*10)/step) * step
		s.Add(v)
		w.Last = schemas.Point{Time: w.Start + i*1_000_000_000 + rng.Int64N(5_000_000), Value: v, ID: rng.Uint64()}
		if i == 0 {
			w.First = w.Last
		}
	}
	w.Sum, w.Min, w.Max = s.Sum(), s.Min(), s.Max()
	w.Sketch, _ = s.AppendBinary(nil)
	return w
}

// BenchmarkPack reports what packing costs and saves on a realistic entry.
func BenchmarkPack(b *testing.B) {
	src := realistic()
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	var p Packer
	var out []byte
	for b.Loop() {
		out = p.Pack(out[:0], src)
	}
	b.ReportMetric(float64(len(src)), "bytes")
	b.ReportMetric(100*float64(len(out))/float64(len(src)), "%left")
}

// BenchmarkLevels compares the levels that Pack could use.
func BenchmarkLevels(b *testing.B) {
	src := realistic()
	for level := zstd.SpeedFastest; level <= zstd.SpeedBetterCompression; level++ {
		b.Run(level.String(), func(b *testing.B) {
			e := must(zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true)))
			b.SetBytes(int64(len(src)))
			var out []byte
			for b.Loop() {
				out = e.EncodeAll(src, out[:0])
			}
			b.ReportMetric(100*float64(len(out))/float64(len(src)), "%left")
		})
	}
}

func BenchmarkUnpack(b *testing.B) {
	src := realistic()
	packed := new(Packer).Pack(nil, src)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	var u Unpacker
	for b.Loop() {
		if _, err := u.Unpack(nil, packed, len(src)); err != nil {
			b.Fatal(err)
		}
	}
}
