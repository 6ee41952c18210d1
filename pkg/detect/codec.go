package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// stateVersion is the first byte of every state.
//
//	1: first form
//	2: edges, pages and peaks; 32 bits where they are enough
//	3: the longest run of equal values
//
// A state of another version is refused: what it was restored into stays as it was and learns anew. Statistics cannot be
// translated.
const stateVersion = 3

// ErrState is in every error of RestoreState.
var ErrState = errors.New("state of a detector")

// A codec writes fields to the end of b, or reads them from its beginning: one function of a type lists its fields
// for both. Numbers are little endian. The first error sticks; what is read after it is left as it was.
type codec struct {
	b       []byte
	reading bool
	err     error
}

// fail notes that a field cannot be what was read.
func (c *codec) fail(format string, args ...any) {
	if c.reading && c.err == nil {
		c.err = fmt.Errorf("%w: %s", ErrState, fmt.Sprintf(format, args...))
	}
}

// take is the next n bytes, or nil at the end of what there is.
func (c *codec) take(n int) []byte {
	if c.err != nil {
		return nil
	}
	if len(c.b) < n {
		c.fail("cut off: %d bytes where %d are due", len(c.b), n)
		return nil
	}
	head := c.b[:n]
	c.b = c.b[n:]
	return head
}

func (c *codec) u8(v *uint8) {
	if !c.reading {
		c.b = append(c.b, *v)
	} else if head := c.take(1); head != nil {
		*v = head[0]
	}
}

func (c *codec) u16(v *uint16) {
	if !c.reading {
		c.b = binary.LittleEndian.AppendUint16(c.b, *v)
	} else if head := c.take(2); head != nil {
		*v = binary.LittleEndian.Uint16(head)
	}
}

func (c *codec) u32(v *uint32) {
	if !c.reading {
		c.b = binary.LittleEndian.AppendUint32(c.b, *v)
	} else if head := c.take(4); head != nil {
		*v = binary.LittleEndian.Uint32(head)
	}
}

func (c *codec) u64(v *uint64) {
	if !c.reading {
		c.b = binary.LittleEndian.AppendUint64(c.b, *v)
	} else if head := c.take(8); head != nil {
		*v = binary.LittleEndian.Uint64(head)
	}
}

// i64 is a time or a duration in nanoseconds.
func (c *codec) i64(v *int64) {
	u := uint64(*v)
	c.u64(&u)
	*v = int64(u)
}

func (c *codec) flag(v *bool) {
	var u uint8
	if *v {
		u = 1
	}
	if c.u8(&u); u > 1 {
		c.fail("a flag of %d", u)
	}
	*v = u == 1
}

// f64 is a finite number.
func (c *codec) f64(v *float64) {
	u := math.Float64bits(*v)
	c.u64(&u)
	if x := math.Float64frombits(u); finite(x) {
		*v = x
	} else {
		c.fail("a number that is not finite")
	}
}

// f32 is a finite number.
func (c *codec) f32(v *float32) {
	u := math.Float32bits(*v)
	c.u32(&u)
	if x := math.Float32frombits(u); finite(float64(x)) {
		*v = x
	} else {
		c.fail("a number that is not finite")
	}
}

// f64s are several finite numbers.
func (c *codec) f64s(v ...*float64) {
	for _, x := range v {
		c.f64(x)
	}
}

// f32s are several finite numbers.
func (c *codec) f32s(v ...*float32) {
	for _, x := range v {
		c.f32(x)
	}
}

// atLeast fails where a number that was read is below what it can be.
func (c *codec) atLeast(name string, v, least float64) {
	if c.reading && c.err == nil && v < least {
		c.fail("%s of %g, at least %g is possible", name, v, least)
	}
}

// within fails where an index that was read is not below n.
func (c *codec) within(name string, v, n uint64) {
	if c.reading && c.err == nil && v >= n {
		c.fail("%s of %d, %d is the end", name, v, n)
	}
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
