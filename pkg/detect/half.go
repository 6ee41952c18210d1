package detect

import "math"

// half is the upper half of a float32: 8 bits of precision, which is enough for a deviation from the day's level.
type half uint16

func halfOf(x float64) half {
	return half((math.Float32bits(float32(min(max(x, -1e38), 1e38))) + 1<<15) >> 16)
}

func (h half) float() float64 { return float64(math.Float32frombits(uint32(h) << 16)) }

// half is a finite number.
func (c *codec) half(v *half) {
	u := uint16(*v)
	if c.u16(&u); !finite(half(u).float()) {
		c.fail("a number that is not finite")
		return
	}
	*v = half(u)
}
