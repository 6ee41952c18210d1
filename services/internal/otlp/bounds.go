package otlp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"weir/schemas"
)

// What a request decodes to can be far larger than the request: an empty span is
// two bytes of it and two hundred of memory, and a list in a list in a list takes
// stack. Both are measured on the bytes, before anything is decoded.

// Bounds of a request.
const (
	// MaxBytes is how large it may be, unpacked.
	MaxBytes = 4 << 20
	// MaxRecords is how many spans, log records or data points it may hold.
	MaxRecords = 1 << 16
	// maxElements is how many of everything: records and what they are listed with,
	// attributes, events, links, exemplars.
	maxElements = 250_000
	// maxNesting is how many values of attributes may be in each other.
	maxNesting = 100
)

// Why a request is refused as a whole, beside being none.
var (
	ErrDeep = errors.New("it is nested too deep")
	ErrMany = errors.New("it holds too many")
)

// within reports what is wrong with the bounds of a request.
func within(signal schemas.Signal, e Encoding, body []byte) error {
	if e == JSON {
		return withinJSON(body)
	}
	s := scan{}
	return s.message(rootOf(signal), body, 0)
}

// element is a kind of message of OTLP that holds others.
type element uint8

const (
	isNothing element = iota // not a message, or one that pdata does not read
	isLeaf                   // a message without any in it

	isSpans // a request of traces, and so on
	isLogs
	isMetrics
	isSpansOf // of one resource, and so on
	isLogsOf
	isMetricsOf
	isScopeSpans
	isScopeLogs
	isScopeMetrics
	isResource
	isScope
	isSpan
	isEvent
	isLink
	isLogRecord
	isMetric
	isNumbers // the points of a gauge or a sum
	isHistograms
	isExponentials
	isSummaries
	isNumber
	isHistogram
	isExponential
	isSummary
	isExemplar
	isAttribute
	isValue // of an attribute
	isList
	isAttributeList
)

func rootOf(signal schemas.Signal) element {
	switch signal {
	case schemas.Traces:
		return isSpans
	case schemas.Logs:
		return isLogs
	}
	return isMetrics
}

// deprecated is the number of a field that is read like the second.
const deprecated = 1000

// holds says which fields of a message are messages, by their numbers.
var holds = [...][16]element{
	isSpans:         {1: isSpansOf},
	isLogs:          {1: isLogsOf},
	isMetrics:       {1: isMetricsOf},
	isSpansOf:       {1: isResource, 2: isScopeSpans},
	isLogsOf:        {1: isResource, 2: isScopeLogs},
	isMetricsOf:     {1: isResource, 2: isScopeMetrics},
	isScopeSpans:    {1: isScope, 2: isSpan},
	isScopeLogs:     {1: isScope, 2: isLogRecord},
	isScopeMetrics:  {1: isScope, 2: isMetric},
	isResource:      {1: isAttribute, 3: isLeaf},
	isScope:         {3: isAttribute},
	isSpan:          {9: isAttribute, 11: isEvent, 13: isLink},
	isEvent:         {3: isAttribute},
	isLink:          {4: isAttribute},
	isLogRecord:     {5: isValue, 6: isAttribute},
	isMetric:        {5: isNumbers, 7: isNumbers, 9: isHistograms, 10: isExponentials, 11: isSummaries, 12: isAttribute},
	isNumbers:       {1: isNumber},
	isHistograms:    {1: isHistogram},
	isExponentials:  {1: isExponential},
	isSummaries:     {1: isSummary},
	isNumber:        {5: isExemplar, 7: isAttribute},
	isHistogram:     {8: isExemplar, 9: isAttribute},
	isExponential:   {1: isAttribute, 8: isLeaf, 9: isLeaf, 11: isExemplar},
	isSummary:       {6: isLeaf, 7: isAttribute},
	isExemplar:      {7: isAttribute},
	isAttribute:     {2: isValue},
	isValue:         {5: isList, 6: isAttributeList},
	isList:          {1: isValue},
	isAttributeList: {1: isAttribute},
}

// scan counts the elements of a request in protobuf.
type scan struct{ elements int }

// message looks at a message that is within nesting values.
func (s *scan) message(e element, b []byte, nesting int) error {
	if e == isValue {
		nesting++
	}
	if nesting > maxNesting {
		return fmt.Errorf("%w: more than %d levels", ErrDeep, maxNesting)
	}
	for len(b) > 0 && e != isLeaf {
		number, field, rest, err := nextField(b)
		if err != nil {
			return err
		}
		b = rest
		inner := e.field(number)
		if inner == isNothing {
			continue
		}
		if inner != isValue || e == isList { // the value of an attribute is part of it
			s.elements++
		}
		if s.elements > maxElements {
			return fmt.Errorf("%w: more than %d records, attributes and the like", ErrMany, maxElements)
		}
		if err := s.message(inner, field, nesting); err != nil {
			return err
		}
	}
	return nil
}

// field is what a field of a message holds.
func (e element) field(number uint64) element {
	if number == deprecated && e < isScopeSpans {
		number = 2
	}
	if number >= uint64(len(holds[e])) {
		return isNothing
	}
	return holds[e][number]
}

// errWire says that bytes are no protobuf, or hold what OTLP has no use for.
var errWire = errors.New("no protobuf of OTLP")

// nextField takes a field off a message. field is its content if it has a length,
// else empty.
func nextField(b []byte) (number uint64, field, rest []byte, err error) {
	tag, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, nil, errWire
	}
	b = b[n:]
	size := uint64(0)
	switch tag & 7 {
	case 0:
		if _, n = binary.Uvarint(b); n <= 0 {
			return 0, nil, nil, errWire
		}
		size = uint64(n)
	case 1:
		size = 8
	case 5:
		size = 4
	case 2:
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return 0, nil, nil, errWire
		}
		return tag >> 3, b[n : n+int(length)], b[n+int(length):], nil
	default:
		return 0, nil, nil, errWire
	}
	if size > uint64(len(b)) {
		return 0, nil, nil, errWire
	}
	return tag >> 3, nil, b[size:], nil
}

// withinJSON bounds a request in JSON, by its braces and brackets: a value in a
// value is an object in an array in an object.
func withinJSON(text []byte) error {
	depth, objects, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > 3*maxNesting {
				return fmt.Errorf("%w: more than %d levels", ErrDeep, maxNesting)
			}
			if c == '{' {
				objects++
			}
			if objects > 2*maxElements { // an attribute is two, itself and its value
				return fmt.Errorf("%w: more than %d objects", ErrMany, 2*maxElements)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}
