package ingest

import (
	"bytes"
	"fmt"

	"weir/schemas"
	"weir/services/internal/otlp"
)

// Format is a payload format that a tenant may be held to.
type Format string

// The formats. AnyFormat tells them apart by the first byte.
const (
	AnyFormat Format = ""
	JSON      Format = "json"
	Msgpack   Format = "msgpack"
)

// formats is the table of decoders by first byte after white space. The first
// row that holds the byte decodes the payload; none: undecodable.
var formats = []struct {
	name   Format
	first  func(c byte) bool
	decode func(d *decoder, payload []byte)
}{
	{JSON, func(c byte) bool { return c == '{' || c == '[' }, (*decoder).json},
	{JSON, func(c byte) bool { return isDigit(c) || c == '-' || c == '+' }, (*decoder).bareNumber},
	{Msgpack, func(c byte) bool { return c >= 0x80 && c <= 0x9f || c >= 0xdc && c <= 0xdf }, (*decoder).msgpack},
}

// A message holds what a payload turned out to be. Its strings alias the
// payload; it is valid until the next decode into it.
//
// Each record of the payload is in exactly one place: in readings, or in n of
// one refusal or of one of those that a rule dropped. A message with a fault has neither and is one record.
type message struct {
	readings []schemas.Reading // good ones, in order
	at       []int             // the place of each in the payload
	refused  []refusal
	dropped  []refusal         // by rules of policy
	held     []refusal         // log records among readings that rules choose to be passed through, and that are not
	numbers  []schemas.Reading // boot and seq of readings refused whole
	ignored  int               // fields that are neither metrics nor reserved
	fault    schemas.Reason    // why the payload as a whole is refused; "" if it is not
	detail   string            // of the fault or else of the first refusal
}

// refusal says that n records of one reading are refused.
type refusal struct {
	reason schemas.Reason
	n      int
	at     int // index of the reading in the payload
}

// records is how many records the message holds, whatever becomes of them.
func (m *message) records() int {
	if m.fault != "" {
		return 1
	}
	n := m.good()
	for _, r := range m.refused {
		n += r.n
	}
	for _, r := range m.dropped {
		n += r.n
	}
	return n
}

// clear forgets all readings, good and bad.
func (m *message) clear() {
	m.readings, m.at, m.refused, m.dropped, m.held, m.numbers = m.readings[:0], m.at[:0], m.refused[:0], m.dropped[:0], m.held[:0], m.numbers[:0]
	m.ignored = 0
}

// refuse refuses n records of the reading at an index.
func (m *message) refuse(why schemas.Reason, n, at int, format string, args ...any) {
	m.refused = append(m.refused, refusal{why, n, at})
	if m.detail == "" {
		m.detail = fmt.Sprintf(format, args...)
	}
}

// drop notes what rules of policy dropped.
func (m *message) drop(all []otlp.Refusal) {
	for _, d := range all {
		m.dropped = append(m.dropped, refusal{reason: d.Reason, n: d.N})
	}
}

// hold notes log records that are not passed through.
func (m *message) hold(all []otlp.Refusal) {
	for _, h := range all {
		m.held = append(m.held, refusal{reason: h.Reason, n: h.N})
	}
}

// good is how many records are in good readings.
func (m *message) good() int {
	n := 0
	for i := range m.readings {
		n += len(m.readings[i].Values)
	}
	return n
}

// refuseAll refuses the good readings too.
func (m *message) refuseAll(why schemas.Reason, format string, args ...any) {
	for i := range m.readings {
		r := &m.readings[i]
		m.refuse(why, len(r.Values), m.at[i], format, args...)
		if r.Numbered {
			m.numbers = append(m.numbers, *r)
		}
	}
	m.readings, m.at = m.readings[:0], m.at[:0]
}

// fail refuses the payload as a whole. The first fault stands.
func (m *message) fail(why schemas.Reason, format string, args ...any) {
	if m.fault == "" {
		m.fault, m.detail = why, fmt.Sprintf(format, args...)
	}
}

// decoder turns payloads into messages. It keeps its memory, so that decoding
// allocates nothing in the steady state. Not safe for concurrent use.
type decoder struct {
	message
	rules  *Rules
	now    int64 // ingest time
	lead   int64 // how far agent time is ahead of it, ns; see agentClock.lead
	values []schemas.Value
	attrs  []schemas.Attr
	spans  []span
	cur    assembly
	ruling ruling // what rules of policy made of an OTLP request
}

// span is where the values and attributes of a reading are, as long as the
// slices may still grow.
type span struct{ value, values, attr, attrs int }

// decode reads a payload under rules at ingest time now (Unix nanoseconds). The
// result aliases payload.
func (d *decoder) decode(payload []byte, rules *Rules, now int64) *message {
	d.reset(rules, now)
	switch rest := skipSpace(payload); {
	case len(payload) > rules.Payload:
		d.fail(schemas.TooLarge, "payload of %d bytes: at most %d", len(payload), rules.Payload)
	case len(rest) == 0:
		d.fail(schemas.Undecodable, "empty payload")
	default:
		d.dispatch(payload, rest[0])
	}
	if d.fault != "" {
		d.clear()
	}
	d.settle()
	return &d.message
}

// unread makes a message of a payload that is not looked at.
func (d *decoder) unread(why schemas.Reason, format string, args ...any) *message {
	d.reset(nil, 0)
	d.fail(why, format, args...)
	return &d.message
}

func (d *decoder) dispatch(payload []byte, first byte) {
	for _, f := range formats {
		if !f.first(first) {
			continue
		}
		if d.rules.Format != AnyFormat && d.rules.Format != f.name {
			d.fail(schemas.Undecodable, "payload is %s: this device may send %s only", f.name, d.rules.Format)
			return
		}
		f.decode(d, payload)
		return
	}
	d.fail(schemas.Undecodable, "payload begins with byte 0x%02x: want a JSON object, array or number, or a msgpack map or array", first)
}

func (d *decoder) reset(rules *Rules, now int64) {
	d.clear()
	d.fault, d.detail = "", ""
	d.rules, d.now = rules, now/1e6*1e6
	d.values, d.attrs, d.spans = d.values[:0], d.attrs[:0], d.spans[:0]
}

// settle gives the readings their values and attributes, now that these do not
// move any more.
func (d *decoder) settle() {
	for i := range d.readings {
		s, r := &d.spans[i], &d.readings[i]
		r.Values = d.values[s.value:s.values:s.values]
		r.Attrs = d.attrs[s.attr:s.attrs:s.attrs]
	}
}

// bareNumber takes a payload that is one number as the metric "value".
func (d *decoder) bareNumber(payload []byte) {
	b := skipSpace(payload)
	b, plus := bytes.CutPrefix(b, []byte{'+'})
	v, n := scanNumber(b, true)
	if n == 0 || plus && v.neg || len(skipSpace(b[n:])) > 0 {
		d.fail(schemas.Undecodable, "payload begins like a number and is none")
		return
	}
	d.begin(0)
	d.metric(bareMetric, &scalar{kind: isNumber, number: v})
	d.end()
}

// bareMetric is the metric of a number that stands alone.
var bareMetric = []byte("value")

func skipSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
