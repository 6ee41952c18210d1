package aggregator

import (
	"encoding/binary"

	"weir/schemas"
	"weir/services/internal/fold"
)

// early adds up what a series did in the current second of agent time.
type early struct {
	count         uint64
	sum, min, max float64
	last          schemas.Point
}

// add adds one record and reports whether it is the first of the second.
func (e *early) add(p schemas.Point) bool {
	e.count++
	e.sum = finite(e.sum + p.Value)
	if e.count == 1 {
		e.min, e.max, e.last = p.Value, p.Value, p
		return true
	}
	e.min, e.max = min(e.min, p.Value), max(e.max, p.Value)
	e.last = later(e.last, p)
	return false
}

func (e *early) value(s *series) schemas.Early {
	return schemas.Early{
		Tenant: s.dev.Tenant, Device: s.dev.Device, Metric: s.metric,
		Count: e.count, Mean: e.sum / float64(e.count), Min: e.min, Max: e.max, Last: e.last.Value,
	}
}

func (e *early) append(b []byte) []byte {
	b = binary.AppendUvarint(b, e.count)
	if e.count == 0 {
		return b
	}
	b = fold.AppendFloat(fold.AppendFloat(fold.AppendFloat(b, e.sum), e.min), e.max)
	return appendPoint(b, e.last)
}

func (e *early) read(r *fold.StateReader) {
	if e.count = r.Uint(); e.count > 0 {
		e.sum, e.min, e.max = r.Float(), r.Float(), r.Float()
		e.last = readPoint(r)
	}
}
