package interop

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/lab/harness"
	"weir/pkg/sketch"
)

// thermometer are values with everything that is hard: signs, zeros, exact powers
// of two, neighbors of a bucket's bound, and wide gaps.
func thermometer(seed int) []float64 {
	values := []float64{0, 0, 1e-9, -1e-9, 1, 2, 4, 8, 1024, -1, -2, -0.5, 0.25, 1e-3, -1e-3, 3e5, -3e5}
	for i := range 60 {
		v := float64((i*7919+seed*104729)%20011)/100 - 60
		values = append(values, v, math.Nextafter(float64(i+1), 0))
	}
	return values
}

// sketched is what Prometheus should have of values: the buckets of their sketch.
func sketched(values []float64) *histogram {
	var s sketch.Sketch
	for _, v := range values {
		s.Add(v)
	}
	n := s.Native()
	h := &histogram{count: float64(n.Count), sum: n.Sum, buckets: map[float64]float64{}}
	bound := func(i int64) float64 { return math.Exp2(math.Ldexp(float64(i), -int(n.Schema))) }
	for i, c := range n.Positive.All() {
		h.buckets[bound(i)] += float64(c)
	}
	for i, c := range n.Negative.All() {
		h.buckets[-bound(i)] += float64(c)
	}
	if n.ZeroCount > 0 {
		h.buckets[0] = float64(n.ZeroCount)
	}
	return h
}

// differs says in which bucket two histograms differ; bounds are equal to a part in 10^12.
func differs(got, want *histogram) string {
	var problems []string
	if got.count != want.count {
		problems = append(problems, fmt.Sprintf("%v values, want %v", got.count, want.count))
	}
	rest := map[float64]float64{}
	for bound, n := range got.buckets {
		rest[bound] = n
	}
	for bound, n := range want.buckets {
		found := false
		for have, m := range rest {
			if have == bound || math.Abs(have-bound) <= 1e-12*math.Abs(bound) {
				if found = m == n; !found {
					problems = append(problems, fmt.Sprintf("bucket at %v holds %v, want %v", bound, m, n))
				}
				found = true
				delete(rest, have)
				break
			}
		}
		if !found {
			problems = append(problems, fmt.Sprintf("no bucket at %v, want %v values", bound, n))
		}
	}
	for bound, n := range rest {
		problems = append(problems, fmt.Sprintf("bucket at %v with %v values, want none", bound, n))
	}
	slices.Sort(problems)
	return strings.Join(problems[:min(len(problems), 5)], "; ")
}

// way is one by which windows get into Prometheus, and what they are called there.
type way struct {
	name     string
	exporter map[string]any // nil: it scrapes
	series   string
}

// TestBucketForBucket: the distribution of a window is in Prometheus what it was in the device, whatever the way,
// negative values included, and quantiles are within the stated error.
func TestBucketForBucket(t *testing.T) {
	for _, modern := range []bool{false, true} {
		t.Run(map[bool]string{false: "2.x", true: "3.x"}[modern], func(t *testing.T) {
			t.Parallel()
			prom := needPrometheus(t, modern)
			ways := []way{
				{"remote write 1.0", map[string]any{"name": "rw", "kind": "remote_write", "endpoint": "http://" + prom.address + "/api/v1/write"}, `weir_view_values{metric="temp",instance="center/0"}`},
				{"scrape", nil, `weir_view_values{metric="temp",job="scraped"}`},
			}
			if modern {
				ways = append(
					ways,
					way{"OTLP", map[string]any{"name": "otlp", "kind": "otlp", "endpoint": "http://" + prom.address + "/api/v1/otlp/v1/metrics", "signed_sum": true}, `temp{weir_view="fleet"}`},
					way{"remote write 2.0", map[string]any{"name": "rw2", "kind": "remote_write", "protocol": "2.0", "at": "region", "endpoint": "http://" + prom.address + "/api/v1/write"}, `weir_view_values{metric="temp",view="device"}`},
				)
			}
			bucketForBucket(t, prom, ways)
		})
	}
}

func bucketForBucket(t *testing.T, prom *prometheus, ways []way) {
	var exporters []map[string]any
	for _, w := range ways {
		if w.exporter != nil {
			exporters = append(exporters, w.exporter)
		}
	}
	p := harness.Start(t, weir, "--policy", policy(t, exporters...))
	prom.scrapes = p.HTTP
	prom.start()
	d := p.Connect("clock")
	defer func() { _ = d.Close() }() // all it had to say was acknowledged
	say(t, d, "clock", fmt.Sprintf(`{"clock":1,"ts":%d}`, time.Now().UnixMilli()))
	first := time.Now().Truncate(time.Second)
	a, b := thermometer(1), thermometer(2)
	send(t, p, "t1", first, a)
	harness.Pause(time.Until(first.Add(1100 * time.Millisecond)))
	send(t, p, "t1", first.Add(time.Second), b)
	settle(t, p, d, "clock")
	whole := sketched(append(slices.Clone(a), b...))
	for _, w := range ways {
		harness.Until(t, 30*time.Second, func() string {
			got, problem := prom.histogram(w.series, time.Time{})
			if problem != "" {
				return w.name + ": " + problem
			}
			if problem = differs(got, whole); problem != "" {
				return w.name + ": " + problem
			}
			return ""
		})
		if w.exporter == nil {
			continue // a scrape sees sums when it looks, not when windows end
		}
		after, problem := prom.histogram(w.series, first.Add(time.Second))
		if problem == "" {
			problem = differs(after, sketched(a))
		}
		if problem != "" {
			t.Errorf("%s, at the end of the first window: %s", w.name, problem)
			continue
		}
		both, _ := prom.histogram(w.series, first.Add(2*time.Second))
		if problem := differs(both.minus(after), sketched(b)); problem != "" {
			t.Errorf("%s, the second window: %s", w.name, problem)
		}
		quantiles(t, prom, w, append(slices.Clone(a), b...))
	}
}

// quantiles compares PromQL's with the values: 1.09 % at scale 6.
func quantiles(t *testing.T, prom *prometheus, w way, values []float64) {
	t.Helper()
	slices.Sort(values)
	for _, q := range []float64{0.05, 0.25, 0.75, 0.9, 0.99} {
		results, problem := prom.query(fmt.Sprintf("histogram_quantile(%v, %s)", q, w.series), time.Time{})
		if problem != "" || len(results) != 1 {
			t.Errorf("%s: quantile %v: %d results %s", w.name, q, len(results), problem)
			continue
		}
		got := results[0].number(t)
		rank := q * float64(len(values))
		low, high := values[max(0, int(rank)-1)], values[min(len(values)-1, int(rank)+1)]
		width := math.Exp2(1.0/64) - 1
		if got < low-math.Abs(low)*width || got > high+math.Abs(high)*width {
			t.Errorf("%s: quantile %v is %v, want %v to %v within %.2f %%", w.name, q, got, low, high, 100*width)
		}
	}
}
