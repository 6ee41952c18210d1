package schemas

import (
	"encoding/binary"
	"math"
)

// scale says how a frame writes the values of one metric. Sensors send few
// digits: 21.5 is 215 tenths, two bytes instead of eight. Within a frame each
// metric has the first scale that gives back all its values bit for bit, which
// is tried and not assumed; where none does, the values stay float64.
//
// A scale with a unit has whole numbers n that mean n / units[scale]: one
// division of two integers that float64 holds exactly, rounded alike everywhere.
type scale uint8

const (
	scaleFloat64 scale = 0 // also of metrics that have none
	scaleFloat32 scale = 9
)

// units are in the order in which they are tried, few bytes first.
var units = [...]float64{1: 1, 10, 100, 1e3, 1 << 10, 1e4, 1e5, 1e6, scaleFloat32: 0, 1e7, 1e8, 1e9}

// maxScaled keeps a varint shorter than a float64: 49 bits with the sign, 7 bytes.
const maxScaled = 1<<48 - 1

// scaled is v as a number of 1/unit; ok is false unless that gives back v.
func scaled(v, unit float64) (n int64, ok bool) {
	x := math.RoundToEven(v * unit)
	if !(math.Abs(x) <= maxScaled) { // NaN too
		return 0, false
	}
	n = int64(x)
	return n, math.Float64bits(float64(n)/unit) == math.Float64bits(v)
}

func (s scale) holds(v float64) bool {
	switch s {
	case scaleFloat64:
		return true
	case scaleFloat32:
		return math.Float64bits(float64(float32(v))) == math.Float64bits(v)
	}
	_, ok := scaled(v, units[s])
	return ok
}

// appendWide appends v if the scale has no unit.
func (s scale) appendWide(b []byte, v float64) []byte {
	switch s {
	case scaleFloat64:
		return appendFloat(b, v)
	case scaleFloat32:
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
	}
	return b
}

// readWide reads what appendWide wrote.
func (s scale) readWide(r *reader) float64 {
	if s == scaleFloat32 {
		return float64(math.Float32frombits(r.uint32()))
	}
	return r.float64()
}

// chooseScales gives each string of the frame its scale as a metric. Memory of
// into is reused.
func chooseScales(into []scale, f *Frame) []scale {
	into = zeros(into, len(f.Strings))
	for _, m := range f.Metric {
		into[m] = 1
	}
	for again := true; again; {
		again = false
		for i, v := range f.Value {
			for s := &into[f.Metric[i]]; !s.holds(v); again = true {
				*s = (*s + 1) % scale(len(units))
			}
		}
	}
	return into
}
