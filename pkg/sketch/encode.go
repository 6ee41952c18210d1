package sketch

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The parts of the format that encoder and decoder share; the package documentation has the byte diagram.
const (
	version = 1

	flagBuckets   = 1 << 7
	flagZeroWidth = 1 << 6
	flagEdge      = 1 << 5
	scaleMask     = 0x0f
	scaleNone     = 0x0f // no scale chosen yet
)

// AppendBinary appends the bytes of s to b; equal sketches give equal bytes. The error is always nil.
func (s *Sketch) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, version, s.flags())
	if s.chosen && s.zeroWidth != DefaultZeroWidth {
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(s.zeroWidth))
	}
	if s.Exact() {
		return s.appendValues(b), nil
	}
	return s.appendBuckets(b), nil
}

// MarshalBinary returns the bytes of s. The error is always nil.
func (s *Sketch) MarshalBinary() ([]byte, error) {
	return s.AppendBinary(nil)
}

func (s *Sketch) flags() byte {
	if !s.chosen {
		return scaleNone
	}
	flags := byte(s.Scale() - MinScale)
	if s.zeroWidth != DefaultZeroWidth {
		flags |= flagZeroWidth
	}
	if !s.Exact() {
		flags |= flagBuckets
		if s.bins.keys[0] != s.place(s.least) {
			flags |= flagEdge
		}
	}
	return flags
}

// place returns the key that v counts for at the scale in force.
func (s *Sketch) place(v float64) int32 {
	return coarser(s.finest(v), s.drop)
}

func (s *Sketch) appendValues(b []byte) []byte {
	values := s.values[:s.count]
	width := width(values...)
	b = append(b, byte(s.count)<<4|byte(width))
	for _, v := range values {
		b = appendFloat(b, v, width)
	}
	return b
}

func (s *Sketch) appendBuckets(b []byte) []byte {
	sumWidth, endWidth := width(s.sum), width(s.least, s.greatest)
	b = append(b, byte(sumWidth)<<4|byte(endWidth))
	b = appendFloat(b, s.sum, sumWidth)
	b = appendFloat(b, s.least, endWidth)
	b = appendFloat(b, s.greatest, endWidth)

	keys := s.bins.keys
	b = binary.AppendUvarint(b, uint64(len(keys)))
	b = binary.AppendUvarint(b, s.bins.at(0)-1)
	for i := 1; i < len(keys); i++ {
		gap, n := uint64(keys[i]-keys[i-1]), s.bins.at(i)
		if n == 1 {
			b = binary.AppendUvarint(b, (gap-1)<<1)
		} else {
			b = binary.AppendUvarint(b, (gap-1)<<1|1)
			b = binary.AppendUvarint(b, n-2)
		}
	}
	return b
}

// width returns how many leading bytes of the values' IEEE 754 forms hold all that is not zero.
func width(values ...float64) int {
	all := uint64(0)
	for _, v := range values {
		all |= math.Float64bits(v)
	}
	return 8 - bits.TrailingZeros64(all)/8
}

// appendFloat appends the leading bytes of v.
func appendFloat(b []byte, v float64, width int) []byte {
	whole := binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	return whole[:len(b)+width]
}
