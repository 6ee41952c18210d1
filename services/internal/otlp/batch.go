package otlp

import (
	"fmt"

	"weir/schemas"
)

// Rules are what a receiver knows of a request.
type Rules struct {
	// Request tells it apart from all others: the hash of its bytes.
	Request uint64
	// Device is who sends, as the connection's credentials say. Empty: the resource
	// says, see deviceOf.
	Device string
	// Wants reports whether some view looks at an attribute. nil: none is looked at.
	Wants func(key string) bool
	// Judge is who applies the rules of policy to a device's items. nil, or the
	// result is: there are none.
	Judge func(device string) Judge
	// Pass is how much of a device's log records may be passed through, of those that rules
	// choose. nil: none.
	Pass func(device string) PassLimit
	// PassBytes is how many bytes of log records the request may pass through.
	PassBytes int
	// Now is when the request came, Unix ns. It stands for times that are missing.
	Now int64
	// MaxFuture is how many ns an event time may be ahead of Now.
	MaxFuture int64
}

// Batch is what a request turned out to be.
type Batch struct {
	Items   []Item
	Refused []Refusal
	Dropped []Refusal // by rules of policy
	Held    []Refusal // log records that rules choose to be passed through, and are not; they are counted nevertheless
	Records int       // all, whatever becomes of them
	passing passing
	place   uint32 // of the item at hand, whatever becomes of it
	next    uint32 // of the next one

	attrs  []schemas.Attr // what readings are made of, many at a time
	values []schemas.Value
	now    attributes // of the reading at hand
}

// attributes is where those of the next reading are collected.
func (b *Batch) attributes() *attributes {
	b.now = b.now[:0]
	return &b.now
}

// slab is how many attributes or values are made at a time.
const slab = 512

// keep copies the few into memory for many. Those kept before stay where they are.
func keep[T any](many *[]T, few []T) []T {
	if len(few) == 0 {
		return nil
	}
	if cap(*many)-len(*many) < len(few) {
		*many = make([]T, 0, max(slab, len(few)))
	}
	n := len(*many)
	*many = append(*many, few...)
	return (*many)[n:len(*many):len(*many)]
}

// Item is one reading and its device.
type Item struct {
	Device  string
	Reading schemas.Reading
}

// Refusal says that N records of a device are refused.
type Refusal struct {
	Device string
	Reason schemas.Reason
	N      int
	At     int    // the first one's place among the request's records
	Detail string // of the first one
}

// refuse refuses n records.
func (b *Batch) refuse(device string, why schemas.Reason, n int, format string, args ...any) {
	at := b.Records
	b.Records += n
	if k := len(b.Refused) - 1; k >= 0 && b.Refused[k].Device == device && b.Refused[k].Reason == why {
		b.Refused[k].N += n
		return
	}
	b.Refused = append(b.Refused, Refusal{device, why, n, at, fmt.Sprintf(format, args...)})
}

// begin goes on to the next item. Rules do not change the place that an item has.
func (b *Batch) begin() { b.place, b.next = b.next, b.next+1 }

// drop books n records of an item that a rule drops.
func (b *Batch) drop(device string, why schemas.Reason, n int) {
	b.Records += n
	b.Dropped = tally(b.Dropped, device, why, n)
}

// tally adds n to a list of what became of records.
func tally(list []Refusal, device string, why schemas.Reason, n int) []Refusal {
	if k := len(list) - 1; k >= 0 && list[k].Device == device && list[k].Reason == why {
		list[k].N += n
		return list
	}
	return append(list, Refusal{Device: device, Reason: why, N: n})
}

// add takes a reading unless it is refused, and reports whether it did.
func (b *Batch) add(r *Rules, device string, reading schemas.Reading) bool {
	n := len(reading.Values)
	reading.Request = schemas.Request{Hash: r.Request, At: b.place}
	if reading.EventTime == 0 {
		reading.EventTime = r.Now
	}
	switch name := reading.Values[0].Metric; {
	case reading.EventTime > r.Now+r.MaxFuture:
		b.refuse(device, schemas.Future, n, "%s at %d ns is %d ns ahead", name, reading.EventTime, reading.EventTime-r.Now)
	case reading.EventTime < earliest:
		b.refuse(device, schemas.BadTime, n, "%s at %d ns is before 2000", name, reading.EventTime)
	case !finite(reading.Values):
		b.refuse(device, schemas.BadValue, n, "%s is not a finite number", name)
	default:
		b.Records += n
		reading.IngestTime = r.Now
		b.Items = append(b.Items, Item{device, reading})
		return true
	}
	return false
}

// earliest is the first of January 2000, ns.
const earliest = 946684800_000000000

func finite(values []schemas.Value) bool {
	for i := range values {
		if v := values[i].Value; v-v != 0 {
			return false
		}
	}
	return true
}
