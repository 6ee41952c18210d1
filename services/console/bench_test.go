package console

import (
	"fmt"
	"testing"

	"weir/schemas"
)

// BenchmarkWindows is one question over 100,000 windows in 100 commits, per window.
func BenchmarkWindows(b *testing.B) {
	const commits, each = 100, 1000
	set := make([][]byte, commits)
	var enc schemas.CommitEncoder
	for n := range set {
		c := entry("r0/0", uint64(n+1))
		for i := range each {
			c.Local = append(c.Local, window("device", deviceDims, []string{"a", fmt.Sprint("d", i), "temp"}, int64(n)*10*second, 1, schemas.OnTime, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10))
		}
		set[n] = enc.Append(nil, &c)
	}
	q := Query{Tier: schemas.TierRegion, To: 1 << 62}
	b.ReportAllocs()
	for b.Loop() {
		w, dec := newWindows(q.wants, followerRoom), schemas.CommitDecoder{}
		for _, data := range set {
			c, err := dec.Decode(data, schemas.WithLocal)
			if err != nil {
				b.Fatal(err)
			}
			if err := w.apply(c); err != nil {
				b.Fatal(err)
			}
		}
		for _, id := range w.all() {
			if row := new(Config).rowOf(w.merged(id), true); row.Count != 10 {
				b.Fatal(row)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(commits*each), "ns/window")
}
