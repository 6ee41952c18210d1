package window

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// reader takes values off the front of encoded state. After the first failure it returns zeros, and err says what was
// wanted and where.
type reader struct {
	rest []byte
	size int // of the whole
	err  error
}

func newReader(b []byte) *reader { return &reader{rest: b, size: len(b)} }

// fail notes the first thing that is wrong.
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("byte %d of %d: %w", r.size-len(r.rest), r.size, fmt.Errorf(format, args...))
		r.rest = nil
	}
}

// version takes the version byte.
func (r *reader) version(want byte) {
	if got := r.byte("version"); r.err == nil && got != want {
		r.fail("version %d: this program reads version %d", got, want)
	}
}

func (r *reader) byte(what string) byte {
	if len(r.rest) == 0 {
		r.fail("%s is missing", what)
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) uvarint(what string) uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail("%s is cut off or longer than 64 bits", what)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) varint(what string) int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail("%s is cut off or longer than 64 bits", what)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count takes the number of elements that follow, each of at least that many bytes: never more than can be there.
func (r *reader) count(what string, each int) int {
	n := r.uvarint(what)
	if n > uint64(len(r.rest)/each) {
		r.fail("%d %s cannot be in %d bytes", n, what, len(r.rest))
		return 0
	}
	return int(n)
}

// take lets decode take its part off the front.
func (r *reader) take(what string, decode func(b []byte) (rest []byte, err error)) {
	if r.err != nil {
		return
	}
	rest, err := decode(r.rest)
	if err != nil {
		r.fail("%s: %w", what, err)
		return
	}
	r.rest = rest
}

// rising takes a value above the one before, as a positive difference, inside the span of times.
func (r *reader) rising(what string, before int64, first bool) int64 {
	v := before + r.varint(what)
	if r.err == nil && (v < -span-longest || v > span+longest || (!first && v <= before)) {
		r.fail("%s %d is out of order or range", what, v)
		return 0
	}
	return v
}

// float takes what appendFloat wrote.
func (r *reader) float(what string) float64 {
	v := math.Float64frombits(bits.Reverse64(r.uvarint(what)))
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.fail("%s is not finite", what)
		return 0
	}
	return v
}

// appendFloat writes v so that numbers with few significant bits, like whole numbers, are short.
func appendFloat(b []byte, v float64) []byte {
	return binary.AppendUvarint(b, bits.Reverse64(math.Float64bits(v)))
}
