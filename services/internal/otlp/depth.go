package otlp

import "encoding/binary"

// Values of attributes nest: a list of lists of lists. Decoders follow them by
// recursion, so a request of a few megabytes could take a gigabyte of stack. What
// is nested deeper than any honest request is refused before it is decoded.
const (
	maxNesting = 100
	// shallow is a size that holds no more levels than a stack does.
	shallow = 4 << 10
)

// TooDeep reports whether a protobuf message is nested too deep. Any field that
// may be a message is taken for one; what cannot be read as one is not.
func TooDeep(message []byte) bool {
	type level struct {
		rest  []byte
		depth int
	}
	for open := []level{{message, 1}}; len(open) > 0; {
		top := &open[len(open)-1]
		field, rest, ok := nextField(top.rest)
		if !ok {
			open = open[:len(open)-1]
			continue
		}
		top.rest = rest
		if len(field) < shallow {
			continue
		}
		if top.depth == maxNesting {
			return true
		}
		open = append(open, level{field, top.depth + 1})
	}
	return false
}

// nextField takes a field off a message. field is its content if it has a length,
// else empty; ok is false at the end and where no field can be read.
func nextField(b []byte) (field, rest []byte, ok bool) {
	tag, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, nil, false
	}
	b = b[n:]
	size := uint64(0)
	switch tag & 7 {
	case 0:
		if _, n = binary.Uvarint(b); n <= 0 {
			return nil, nil, false
		}
		size = uint64(n)
	case 1:
		size = 8
	case 5:
		size = 4
	case 2:
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return nil, nil, false
		}
		return b[n : n+int(length)], b[n+int(length):], true
	default:
		return nil, nil, false
	}
	if size > uint64(len(b)) {
		return nil, nil, false
	}
	return nil, b[size:], true
}

// TooDeepJSON is TooDeep for JSON.
func TooDeepJSON(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > 2*maxNesting { // a level of protobuf is an object in an array
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
