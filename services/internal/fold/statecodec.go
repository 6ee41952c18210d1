package fold

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"weir/schemas"
)

// State is written with encoding/binary's Append functions, AppendString and
// AppendFloat, and read back with a StateReader. It is a private format of one
// core: a checkpoint is a cache.

// AppendString appends a length and the bytes.
func AppendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// AppendSized appends what write appends, and its length before it, as AppendString does
// for a string that is there already.
func AppendSized(b []byte, write func([]byte) []byte) []byte {
	at := len(b)
	b = write(b)
	var size [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(size[:], uint64(len(b)-at))
	return slices.Insert(b, at, size[:n]...)
}

// AppendFloat appends the bits, little endian.
func AppendFloat(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

// AppendBool appends one byte.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendExemplars appends those of a window.
func AppendExemplars(b []byte, x schemas.Exemplars) []byte {
	b = binary.AppendUvarint(b, uint64(len(x)))
	for i := range x {
		b = AppendFloat(binary.AppendVarint(b, x[i].Time), x[i].Value)
		b = append(append(b, x[i].Trace[:]...), x[i].Span[:]...)
	}
	return b
}

// AppendLogs appends log records that wait for a commit, in the form of one.
func AppendLogs(b []byte, logs []schemas.PassedLog) []byte {
	c := schemas.Commit{N: 1, RunFirst: 1, Logs: logs}
	return AppendSized(b, func(b []byte) []byte { return new(schemas.CommitEncoder).Append(b, &c) })
}

// StateReader takes primitives off state bytes. The first failure sticks.
type StateReader struct {
	B   []byte
	Err error
}

var errState = errors.New("state is cut short or not ours")

// Fail records the first failure.
func (r *StateReader) Fail(err error) {
	if r.Err == nil {
		r.Err = err
	}
	r.B = nil
}

// Uint reads what binary.AppendUvarint wrote.
func (r *StateReader) Uint() uint64 {
	v, n := binary.Uvarint(r.B)
	if n <= 0 {
		r.Fail(errState)
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Int reads what binary.AppendVarint wrote.
func (r *StateReader) Int() int64 {
	v, n := binary.Varint(r.B)
	if n <= 0 {
		r.Fail(errState)
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Len reads a number of things that take at least a byte each.
func (r *StateReader) Len() int {
	v := r.Uint()
	if v > uint64(len(r.B)) {
		r.Fail(errState)
		return 0
	}
	return int(v)
}

// Bytes reads a length and so many bytes, which alias the state.
func (r *StateReader) Bytes() []byte {
	n := r.Len()
	v := r.B[:n:n]
	r.B = r.B[n:]
	return v
}

// String reads what AppendString wrote.
func (r *StateReader) String() string { return string(r.Bytes()) }

// Fixed reads eight bytes, little endian.
func (r *StateReader) Fixed() uint64 {
	if len(r.B) < 8 {
		r.Fail(errState)
		return 0
	}
	v := binary.LittleEndian.Uint64(r.B)
	r.B = r.B[8:]
	return v
}

// Float reads what AppendFloat wrote.
func (r *StateReader) Float() float64 { return math.Float64frombits(r.Fixed()) }

// Bool reads what AppendBool wrote.
func (r *StateReader) Bool() bool { return r.Byte() != 0 }

// Byte reads one byte.
func (r *StateReader) Byte() byte {
	if len(r.B) == 0 {
		r.Fail(errState)
		return 0
	}
	v := r.B[0]
	r.B = r.B[1:]
	return v
}

// Exemplars reads what AppendExemplars wrote.
func (r *StateReader) Exemplars() (x schemas.Exemplars) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		e := schemas.Exemplar{Time: r.Int(), Value: r.Float()}
		if copy(e.Trace[:], r.B) < len(e.Trace) || copy(e.Span[:], r.B[len(e.Trace):]) < len(e.Span) {
			r.Fail(errState)
			break
		}
		r.B = r.B[len(e.Trace)+len(e.Span):]
		x = x.Add(e)
	}
	return x
}

// Logs takes what AppendLogs wrote. They do not alias the state.
func (r *StateReader) Logs() []schemas.PassedLog {
	c, err := new(schemas.CommitDecoder).Decode(slices.Clone(r.Bytes()), schemas.WithLogs)
	if err != nil {
		r.Fail(err)
		return nil
	}
	return c.Logs
}

// Then hands the rest to decode, which returns what it leaves.
func (r *StateReader) Then(decode func([]byte) ([]byte, error)) {
	if r.Err != nil {
		return
	}
	rest, err := decode(r.B)
	if err != nil {
		r.Fail(err)
		return
	}
	r.B = rest
}

// Done says what went wrong, including bytes left over.
func (r *StateReader) Done() error {
	if r.Err == nil && len(r.B) > 0 {
		return errState
	}
	return r.Err
}
