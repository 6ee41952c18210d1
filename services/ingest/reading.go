package ingest

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"weir/schemas"
)

// kind is what a value of a field is.
type kind uint8

const (
	isNull kind = iota
	isBool
	isNumber
	isText
	isNested
)

func (k kind) String() string {
	return [...]string{"null", "a boolean", "a number", "text", "an object or array"}[k]
}

// scalar is the value of a field as any format gives it.
type scalar struct {
	kind   kind
	on     bool
	number number
	text   []byte
}

// Limits of attributes, which are part of the reading format.
const (
	maxAttrs   = 16
	maxAttrLen = 128
)

// field says which reserved field a key is.
type field uint8

const (
	noField field = iota
	fieldTime
	fieldSeq
	fieldBoot
	fieldAttrs
	fieldMetrics
	fieldSkipped // reserved for later: unit, traceparent, tracestate
)

func fieldOf(key []byte) field {
	switch string(key) {
	case "ts":
		return fieldTime
	case "seq":
		return fieldSeq
	case "boot":
		return fieldBoot
	case "attrs":
		return fieldAttrs
	case "metrics":
		return fieldMetrics
	case "unit", "traceparent", "tracestate":
		return fieldSkipped
	}
	return noField
}

// assembly is one reading while its fields come in, in any order.
type assembly struct {
	at       int
	seen     uint8 // bit per field that came
	inside   bool  // metrics came: only what is in there counts
	time     int64
	timed    bool
	reading  schemas.Reading
	value    int // where its values, attributes and refusals begin
	attr     int
	refusals int
	why      schemas.Reason // why the whole reading is refused
	detail   string
}

// begin starts the reading at an index of the payload.
func (d *decoder) begin(at int) {
	d.cur = assembly{at: at, value: len(d.values), attr: len(d.attrs), refusals: len(d.refused)}
}

// condemn refuses the current reading as a whole. The first reason stands.
func (d *decoder) condemn(why schemas.Reason, format string, args ...any) {
	if d.cur.why == "" {
		d.cur.why, d.cur.detail = why, fmt.Sprintf(format, args...)
	}
}

// once notes a reserved field and condemns the reading where it comes twice.
func (d *decoder) once(f field) {
	if d.cur.seen&(1<<f) != 0 {
		d.condemn(schemas.BadValue, "%s is there twice", [...]string{fieldTime: "ts", fieldSeq: "seq", fieldBoot: "boot", fieldAttrs: "attrs", fieldMetrics: "metrics"}[f])
	}
	d.cur.seen |= 1 << f
}

// field takes a field of the reading's outermost object, except for an object
// under metrics or attrs, whose members the format hands over one by one.
func (d *decoder) field(f field, key []byte, v *scalar) {
	if v.kind == isNull || f == fieldSkipped {
		return
	}
	switch f {
	case fieldTime:
		d.takeTime(v)
	case fieldSeq:
		d.takeSeq(v)
	case fieldBoot:
		d.takeBoot(v)
	case fieldAttrs, fieldMetrics:
		d.condemn(schemas.BadValue, "%s is %s: want an object", key, v.kind)
	case noField:
		if d.cur.inside {
			d.ignored++
			return
		}
		d.metric(key, v)
	}
}

func (d *decoder) takeTime(v *scalar) {
	d.once(fieldTime)
	ok := false
	switch v.kind {
	case isNumber:
		d.cur.time, ok = stampOf(&v.number)
	case isText:
		d.cur.time, ok = parseStamp(v.text)
	}
	d.cur.timed = true
	if !ok {
		d.condemn(schemas.BadTime, "ts: want seconds, ms, µs or ns since 1970 or RFC 3339 text, from 2000 on")
	}
}

func (d *decoder) takeSeq(v *scalar) {
	d.once(fieldSeq)
	n, ok := v.number.uint()
	if v.kind != isNumber || !ok {
		d.condemn(schemas.BadValue, "seq: want an integer from 0 to 2^63-1")
		return
	}
	d.cur.reading.Seq, d.cur.reading.Numbered = n, true
}

func (d *decoder) takeBoot(v *scalar) {
	d.once(fieldBoot)
	boot, ok := "", false
	switch v.kind {
	case isNumber:
		boot, ok = v.number.text()
	case isText:
		boot, ok = alias(v.text), true
	}
	if !ok || !schemas.ValidName(boot) {
		d.condemn(schemas.BadValue, "boot: want an integer, or 1 to %d letters, digits, '-' or '_'", schemas.MaxNameLen)
		return
	}
	d.cur.reading.Boot = boot
}

// enterMetrics is called before the members of an object under metrics: fields
// that came before do not count.
func (d *decoder) enterMetrics() {
	c := &d.cur
	d.once(fieldMetrics)
	d.ignored += len(d.values) - c.value
	for _, r := range d.refused[c.refusals:] {
		d.ignored += r.n
	}
	d.values, d.refused = d.values[:c.value], d.refused[:c.refusals]
	if c.refusals == 0 {
		d.detail = ""
	}
	c.inside = true
}

