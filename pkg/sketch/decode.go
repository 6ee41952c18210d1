package sketch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// UnmarshalBinary makes s the sketch whose bytes b are, and nothing else. After an error s is reset.
func (s *Sketch) UnmarshalBinary(b []byte) error {
	rest, err := s.Decode(b)
	if err == nil && len(rest) > 0 {
		s.Reset()
		err = fmt.Errorf("decode sketch: %d bytes after its end", len(rest))
	}
	return err
}

// Decode makes s the sketch that b begins with, using the memory that s has, and returns the bytes after it. It accepts
// nothing but what AppendBinary writes: a peer's bytes give a sketch that could have been built here, or an error. It
// keeps nothing of b. It allocates at most 2 KB and 16 bytes per byte of b. After an error s is reset.
func (s *Sketch) Decode(b []byte) (rest []byte, err error) {
	s.Reset()
	r := reader{rest: b}
	s.read(&r)
	if r.err != nil {
		s.Reset()
		return nil, fmt.Errorf("decode sketch, byte %d of %d: %w", len(b)-len(r.rest), len(b), r.err)
	}
	return r.rest, nil
}

func (s *Sketch) read(r *reader) {
	if v := r.byte(); v != version {
		r.fail("version %d, this program reads version %d", v, version)
		return
	}
	flags := r.byte()
	s.readConfig(r, flags)
	switch {
	case r.err != nil:
	case flags&flagBuckets != 0:
		s.readBuckets(r, flags&flagEdge != 0)
	case flags&flagEdge != 0:
		r.fail("exact values with an edge flag")
	default:
		s.readValues(r)
	}
}

func (s *Sketch) readConfig(r *reader, flags byte) {
	if flags == scaleNone {
		return
	}
	c := Config{Scale: int(flags&scaleMask) + MinScale, ZeroWidth: DefaultZeroWidth}
	if flags&flagZeroWidth != 0 {
		c.ZeroWidth = r.float(8)
		if c.ZeroWidth == DefaultZeroWidth || math.Signbit(c.ZeroWidth) {
			r.fail("zero width %v must not be written out", c.ZeroWidth)
		}
	}
	if flags&^(flagBuckets|flagZeroWidth|flagEdge|scaleMask) != 0 {
		r.fail("flags %#02x of another format", flags)
	}
	if err := c.Validate(); err != nil {
		r.fail("%w", err)
	}
	s.choose(c)
}

func (s *Sketch) readValues(r *reader) {
	n, w := r.nibbles()
	if n > ExactLimit || n > 0 && !s.chosen {
		r.fail("%d exact values", n)
		return
	}
	values := s.values[:n]
	for i := range values {
		values[i] = r.float(w)
		if i > 0 && values[i-1] > values[i] {
			r.fail("exact value %v after %v", values[i], values[i-1])
		}
		r.refuseNegativeZero(values[i])
	}
	if width(values...) != w {
		r.fail("exact values of %d bytes do not need that many", w)
	}
	s.count = uint64(n)
}

func (s *Sketch) readBuckets(r *reader, edge bool) {
	sumWidth, endWidth := r.nibbles()
	s.sum, s.least, s.greatest = r.float(sumWidth), r.float(endWidth), r.float(endWidth)
	if width(s.sum) != sumWidth || width(s.least, s.greatest) != endWidth {
		r.fail("sum of %d bytes, min and max of %d: they do not need that many", sumWidth, endWidth)
	}
	if s.least > s.greatest {
		r.fail("min %v above max %v", s.least, s.greatest)
	}
	r.refuseNegativeZero(s.least)
	r.refuseNegativeZero(s.greatest)

	n := r.uvarint()
	if n < 1 || n > MaxBins || n > uint64(len(r.rest)) {
		r.fail("%d buckets in %d bytes, 1 to %d are possible", n, len(r.rest), MaxBins)
		return
	}
	s.readBins(r, int(n), s.firstKey(r, edge))
	if r.err != nil {
		return
	}
	if last := s.bins.keys[n-1]; last != s.place(s.greatest) && last != bucketOf(s.greatest, s.drop) {
		r.fail("max %v is not in the last bucket", s.greatest)
	}
}

// firstKey returns the key of the first bucket: min is in it.
func (s *Sketch) firstKey(r *reader, edge bool) int32 {
	if !edge {
		return s.place(s.least)
	}
	key := bucketOf(s.least, s.drop)
	if key == s.place(s.least) {
		r.fail("edge flag, but min %v is not in the zero region", s.least)
	}
	return key
}

// readBins reads n bins, the first of them at key. None may lie wholly inside the zero region.
func (s *Sketch) readBins(r *reader, n int, key int32) {
	edge, last := edge(s.zeroWidth, s.drop), bucketOf(math.MaxFloat64, s.drop)
	s.bins.extend(n)
	for i := range n {
		count := uint64(1)
		if i == 0 {
			count += r.count()
		} else {
			token := r.uvarint()
			key = r.advance(key, token>>1, last)
			if token&1 != 0 {
				count += 1 + r.count()
			}
		}
		if count > MaxCount-s.count {
			r.fail("bucket count %d after %d values: at most %d in all", count, s.count, uint64(MaxCount))
		}
		if -edge < key && key < edge && key != 0 {
			r.fail("bucket %d lies inside the zero width %v", key, s.zeroWidth)
		}
		if r.err != nil {
			return
		}
		s.count += count
		s.bins.keys[i] = key
		s.bins.set(i, count)
	}
}

// A reader takes bytes from the front of rest. Its first failure sticks; what it returns afterwards means nothing.
type reader struct {
	rest []byte
	err  error
}

var errShort = errors.New("the bytes end here")

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// take returns the next n bytes, or n zeros after a failure.
func (r *reader) take(n int) (b [8]byte) {
	if n > 8 || n > len(r.rest) {
		r.fail("%w", errShort)
		return b
	}
	copy(b[:], r.rest[:n])
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	return r.take(1)[0]
}

func (r *reader) nibbles() (high, low int) {
	b := r.byte()
	return int(b >> 4), int(b & 0x0f)
}

// float reads the leading w bytes of a finite number.
func (r *reader) float(w int) float64 {
	b := r.take(w)
	v := math.Float64frombits(binary.BigEndian.Uint64(b[:]))
	if v-v != 0 {
		r.fail("%v is not a finite number", v)
	}
	return v
}

func (r *reader) refuseNegativeZero(v float64) {
	if v == 0 && math.Signbit(v) {
		r.fail("a negative zero")
	}
}

// uvarint reads a varint in its shortest form.
func (r *reader) uvarint() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 { // one byte, as nearly always
		v := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.rest)
	switch {
	case n <= 0:
		r.fail("%w", errShort)
		return 0
	case n > 1 && r.rest[n-1] == 0:
		r.fail("a varint longer than it need be")
	}
	r.rest = r.rest[n:]
	return v
}

// count reads a varint of at most MaxCount.
func (r *reader) count() uint64 {
	n := r.uvarint()
	if n > MaxCount {
		r.fail("count %d: at most %d values are supported", n, uint64(MaxCount))
	}
	return min(n, MaxCount)
}

// advance returns the key that is skipped+1 places after key, if that is not beyond last.
func (r *reader) advance(key int32, skipped uint64, last int32) int32 {
	if skipped >= uint64(last-key) {
		r.fail("a bucket %d places after %d, beyond the last one %d", skipped+1, key, last)
		return key
	}
	return key + int32(skipped) + 1
}
