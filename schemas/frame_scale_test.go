package schemas

import (
	"encoding/binary"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestScaleOf(t *testing.T) {
	f := func(want float64, wide scale, values ...float64) {
		t.Helper()
		frame := &Frame{Strings: []string{"m"}, Value: values, Metric: make([]uint32, len(values))}
		s := chooseScales(nil, frame)[0]
		if units[s] != want || want == 0 && s != wide {
			t.Errorf("%v has scale %d with unit %v, want unit %v", values, s, units[s], want)
		}
	}
	f(1, 0, 0, 1, -40, 1e6)
	f(10, 0, 21.5, 21, 0.1, -0.3)
	f(100, 0, 1013.25, 0.1)
	f(1e3, 0, 0.125, 7)
	f(1024, 0, 20+1.0/1024)
	f(1e7, 0, 52.5200066, 13.404954)
	f(1e9, 0, 0.123456789)
	f(0, scaleFloat32, float64(float32(0.1)))
	f(0, scaleFloat32, 1, math.Copysign(0, -1))
	f(0, scaleFloat32, 1<<100)
	f(0, scaleFloat64, math.Pi)
	f(0, scaleFloat64, 1, 2, 3, math.Pi)
	f(0, scaleFloat64, 0.1, float64(float32(0.1)))
	f(0, scaleFloat64, math.MaxFloat64, math.SmallestNonzeroFloat64)
}

// TestScaleIsExact: a scale that claims to hold a value gives it back to the bit, in fewer bytes.
func TestScaleIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := numbers().Draw(t, "v")
		for s := range scale(len(units)) {
			if !s.holds(v) {
				continue
			}
			back := v
			if unit := units[s]; unit != 0 {
				n, _ := scaled(v, unit)
				back = float64(n) / unit
				if size := len(binary.AppendVarint(nil, n)); size > 7 {
					t.Fatalf("%v is %d at scale %d: %d bytes", v, n, s, size)
				}
			} else {
				back = s.readWide(&reader{b: s.appendWide(nil, v)})
			}
			if math.Float64bits(back) != math.Float64bits(v) {
				t.Fatalf("%v comes back as %v from scale %d", v, back, s)
			}
		}
	})
}
