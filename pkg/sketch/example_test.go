package sketch_test

import (
	"fmt"

	"weir/pkg/sketch"
)

// Two agents sketch their own requests; a gateway merges what they send and knows the quantiles of all.
func Example() {
	var fast, slow sketch.Sketch // ready to use, at the default scale
	for i := range 1000 {
		fast.Add(float64(i%50) + 1)        // 1 to 50 ms
		slow.Add(10 * (float64(i%50) + 1)) // 10 to 500 ms
	}
	bytes, _ := slow.AppendBinary(nil)

	var all sketch.Sketch
	if err := all.UnmarshalBinary(bytes); err != nil {
		fmt.Println(err)
		return
	}
	all.Merge(&fast)

	fmt.Printf("%d values, sum %.0f, %.0f to %.0f\n", all.Count(), all.Sum(), all.Min(), all.Max())
	fmt.Printf("p50 %.0f, p99 %.0f, each within %.2f %%\n", all.Quantile(0.5), all.Quantile(0.99), 100*sketch.Accuracy(all.Scale()))
	// Output:
	// 2000 values, sum 280500, 1 to 500
	// p50 46, p99 488, each within 0.54 %
}

// Up to eight values are answered exactly.
func ExampleSketch_Quantile() {
	var s sketch.Sketch
	for _, v := range []float64{21.7, 19.2, 20.4} {
		s.Add(v)
	}
	fmt.Println(s.Exact(), s.Quantile(0), s.Quantile(0.5), s.Quantile(1))
	// Output:
	// true 19.2 20.4 21.7
}

// The same buckets in both standards: Prometheus numbers them one higher.
func ExampleSketch_Native() {
	s, _ := sketch.New(sketch.Config{Scale: 0})
	for _, v := range []float64{1, 2, 3, 4, 100} {
		s.Add(v)
	}
	e, n := s.Exponential(), s.Native()
	fmt.Println(e.Positive.Offset, e.Positive.Counts)
	fmt.Println(n.Positive.Map(), n.Positive.Spans, n.Positive.Deltas)
	// Output:
	// -1 [1 1 2 0 0 0 0 1]
	// map[0:1 1:1 2:2 7:1] [{0 3} {4 1}] [1 0 1 -1]
}
