package plan

// Unit is the step between values: every value is a whole number of it.
const Unit = 1.0 / unitsPerOne

const (
	unitsPerOne = 1024
	slowWave    = 600 * s
	dayWave     = 86400 * s
)

// Value is the value of reading r of the message, in Units.
//
// It is 20 plus up to 8 by device, a wave of 4 (8 over a day) and noise of half
// a unit, so it lies between 11 and 37 while there is no trouble.
func (p *Plan) Value(m Message, r int) int64 {
	i := p.reading(m, r)
	at := p.stamped(m.Device, i)
	base := 20*unitsPerOne + int64(p.hash(saltDeviceBase, m.Device, 0)%(8*unitsPerOne))
	noise := int64(p.hash(saltValue, m.Device, i)%unitsPerOne) - unitsPerOne/2
	usual := base + noise + 4*wave(at, slowWave)
	if p.Pattern == Daily {
		usual = base + noise + 8*wave(at, dayWave)
	}
	if !p.Trouble {
		return usual
	}
	return p.troubled(m.Device, p.scheduled(m.Device, i), usual, base)
}

// wave is close to a sine of the given period, in Units from -1 to 1: two
// parabolas in whole numbers, so that every machine gets the same.
func wave(at, period int64) int64 {
	const half = 1 << 15
	x := at % period / (period >> 16) // 0 to about 2^16
	if x < half {
		return x * (half - x) >> 18
	}
	x -= half
	return -(x * max(half-x, 0) >> 18)
}
