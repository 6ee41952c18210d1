package schemas

import (
	"bytes"
	"fmt"
	"io"
	"math"

	"github.com/vmihailenco/msgpack/v5"
)

// headWriter writes a msgpack head: a fixed order of scalars, arrays announced
// by their length. Writing to memory cannot fail.
type headWriter struct {
	buf bytes.Buffer
	enc *msgpack.Encoder
}

func newHeadWriter() *headWriter {
	w := &headWriter{}
	w.enc = msgpack.NewEncoder(&w.buf)
	w.enc.UseCompactInts(true)
	return w
}

func (w *headWriter) reset(version byte) {
	w.buf.Reset()
	w.buf.WriteByte(version)
}

func (w *headWriter) array(n int)              { must(w.enc.EncodeArrayLen(n)) }
func (w *headWriter) uint(v uint64)            { must(w.enc.EncodeUint(v)) }
func (w *headWriter) int(v int64)              { must(w.enc.EncodeInt(v)) }
func (w *headWriter) str(v string)             { must(w.enc.EncodeString(v)) }
func (w *headWriter) bin(v []byte)             { must(w.enc.EncodeBytesLen(len(v))); w.buf.Write(v) }
func (w *headWriter) bool(v bool)              { must(w.enc.EncodeBool(v)) }
func (w *headWriter) appendTo(b []byte) []byte { return append(b, w.buf.Bytes()...) }

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("BUG: encode to memory: %v", err))
	}
}

// headReader reads what headWriter wrote. It decodes scalars only, never into
// any, so no input can make it recurse; lengths are checked against the bytes
// that are left before anything is allocated. The first failure sticks; after
// it every call returns zero.
type headReader struct {
	b     []byte
	src   *bytes.Reader // over b
	dec   *msgpack.Decoder
	names map[string]string // seen before; see name
	err   error
}

func newHeadReader() *headReader {
	r := &headReader{src: bytes.NewReader(nil), names: map[string]string{}}
	r.dec = msgpack.NewDecoder(r.src)
	return r
}

func (r *headReader) reset(b []byte) {
	r.b, r.err = b, nil
	r.src.Reset(b)
	r.dec.ResetReader(r.src)
}

func (r *headReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// array reads an array's length; each element takes at least a byte.
func (r *headReader) array() int {
	if r.err != nil {
		return 0
	}
	n, err := r.dec.DecodeArrayLen()
	switch {
	case err != nil:
		r.fail(err)
	case n < 0 || n > r.src.Len():
		r.fail(errLimit)
	default:
		return n
	}
	return 0
}

// fields reads the length of an array that must have n elements.
func (r *headReader) fields(n int) {
	if got := r.array(); got != n {
		r.fail(fmt.Errorf("%d fields, want %d", got, n))
	}
}

// rows reads the length of an array that holds rows of n elements.
func (r *headReader) rows(n int) int {
	got := r.array()
	if got%n != 0 {
		r.fail(fmt.Errorf("%d elements in rows of %d", got, n))
		return 0
	}
	return got / n
}

// size reads a number of things behind the head of which each takes at least a byte.
func (r *headReader) size() int {
	v := r.uint()
	if v > uint64(r.src.Len()) {
		r.fail(errLimit)
		return 0
	}
	return int(v)
}

func (r *headReader) uint() uint64 {
	if r.err != nil {
		return 0
	}
	if c, err := r.src.ReadByte(); err == nil {
		if c < 0x80 {
			return uint64(c) // as most numbers of a head are: a byte is its own value
		}
		_ = r.src.UnreadByte() // it was read just now
	}
	v, err := r.dec.DecodeUint64()
	if err != nil {
		r.fail(err)
	}
	return v
}

func (r *headReader) uint8() uint8 {
	v := r.uint()
	if v > math.MaxUint8 {
		r.fail(errLimit)
		return 0
	}
	return uint8(v)
}

func (r *headReader) int() int64 {
	if r.err != nil {
		return 0
	}
	v, err := r.dec.DecodeInt64()
	if err != nil {
		r.fail(err)
	}
	return v
}

func (r *headReader) bool() bool {
	if r.err != nil {
		return false
	}
	v, err := r.dec.DecodeBool()
	if err != nil {
		r.fail(err)
	}
	return v
}

func (r *headReader) str() string { return string(r.bin()) }

// maxNames bounds what a reader remembers.
const maxNames = 1024

// name is str for words that come again and again, like tenants and reasons: it
// allocates only the first time. The string does not alias the input.
func (r *headReader) name() string {
	b := r.bin()
	if s, ok := r.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(s) > MaxMetricLen {
		return s
	}
	if len(r.names) >= maxNames {
		clear(r.names)
	}
	r.names[s] = s
	return s
}

// bin reads a string or a byte string, which stays part of the input.
func (r *headReader) bin() []byte {
	if r.err != nil {
		return nil
	}
	n, err := r.dec.DecodeBytesLen()
	switch {
	case err != nil:
		r.fail(err)
	case n < 0 || n > r.src.Len():
		r.fail(errLimit)
	default:
		at := len(r.b) - r.src.Len()
		_, err := r.src.Seek(int64(n), io.SeekCurrent)
		r.fail(err)
		return r.b[at : at+n : at+n]
	}
	return nil
}

// epoch reads the 16 bytes of an epoch.
func (r *headReader) epoch() (e Epoch) {
	if b := r.bin(); r.err == nil && len(b) != len(e) {
		r.fail(fmt.Errorf("epoch of %d bytes, want %d", len(b), len(e)))
	} else {
		copy(e[:], b)
	}
	return e
}

// rest is how many bytes follow the head.
func (r *headReader) rest() int { return r.src.Len() }
