package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"weir/schemas"
)

// token is one msgpack object without its members.
type token struct {
	scalar
	head    int // bytes of head and body, without members
	members int // objects inside: elements, or twice the pairs
	isMap   bool
	isArray bool
}

var errTruncated = errors.New("truncated")

// read reads the object at the start of b. Its body is within b, and so many
// members as it announces could be.
func (t *token) read(b []byte) error {
	t.members, t.isMap, t.isArray = 0, false, false
	if len(b) == 0 {
		return errTruncated
	}
	switch c := b[0]; {
	case c <= 0x7f:
		return t.setNumber(1, fromInt(int64(c)))
	case c >= 0xe0:
		return t.setNumber(1, fromInt(int64(int8(c))))
	case c <= 0x8f:
		return t.setGroup(b, 1, int(c&0x0f), true)
	case c <= 0x9f:
		return t.setGroup(b, 1, int(c&0x0f), false)
	case c <= 0xbf:
		return t.setBody(b, 1, int(c&0x1f), isText)
	case c == 0xc0:
		t.head, t.kind = 1, isNull
		return nil
	case c == 0xc1:
		return errors.New("byte 0xc1, which is never used")
	case c <= 0xc3:
		t.head, t.kind, t.on = 1, isBool, c == 0xc3
		return nil
	default:
		return t.sized(b, c)
	}
}

// sizes tells how many bytes of length or number follow the first byte, from 0xc4 on.
var sizes = [...]int{
	0: 1, 2, 4, // bin, from 0xc4
	0xc7 - 0xc4: 1, 2, 4, // ext: one more byte of type
	0xca - 0xc4: 4, 8, // float
	0xcc - 0xc4: 1, 2, 4, 8, // uint
	0xd0 - 0xc4: 1, 2, 4, 8, // int
	0xd4 - 0xc4: 0, 0, 0, 0, 0, // fixext
	0xd9 - 0xc4: 1, 2, 4, // str
	0xdc - 0xc4: 2, 4, // array
	0xde - 0xc4: 2, 4, // map
}

func (t *token) sized(b []byte, c byte) error {
	size := sizes[c-0xc4]
	if len(b) < 1+size {
		return errTruncated
	}
	v := bigEndian(b[1 : 1+size])
	n := int(min(v, math.MaxInt32))
	switch {
	case c <= 0xc6:
		return t.setBody(b, 1+size, n, isNested)
	case c <= 0xc9:
		return t.setBody(b, 1+size, n+1, isNested)
	case c == 0xca:
		return t.setNumber(5, fromFloat(float64(math.Float32frombits(uint32(v)))))
	case c == 0xcb:
		return t.setNumber(9, fromFloat(math.Float64frombits(v)))
	case c <= 0xcf:
		return t.setNumber(1+size, fromUint(v))
	case c <= 0xd3:
		shift := 64 - 8*size
		return t.setNumber(1+size, fromInt(int64(v<<shift)>>shift))
	case c <= 0xd8:
		return t.setBody(b, 1, 1+1<<(c-0xd4), isNested)
	case c <= 0xdb:
		return t.setBody(b, 1+size, n, isText)
	}
	return t.setGroup(b, 1+size, n, c >= 0xde)
}

func bigEndian(b []byte) uint64 {
	var buf [8]byte
	copy(buf[8-len(b):], b)
	return binary.BigEndian.Uint64(buf[:])
}

func (t *token) setNumber(head int, v number) error {
	t.head, t.kind, t.scalar.number = head, isNumber, v
	return nil
}

func (t *token) setBody(b []byte, head, n int, k kind) error {
	if n > len(b)-head {
		return errTruncated
	}
	t.head, t.kind, t.text = head+n, k, b[head:head+n]
	return nil
}

func (t *token) setGroup(b []byte, head, n int, isMap bool) error {
	if isMap {
		n *= 2
	}
	if n > len(b)-head {
		return errTruncated
	}
	t.head, t.kind, t.members, t.isMap, t.isArray = head, isNested, n, isMap, !isMap
	return nil
}