// metric takes a value under a name: one record, if it is a number or boolean.
func (d *decoder) metric(key []byte, v *scalar) {
	value := v.number.float
	switch v.kind {
	case isNull:
		return
	case isText, isNested:
		d.ignored++
		return
	case isBool:
		value = 0
		if v.on {
			value = 1
		}
	}
	switch {
	case !schemas.DeviceMetric(key):
		d.refuse(schemas.BadName, 1, d.cur.at, "metric name %.140q: want a letter or '_', then up to %d of letters, digits and _.:/-, and not the prefix %s", key, schemas.MaxMetricLen-1, schemas.ReservedMetrics)
	case v.kind == isNumber && !v.number.finite():
		d.refuse(schemas.BadValue, 1, d.cur.at, "metric %s: not a finite number", key)
	case d.named(key):
		d.refuse(schemas.BadName, 1, d.cur.at, "metric %s is there twice", key)
	default:
		d.values = append(d.values, schemas.Value{Metric: alias(key), Value: value})
	}
}

// named reports whether the current reading has a value of that name. A reading
// with too many metrics is refused whole, so its names need no more looking at.
func (d *decoder) named(key []byte) bool {
	if len(d.values)-d.cur.value > d.rules.Metrics {
		return false
	}
	for i := d.cur.value; i < len(d.values); i++ {
		if d.values[i].Metric == string(key) {
			return true
		}
	}
	return false
}

// attribute takes a member of attrs.
func (d *decoder) attribute(key []byte, v *scalar) {
	value, ok := "", true
	switch v.kind {
	case isNull:
		return
	case isBool:
		value = "false"
		if v.on {
			value = "true"
		}
	case isNumber, isText:
		value = alias(v.text)
	default:
		ok = false
	}
	switch {
	case !schemas.ValidMetric(key):
		d.condemn(schemas.BadName, "attribute name %.140q: want the form of a metric's", key)
	case !ok || len(value) > maxAttrLen || !utf8.ValidString(value):
		d.condemn(schemas.BadValue, "attribute %s: want text, a number or a boolean of at most %d bytes", key, maxAttrLen)
	case len(d.attrs)-d.cur.attr == maxAttrs:
		d.condemn(schemas.TooMany, "more than %d attributes", maxAttrs)
	default:
		d.attrs = append(d.attrs, schemas.Attr{Key: alias(key), Value: value})
	}
}

// alien takes an element of an array that is neither an object nor a number.
func (d *decoder) alien(at int, k kind) {
	d.refuse(schemas.BadValue, 1, at, "reading %d is %s: want an object or a number", at, k)
}

// end judges the current reading now that all of it is known.
func (d *decoder) end() {
	c := &d.cur
	r := &c.reading
	r.IngestTime, r.EventTime = d.now, d.now
	if c.timed {
		r.EventTime = c.time
	}
	d.judge()
	good := len(d.values) - c.value
	if c.why == "" && good > 0 {
		d.readings = append(d.readings, *r)
		d.at = append(d.at, c.at)
		d.spans = append(d.spans, span{c.value, len(d.values), c.attr, len(d.attrs)})
		return
	}
	if c.why != "" && (good > 0 || len(d.refused) == c.refusals) {
		d.refuse(c.why, max(good, 1), c.at, "%s", c.detail)
	}
	if r.Numbered {
		d.numbers = append(d.numbers, *r)
	}
	d.values, d.attrs = d.values[:c.value], d.attrs[:c.attr]
}

// judge applies the rules that concern a reading as a whole.
func (d *decoder) judge() {
	c := &d.cur
	if n := len(d.values) - c.value; n > d.rules.Metrics {
		d.condemn(schemas.TooMany, "%d metrics in one reading: at most %d", n, d.rules.Metrics)
	} else if n == 0 && len(d.refused) == c.refusals {
		d.condemn(schemas.NoValues, "no number or boolean in it")
	}
	if ahead := c.reading.EventTime - d.now - d.lead; ahead > d.rules.MaxFuture {
		d.condemn(schemas.Future, "ts is %.3f s ahead: at most %.3f s", float64(ahead)/1e9, float64(d.rules.MaxFuture)/1e9)
	}
	d.sortAttrs()
}

// sortAttrs orders the attributes by key, as readings have them.
func (d *decoder) sortAttrs() {
	attrs := d.attrs[d.cur.attr:]
	if len(attrs) < 2 {
		return
	}
	slices.SortFunc(attrs, func(a, b schemas.Attr) int { return strings.Compare(a.Key, b.Key) })
	for i := 1; i < len(attrs); i++ {
		if attrs[i].Key == attrs[i-1].Key {
			d.condemn(schemas.BadName, "attribute %s is there twice", attrs[i].Key)
		}
	}
}
