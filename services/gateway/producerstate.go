package gateway

import (
	"encoding/binary"
	"math"
	"slices"

	"weir/schemas"
	"weir/services/internal/fold"
)

func (p *producer) appendTo(b []byte) []byte {
	b = fold.AppendString(b, p.name)
	epochs := p.epochs()
	b = binary.AppendUvarint(b, uint64(len(epochs)))
	for _, e := range epochs {
		b = p.spaces[e].append(append(b, e[:]...))
	}
	return b
}

func (f *Fold) readProducer(r *fold.StateReader) {
	p := f.find(r.String())
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		var e schemas.Epoch
		if copy(e[:], r.B) < len(e) {
			r.Fail(errState)
			return
		}
		r.B = r.B[len(e):]
		s := p.space(e)
		if s == nil {
			r.Fail(errState)
			return
		}
		s.read(r)
	}
	p.choose()
	p.account()
}

func (s *space) append(b []byte) []byte {
	b = fold.AppendBool(b, s.retired)
	b = binary.AppendVarint(b, s.off)
	b = binary.AppendUvarint(b, uint64(len(s.stretches)))
	for _, st := range s.stretches {
		b = binary.AppendUvarint(binary.AppendUvarint(b, st.from), st.to)
		b = binary.AppendVarint(b, st.oldest)
		b = st.newest.append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(s.runs)))
	for _, first := range sortedKeys(s.runs) {
		b = binary.AppendUvarint(b, first)
		b = s.runs[first].end.append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(s.counted)))
	for _, view := range sortedKeys(s.counted) {
		b = binary.AppendUvarint(fold.AppendString(b, view), s.counted[view])
	}
	return b
}

func (s *space) read(r *fold.StateReader) {
	s.retired, s.off = r.Bool(), r.Int()
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		st := &stretch{from: r.Uint(), to: r.Uint(), oldest: r.Int()}
		st.newest = readHeading(r)
		s.stretches = append(s.stretches, st)
		if h := st.whole(); h != nil {
			s.newest = h
		}
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		c := &run{first: r.Uint()}
		c.end = readHeading(r)
		if c.end != nil {
			if st := s.at(c.end.n); st != nil && st.newest != nil && st.newest.n == c.end.n {
				c.end = st.newest
			}
		}
		s.runs[c.first] = c
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		view := r.String()
		s.counted[view] = r.Uint()
	}
}

func sortedKeys[K ~string | ~uint64, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// append appends a heading; nil is one whose number is 0.
func (h *heading) append(b []byte) []byte {
	if h == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(binary.AppendUvarint(b, h.n), h.first)
	b = binary.AppendVarint(binary.AppendVarint(b, h.time), h.wall)
	b = binary.AppendUvarint(b, h.config)
	b = binary.AppendUvarint(b, uint64(len(h.views)))
	for i := range h.views {
		b = appendProgress(fold.AppendString(b, h.views[i].View), &h.views[i])
	}
	b = binary.AppendUvarint(b, uint64(len(h.totals)))
	for _, t := range h.totals {
		for _, s := range [...]string{t.Tenant, string(t.Signal), string(t.Stage), string(t.Outcome), string(t.Reason)} {
			b = fold.AppendString(b, s)
		}
		b = binary.AppendUvarint(b, t.N)
	}
	return b
}

func readHeading(r *fold.StateReader) *heading {
	h := &heading{n: r.Uint()}
	if h.n == 0 || h.n >= math.MaxInt64 {
		return nil
	}
	h.first, h.time, h.wall, h.config = r.Uint(), r.Int(), r.Int(), r.Uint()
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		v := schemas.Progress{View: r.String()}
		readProgress(r, &v)
		h.views = append(h.views, v)
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		h.totals = append(h.totals, schemas.Total{
			Tenant: r.String(), Signal: schemas.Signal(r.String()), Stage: schemas.Stage(r.String()),
			Outcome: schemas.Outcome(r.String()), Reason: schemas.Reason(r.String()), N: r.Uint(),
		})
	}
	return h
}
