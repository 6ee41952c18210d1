package detect_test

import (
	"fmt"
	"math"

	"weir/pkg/detect"
)

// A pump at 20 bar with a ripple, and one reading that is wrong.
func Example() {
	d, err := detect.New("", detect.Config{})
	if err != nil {
		panic(err)
	}
	for i := range 20_000 {
		s := detect.Sample{Time: int64(i+1) * 1e9, Completeness: 1}
		s.Value = 20 + 0.3*math.Sin(float64(i)) + 0.2*math.Cos(float64(i*i))
		if i == 19_000 {
			s.Value = 26
		}
		if v := d.Update(s); v.Flag {
			fmt.Println("at second", i, "a", d.Explain(nil)[0])
		}
	}
	// Output: at second 19000 a value 26.00 where 20.00 ± 0.21 is usual
}
