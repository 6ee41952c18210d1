package schemas

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// errShort says that bytes end before the value they promise.
var errShort = errors.New("truncated")

// errLimit says that a length or index is beyond what the bytes can hold.
var errLimit = errors.New("length or index out of range")

// reader takes primitives off a byte slice. The first failure sticks; after it
// nothing is left and every call returns zero, so that decoders check once per row.
type reader struct {
	b   []byte
	at  int // of the next byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b, r.at = nil, 0
}

// left is how many bytes there are still.
func (r *reader) left() int { return len(r.b) - r.at }

func (r *reader) uvarint() uint64 {
	if r.at < len(r.b) && r.b[r.at] < 0x80 {
		r.at++
		return uint64(r.b[r.at-1])
	}
	v, n := binary.Uvarint(r.b[r.at:])
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.at += n
	return v
}

// uvarints reads so many numbers as out has place for, faster than one by one.
func (r *reader) uvarints(out []uint64) {
	b, at := r.b, r.at
	for i := range out {
		if at < len(b) && b[at] < 0x80 {
			out[i] = uint64(b[at])
			at++
			continue
		}
		if at+1 < len(b) && b[at+1] < 0x80 {
			out[i] = uint64(b[at]&0x7f) | uint64(b[at+1])<<7
			at += 2
			continue
		}
		if at+2 < len(b) && b[at+2] < 0x80 {
			out[i] = uint64(b[at]&0x7f) | uint64(b[at+1]&0x7f)<<7 | uint64(b[at+2])<<14
			at += 3
			continue
		}
		v, n := binary.Uvarint(b[at:])
		if n <= 0 {
			r.fail(errShort)
			clear(out[i:])
			return
		}
		out[i] = v
		at += n
	}
	r.at = at
}

func zigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func (r *reader) varint() int64 { return zigzag(r.uvarint()) }

// index reads an index below n.
func (r *reader) index(n int) int {
	v := r.uvarint()
	if v >= uint64(n) {
		r.fail(errLimit)
		return 0
	}
	return int(v)
}

// count reads a number of items of which each takes at least size bytes, so
// that nobody allocates more than the bytes can fill.
func (r *reader) count(size int) int {
	v := r.uvarint()
	if left := uint64(r.left()); v > left || v*uint64(size) > left {
		r.fail(errLimit)
		return 0
	}
	return int(v)
}

// take reads n bytes, which stay part of the input; nil if there are fewer.
func (r *reader) take(n int) []byte {
	if n > r.left() {
		r.fail(errShort)
		return nil
	}
	r.at += n
	return r.b[r.at-n : r.at : r.at]
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) float64() float64 { return math.Float64frombits(r.uint64()) }

// bytes reads a length and so many bytes, which stay part of the input.
func (r *reader) bytes() []byte { return r.take(r.count(1)) }

func (r *reader) string() string { return string(r.bytes()) }

// uvarint32 reads a uvarint that fits 32 bits.
func (r *reader) uvarint32() uint32 {
	v := r.uvarint()
	if v > math.MaxUint32 {
		r.fail(errLimit)
		return 0
	}
	return uint32(v)
}

// uvarint63 reads a uvarint that fits an int64.
func (r *reader) uvarint63() int64 {
	v := r.uvarint()
	if v > math.MaxInt64 {
		r.fail(errLimit)
		return 0
	}
	return int64(v)
}

// rest says what went wrong, bytes left over included.
func (r *reader) rest() error {
	if r.err == nil && r.left() > 0 {
		return errors.New("bytes left over")
	}
	return r.err
}

func appendFloat(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

func appendBytes(b, v []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

func appendString(b []byte, v string) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// zeros is n zeros in the memory of s, where it is enough.
func zeros[T any](s []T, n int) []T {
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}

func bit(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}

func finite(vs ...float64) bool {
	for _, v := range vs {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
