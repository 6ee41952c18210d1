package ingest

import (
	"unicode/utf16"
	"unicode/utf8"

	"weir/schemas"
)

// jsonScan walks a JSON text (RFC 8259) once, front to back, and hands what it
// finds to the decoder. It accepts exactly what encoding/json does, except that
// it wants valid UTF-8 and bounded nesting. After a fault every method returns
// false.
type jsonScan struct {
	d    *decoder
	b    []byte
	i    int // next byte
	deep int // objects and arrays open
	v    scalar
}

// json decodes an object or an array of readings.
func (d *decoder) json(payload []byte) {
	if !utf8.Valid(payload) {
		d.fail(schemas.Undecodable, "JSON text is not valid UTF-8")
		return
	}
	s := jsonScan{d: d, b: payload}
	ok := false
	if s.space(); s.b[s.i] == '[' {
		ok = s.readings()
	} else {
		d.begin(0)
		if ok = s.object(inReading); ok {
			d.end()
		}
	}
	if s.space(); ok && s.i < len(s.b) {
		s.fail("something follows the value")
	}
}

// where says what the members of an object are.
type where uint8

const (
	inReading where = iota
	inMetrics
	inAttrs
	inNested // of no meaning
)

func (s *jsonScan) fail(what string) bool {
	s.d.fail(schemas.Undecodable, "JSON at byte %d: %s", s.i, what)
	return false
}

func (s *jsonScan) space() {
	for s.i < len(s.b) && isSpace(s.b[s.i]) {
		s.i++
	}
}

// next skips white space and takes the byte behind it if it is c.
func (s *jsonScan) next(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *jsonScan) enter() bool {
	s.i++
	if s.deep++; s.deep > s.d.rules.Depth {
		s.d.fail(schemas.TooDeep, "JSON at byte %d: more than %d levels", s.i-1, s.d.rules.Depth)
		return false
	}
	return true
}

func (s *jsonScan) leave() bool {
	s.deep--
	return true
}

// readings reads the outermost array.
func (s *jsonScan) readings() bool {
	if !s.enter() || s.next(']') {
		return s.empty()
	}
	for at := 0; ; at++ {
		if at == s.d.rules.Readings {
			s.d.fail(schemas.TooMany, "more than %d readings in one message", at)
			return false
		}
		if !s.element(at) {
			return false
		}
		if s.next(']') {
			return s.leave()
		}
		if !s.next(',') {
			return s.fail("want , or ] behind a reading")
		}
	}
}

// empty ends an array without readings, which holds nothing to count.
func (s *jsonScan) empty() bool {
	if s.d.fault == "" {
		s.d.refuse(schemas.NoValues, 1, 0, "an array without readings")
		return s.leave()
	}
	return false
}

// element reads one reading of the array.
func (s *jsonScan) element(at int) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == '{' {
		s.d.begin(at)
		if !s.object(inReading) {
			return false
		}
		s.d.end()
		return true
	}
	if !s.value() {
		return false
	}
	if s.v.kind != isNumber {
		s.d.alien(at, s.v.kind)
		return true
	}
	s.d.begin(at)
	s.d.metric(bareMetric, &s.v)
	s.d.end()
	return true
}

// object reads an object whose { is next.
func (s *jsonScan) object(w where) bool {
	if !s.enter() {
		return false
	}
	if s.next('}') {
		return s.leave()
	}
	for {
		if !s.member(w) {
			return false
		}
		if s.next('}') {
			return s.leave()
		}
		if !s.next(',') {
			return s.fail("want , or } behind a member")
		}
	}
}

// member reads a key and its value and hands both over.
func (s *jsonScan) member(w where) bool {
	if s.space(); s.i >= len(s.b) || s.b[s.i] != '"' {
		return s.fail("want a key in quotes")
	}
	key, ok := s.str()
	if !ok {
		return false
	}
	if !s.next(':') {
		return s.fail("want : behind a key")
	}
	f := noField
	if w == inReading {
		f = fieldOf(key)
	}
	if s.space(); f >= fieldAttrs && f <= fieldMetrics && s.i < len(s.b) && s.b[s.i] == '{' {
		return s.group(f)
	}
	if !s.value() {
		return false
	}
	switch w {
	case inReading:
		s.d.field(f, key, &s.v)
	case inMetrics:
		s.d.metric(key, &s.v)
	case inAttrs:
		s.d.attribute(key, &s.v)
	}
	return true
}

