package exporter

import (
	"container/heap"
	"encoding/binary"

	"weir/schemas"
	"weir/services/internal/fold"
)

// append appends the state of a source.
func (s *source) append(b []byte) []byte {
	b = fold.AppendString(b, s.producer)
	b = append(b, s.epoch[:]...)
	b = binary.AppendUvarint(b, s.n)
	b = binary.AppendUvarint(b, s.judged)
	b = fold.AppendBool(b, s.whole)
	b = fold.AppendBool(b, s.gap)
	b = fold.AppendBool(b, s.previous)
	b = fold.AppendBool(b, s.logs.begun)
	b = binary.AppendUvarint(binary.AppendUvarint(b, s.logs.told), s.logs.read)
	b = binary.AppendUvarint(b, uint64(len(s.marks)))
	for _, view := range sortedKeys(s.marks) {
		b = s.marks[view].append(fold.AppendString(b, view))
	}
	fresh := make(map[*part]bool, len(s.fresh))
	b = binary.AppendUvarint(b, uint64(len(s.open)))
	for _, p := range s.fresh {
		fresh[p] = true
		b = p.append(b, true)
	}
	for _, p := range s.open {
		if !fresh[p] {
			b = p.append(b, false)
		}
	}
	return b
}

func readSource(r *fold.StateReader, version byte) *source {
	s := newSource(r.String())
	readEpoch(r, &s.epoch)
	s.n, s.judged, s.whole, s.gap, s.previous = r.Uint(), r.Uint(), r.Bool(), r.Bool(), r.Bool()
	if version > 2 {
		s.logs = passing{r.Bool(), r.Uint(), r.Uint()}
	}
	for range r.Len() {
		view := r.String()
		s.marks[view] = readMark(r)
	}
	for range r.Len() {
		p, fresh := readPart(r, s.producer, version)
		s.open[idOf(&p.Window)] = p
		heap.Push(s.heap(p.View), p)
		if p.doubtful {
			s.mark(p.View).doubtful++
		}
		if fresh {
			s.fresh = append(s.fresh, p)
		}
	}
	return s
}

func readEpoch(r *fold.StateReader, e *schemas.Epoch) {
	for i := range e {
		e[i] = r.Byte()
	}
}

func (m *mark) append(b []byte) []byte {
	for _, v := range [...]int64{m.through, m.passed, m.fullTo} {
		b = binary.AppendVarint(b, v)
	}
	b = binary.AppendUvarint(b, m.base)
	b = binary.AppendUvarint(b, m.counted)
	for _, v := range [...]bool{m.begun, m.refused, m.inherits} {
		b = fold.AppendBool(b, v)
	}
	return binary.AppendVarint(b, m.debt)
}

func readMark(r *fold.StateReader) *mark {
	return &mark{
		through: r.Int(), passed: r.Int(), fullTo: r.Int(), base: r.Uint(), counted: r.Uint(),
		begun: r.Bool(), refused: r.Bool(), inherits: r.Bool(), debt: r.Int(),
	}
}

func (p *part) append(b []byte, fresh bool) []byte {
	b = fold.AppendString(fold.AppendString(b, p.View), p.Key.Tenant)
	b = appendStrings(appendStrings(b, p.Dims), p.Key.Values)
	b = append(b, p.Epoch[:]...)
	for _, v := range [...]uint64{p.FirstN, uint64(p.Revision), p.Count, p.run, uint64(p.Widened)} {
		b = binary.AppendUvarint(b, v)
	}
	b = binary.AppendVarint(binary.AppendVarint(b, p.Start), p.End)
	for _, v := range [...]float64{p.Sum, p.Min, p.Max} {
		b = fold.AppendFloat(b, v)
	}
	for _, v := range [...]bool{p.Timing == schemas.FinalTiming, p.held, p.amends, p.doubtful, fresh} {
		b = fold.AppendBool(b, v)
	}
	return fold.AppendExemplars(fold.AppendString(b, string(p.Sketch)), p.Exemplars)
}

func readPart(r *fold.StateReader, producer string, version byte) (p *part, fresh bool) {
	p = &part{final: final{producer: producer}}
	p.Contributor = producer
	p.View, p.Key.Tenant = r.String(), r.String()
	p.Dims, p.Key.Values = readStrings(r), readStrings(r)
	readEpoch(r, &p.Epoch)
	p.FirstN, p.Revision, p.Count, p.run, p.Widened = r.Uint(), uint32(r.Uint()), r.Uint(), r.Uint(), uint32(r.Uint())
	p.Start, p.End = r.Int(), r.Int()
	p.Sum, p.Min, p.Max = r.Float(), r.Float(), r.Float()
	if r.Bool() {
		p.Timing = schemas.FinalTiming
	}
	p.held, p.amends, p.doubtful, fresh = r.Bool(), r.Bool(), r.Bool(), r.Bool()
	p.Sketch = append([]byte(nil), r.Bytes()...)
	if version > 1 {
		p.Exemplars = r.Exemplars()
	}
	return p, fresh
}