// scanMsgpack checks the form of a whole payload: one object, nothing behind
// it, nesting bounded. It takes time linear in the bytes and memory linear in
// depth, whatever the lengths in the payload claim.
func scanMsgpack(b []byte, depth int) (schemas.Reason, error) {
	left := make([]int, 1, 16) // members still to come, by level
	left[0] = 1
	var t token
	for i := 0; ; {
		for left[len(left)-1] == 0 {
			if left = left[:len(left)-1]; len(left) == 0 {
				return trailing(b, i)
			}
		}
		left[len(left)-1]--
		if err := t.read(b[i:]); err != nil {
			return schemas.Undecodable, fmt.Errorf("msgpack at byte %d: %w", i, err)
		}
		if t.isMap || t.isArray {
			if len(left) > depth {
				return schemas.TooDeep, fmt.Errorf("msgpack at byte %d: more than %d levels", i, depth)
			}
			left = append(left, t.members)
		}
		i += t.head
	}
}

func trailing(b []byte, i int) (schemas.Reason, error) {
	if i < len(b) {
		return schemas.Undecodable, fmt.Errorf("msgpack at byte %d: something follows the value", i)
	}
	return "", nil
}

// msgpack decodes a map or an array of readings.
func (d *decoder) msgpack(payload []byte) {
	payload = skipSpace(payload)
	if why, err := scanMsgpack(payload, d.rules.Depth); err != nil {
		d.fail(why, "%v", err)
		return
	}
	s := msgpackScan{d: d, b: payload}
	members := s.take()
	if !s.t.isMap {
		s.readings(members)
		return
	}
	d.begin(0)
	s.pairs(members/2, inReading)
	d.end()
}

// msgpackScan walks a payload whose form has been checked.
type msgpackScan struct {
	d *decoder
	b []byte
	t token // taken last
}

// take takes the next object off the payload into s.t and says how many members
// follow it.
func (s *msgpackScan) take() (members int) {
	if err := s.t.read(s.b); err != nil {
		panic(fmt.Sprintf("BUG: msgpack that passed the check: %v", err))
	}
	s.b = s.b[s.t.head:]
	return s.t.members
}

// skip takes an object's members.
func (s *msgpackScan) skip(members int) {
	for ; members > 0; members-- {
		members += s.take()
	}
}

func (s *msgpackScan) readings(n int) {
	switch {
	case n == 0:
		s.d.refuse(schemas.NoValues, 1, 0, "an array without readings")
	case n > s.d.rules.Readings:
		s.d.fail(schemas.TooMany, "%d readings in one message: at most %d", n, s.d.rules.Readings)
		return
	}
	for at := range n {
		s.element(at)
	}
}

func (s *msgpackScan) element(at int) {
	members := s.take()
	switch {
	case s.t.isMap:
		s.d.begin(at)
		s.pairs(members/2, inReading)
		s.d.end()
	case s.t.kind == isNumber:
		s.d.begin(at)
		s.d.metric(bareMetric, &s.t.scalar)
		s.d.end()
	default:
		s.d.alien(at, s.t.kind)
		s.skip(members)
	}
}

// pairs reads the members of a map and hands them over. A key that is not text
// is a field of no meaning.
func (s *msgpackScan) pairs(n int, w where) {
	for ; n > 0; n-- {
		members := s.take()
		if s.t.kind == isText {
			s.pair(s.t.text, w)
			continue
		}
		s.skip(members)
		s.skip(s.take())
		s.d.ignored++
	}
}

func (s *msgpackScan) pair(key []byte, w where) {
	f := noField
	if w == inReading {
		f = fieldOf(key)
	}
	members := s.take()
	switch {
	case s.t.isMap && f == fieldMetrics:
		s.d.enterMetrics()
		s.pairs(members/2, inMetrics)
	case s.t.isMap && f == fieldAttrs:
		s.d.once(fieldAttrs)
		s.pairs(members/2, inAttrs)
	default:
		s.give(f, key, w)
		s.skip(members)
	}
}

// give hands the value taken last over.
func (s *msgpackScan) give(f field, key []byte, w where) {
	v := &s.t.scalar
	switch w {
	case inReading:
		s.d.field(f, key, v)
	case inMetrics:
		s.d.metric(key, v)
	case inAttrs:
		if v.kind == isNumber { // the text that JSON would show
			v.text = v.number.appendText(nil)
		}
		s.d.attribute(key, v)
	}
}