// group reads the object under metrics or attrs.
func (s *jsonScan) group(f field) bool {
	if f == fieldMetrics {
		s.d.enterMetrics()
		return s.object(inMetrics)
	}
	s.d.once(fieldAttrs)
	return s.object(inAttrs)
}

// value reads any value into s.v. Of an object or array only the form is checked.
func (s *jsonScan) value() bool {
	s.space()
	if s.i >= len(s.b) {
		return s.fail("ends where a value is wanted")
	}
	switch c := s.b[s.i]; {
	case c == '-' || isDigit(c):
		return s.numeric()
	case c == '"':
		var ok bool
		s.v.kind = isText
		s.v.text, ok = s.str()
		return ok
	case c == '{':
		ok := s.object(inNested)
		s.v.kind = isNested
		return ok
	case c == '[':
		ok := s.array()
		s.v.kind = isNested
		return ok
	}
	return s.literal()
}

func (s *jsonScan) numeric() bool {
	v, n := scanNumber(s.b[s.i:], false)
	if n == 0 {
		return s.fail("not a number")
	}
	s.v.kind, s.v.number, s.v.text = isNumber, v, s.b[s.i:s.i+n]
	s.i += n
	return true
}

func (s *jsonScan) literal() bool {
	rest := s.b[s.i:]
	for _, l := range [...]struct {
		text string
		v    scalar
	}{{"true", scalar{kind: isBool, on: true}}, {"false", scalar{kind: isBool}}, {"null", scalar{}}} {
		if len(rest) >= len(l.text) && string(rest[:len(l.text)]) == l.text {
			s.v = l.v
			s.i += len(l.text)
			return true
		}
	}
	return s.fail("want a value")
}

// array reads an array of no meaning.
func (s *jsonScan) array() bool {
	if !s.enter() {
		return false
	}
	if s.next(']') {
		return s.leave()
	}
	for s.value() {
		if s.next(']') {
			return s.leave()
		}
		if !s.next(',') {
			return s.fail("want , or ] behind an element")
		}
	}
	return false
}

// str reads a string. The result is part of the payload, unless it has escapes.
func (s *jsonScan) str() ([]byte, bool) {
	s.i++
	for j := s.i; j < len(s.b); j++ {
		switch c := s.b[j]; {
		case c == '"':
			text := s.b[s.i:j]
			s.i = j + 1
			return text, true
		case c == '\\':
			return s.unescape(j)
		case c < ' ':
			s.i = j
			return nil, s.fail("control character in a string")
		}
	}
	s.i = len(s.b)
	return nil, s.fail("string without end")
}

// unescape reads the rest of a string whose first escape is at j, into new memory.
func (s *jsonScan) unescape(j int) ([]byte, bool) {
	text := append([]byte(nil), s.b[s.i:j]...)
	for j < len(s.b) {
		c := s.b[j]
		switch {
		case c == '"':
			s.i = j + 1
			return text, true
		case c == '\\':
			var n int
			if text, n = appendEscape(text, s.b[j:]); n == 0 {
				s.i = j
				return nil, s.fail("bad escape in a string")
			}
			j += n
			continue
		case c < ' ':
			s.i = j
			return nil, s.fail("control character in a string")
		}
		text = append(text, c)
		j++
	}
	s.i = len(s.b)
	return nil, s.fail("string without end")
}

// appendEscape appends what an escape at the start of b stands for and says how
// many bytes it takes; 0: it is none. Half a surrogate pair becomes U+FFFD.
func appendEscape(text, b []byte) ([]byte, int) {
	if len(b) < 2 {
		return text, 0
	}
	switch c := b[1]; c {
	case '"', '\\', '/':
		return append(text, c), 2
	case 'b':
		return append(text, '\b'), 2
	case 'f':
		return append(text, '\f'), 2
	case 'n':
		return append(text, '\n'), 2
	case 'r':
		return append(text, '\r'), 2
	case 't':
		return append(text, '\t'), 2
	}
	r := unicodeEscape(b)
	if r < 0 {
		return text, 0
	}
	if utf16.IsSurrogate(r) {
		if full := utf16.DecodeRune(r, unicodeEscape(b[6:])); full != utf8.RuneError {
			return utf8.AppendRune(text, full), 12
		}
		r = utf8.RuneError
	}
	return utf8.AppendRune(text, r), 6
}

// unicodeEscape reads \uXXXX at the start of b; -1: there is none.
func unicodeEscape(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	r := rune(0)
	for _, c := range b[2:6] {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}
