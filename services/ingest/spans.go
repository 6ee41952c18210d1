package ingest

import (
	"weir/schemas"
	"weir/services/internal/otlp"
)

// This file takes spans and log records that devices send in messages of their
// own: an OTLP request each, of the device that the subject names.

// request reads an OTLP request of a device under settings and its rules at ingest time now (Unix
// nanoseconds). It does not alias payload.
func (d *decoder) request(r *route, payload []byte, set *Settings, rules *Rules, now int64) *message {
	d.reset(rules, now)
	rest := skipSpace(payload)
	switch {
	case len(payload) > rules.Payload:
		d.fail(schemas.TooLarge, "payload of %d bytes: at most %d", len(payload), rules.Payload)
		return &d.message
	case len(rest) == 0:
		d.fail(schemas.Undecodable, "empty payload")
		return &d.message
	}
	e := otlp.Protobuf
	if rest[0] == '{' { // in protobuf that would begin a group, which OTLP has none of
		e = otlp.JSON
	}
	b, err := otlp.Read(r.signal, e, payload, otlp.Rules{
		Device: r.device, Wants: set.Wants, Now: d.now, MaxFuture: rules.MaxFuture + d.lead,
		Judge: func(string) otlp.Judge { return d.ruling.under(set, r.tenant) },
		Pass:  func(string) otlp.PassLimit { return rules.passLimit() }, PassBytes: maxPayload,
	})
	switch {
	case err != nil:
		d.fail(reasonOf(err), "%v", err)
	case b.Records > rules.Readings:
		d.fail(schemas.TooMany, "%d records of %s: at most %d", b.Records, r.signal, rules.Readings)
	case b.Records == 0:
		d.refuse(schemas.NoValues, 1, 0, "no record of %s in it", r.signal)
	default:
		d.batch(b)
	}
	return &d.message
}

// batch takes what a request turned out to be.
func (d *decoder) batch(b *otlp.Batch) {
	for i := range b.Items {
		d.readings = append(d.readings, b.Items[i].Reading)
		d.at = append(d.at, int(b.Items[i].Reading.Request.At))
	}
	for _, r := range b.Refused {
		d.refuse(r.Reason, r.N, r.At, "%s", r.Detail)
	}
	d.drop(b.Dropped)
	d.hold(b.Held)
}
