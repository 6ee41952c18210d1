package otlp

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"weir/schemas"
)

// Attributes of resources and spans, as OpenTelemetry's semantic conventions and
// its spanmetrics connector name them.
const (
	serviceName = "service.name"
	spanName    = "span.name"
	spanKind    = "span.kind"
	statusCode  = "status.code"
	severity    = "severity"
)

// deviceKeys are the resource attributes that may name a device, the surest first.
var deviceKeys = []string{"device.id", "service.instance.id", "host.name", serviceName}

// unnamed is the device of a resource that has none of deviceKeys.
const unnamed = "otlp"

// maxName is how long a device's name may be, and maxHash how much of it the hash
// of a longer one takes.
const (
	maxName = schemas.MaxNameLen
	maxHash = 9
)

// deviceOf is the device that a resource stands for: the first of deviceKeys that
// it has, with _ for what names may not hold.
func (r *Rules) deviceOf(resource pcommon.Map) string {
	if r.Device != "" {
		return r.Device
	}
	for _, key := range deviceKeys {
		if v, ok := resource.Get(key); ok {
			if name := v.AsString(); name != "" {
				return asName(name)
			}
		}
	}
	return unnamed
}

// asName makes a valid name of a text: equal ones of equal texts, and different
// ones of different long texts.
func asName(text string) string {
	name := strings.Map(func(c rune) rune {
		if c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return c
		}
		return '_'
	}, text)
	if len(name) <= maxName {
		return name
	}
	const digits = "0123456789abcdef"
	h := xxhash.Sum64String(text)
	tail := []byte{'-'}
	for i := range maxHash - 1 {
		tail = append(tail, digits[h>>(4*i)&15])
	}
	return name[:maxName-maxHash] + string(tail)
}

// maxAttrs and maxAttrLen bound the attributes of a reading: the bytes of a value
// beyond are cut off.
const (
	maxAttrs   = 16
	maxAttrLen = 128
)

// attributes collects those of a reading that views look at.
type attributes []schemas.Attr

// take adds what views look at of a map that is not there yet.
func (a *attributes) take(r *Rules, m pcommon.Map) {
	if r.Wants == nil {
		return
	}
	for key, v := range m.All() {
		if r.Wants(key) {
			a.set(key, v.AsString())
		}
	}
}

// set adds an attribute unless it is there or there are too many.
func (a *attributes) set(key, value string) {
	has := slices.ContainsFunc(*a, func(b schemas.Attr) bool { return b.Key == key })
	if has || len(*a) == maxAttrs || value == "" || !schemas.ValidMetric(key) {
		return
	}
	if len(value) > maxAttrLen {
		value = strings.ToValidUTF8(value[:maxAttrLen], "")
	}
	*a = append(*a, schemas.Attr{Key: key, Value: value})
}

// sorted is the attributes as readings have them.
func (b *Batch) sorted() []schemas.Attr {
	slices.SortFunc(b.now, func(a, b schemas.Attr) int { return cmp.Compare(a.Key, b.Key) })
	return keep(&b.attrs, b.now)
}

// mapHash is the hash of attributes in any order.
func mapHash(m pcommon.Map) (sum uint64) {
	var room [256]byte
	for key, v := range m.All() {
		text := append(append(append(room[:0], key...), 0), v.AsString()...)
		sum += xxhash.Sum64(text) | 1
	}
	return sum
}
