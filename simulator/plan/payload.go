package plan

import (
	"strconv"

	"weir/schemas"
)

// bad is a payload that no reading can be made of, and why.
type bad struct {
	payload string
	reason  schemas.Reason
}

var malformed = [...]bad{
	{`{"temp":21.5,"ts":`, schemas.Undecodable},
	{`temperature 21.5`, schemas.Undecodable},
	{`{"temp":21.5}}`, schemas.Undecodable},
	{`21.5 degrees`, schemas.Undecodable},
	{`{"note":"no number in here"}`, schemas.NoValues},
	{`{"temp":null}`, schemas.NoValues},
	{`{"9temp":21.5}`, schemas.BadName},
	{`{"temp in C":21.5}`, schemas.BadName},
	{`{"temp":21.5,"ts":86400}`, schemas.BadTime},
	{`{"temp":21.5,"ts":"yesterday"}`, schemas.BadTime},
	{`{"temp":1e999}`, schemas.BadValue},
}

func (p *Plan) bad(m Message) bad {
	return malformed[p.hash(saltMalformed, m.Device, m.Index)%uint64(len(malformed))]
}

// AppendPayload appends the message as a device sends it: JSON text, one object,
// or an array where messages hold several readings.
func (p *Plan) AppendPayload(b []byte, m Message) []byte {
	if m.Fate == Malformed {
		return append(b, p.bad(m).payload...)
	}
	if p.Batch == 1 {
		return p.appendReading(b, m, 0)
	}
	b = append(b, '[')
	for r := range p.Batch {
		if r > 0 {
			b = append(b, ',')
		}
		b = p.appendReading(b, m, r)
	}
	return append(b, ']')
}

func (p *Plan) appendReading(b []byte, m Message, r int) []byte {
	b = append(b, `{"`+Metric+`":`...)
	b = appendValue(b, p.Value(m, r))
	b = append(b, `,"ts":`...)
	b = strconv.AppendInt(b, p.EventTime(m, r)/ms, 10)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, m.Seq+uint64(r), 10)
	b = append(b, `,"boot":"s`...)
	b = append(b, p.Run...)
	return append(b, `"}`...)
}

// appendValue writes v Units in decimal, exactly and without trailing zeros.
func appendValue(b []byte, v int64) []byte {
	b = strconv.AppendInt(b, v/unitsPerOne, 10)
	frac := v % unitsPerOne
	if frac == 0 {
		return b
	}
	b = append(b, '.')
	for ; frac > 0; frac = frac * 10 % unitsPerOne {
		b = append(b, '0'+byte(frac*10/unitsPerOne))
	}
	return b
}

// Series is the part of the record identities of device d that its records share.
func (p *Plan) Series(d int) uint64 {
	return schemas.SeriesIdentity(p.Tenant, p.Device(d), p.Boot(), Metric)
}
