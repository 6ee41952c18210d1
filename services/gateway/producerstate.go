package gateway

import (
	"encoding/binary"
	"maps"
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
	return p.doubts.append(appendEpochs(b, p.news))
}

func (f *Fold) readProducer(r *fold.StateReader) {
	p := f.find(r.String())
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		s := p.space(readEpoch(r))
		if s == nil || r.Err != nil {
			r.Fail(errState)
			return
		}
		s.read(r, f.reads)
		if f.reads < 8 && !p.agent {
			s.stands.others.gone, s.recall = s.latest, newRecall() // which windows it was is not known any more
		}
	}
	if f.reads > 7 {
		p.news = readEpochs(r)
		p.doubts.read(r)
	}
	p.findRivals()
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
	b = appendCounts(b, s.counted)
	b = appendEpochs(b, slices.SortedFunc(maps.Keys(s.knows), schemas.Epoch.Compare))
	return s.stands.append(s.logs.append(s.succession.append(b)))
}

func (s *space) read(r *fold.StateReader, version byte) {
	s.retired, s.off = r.Bool(), r.Int()
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		st := &stretch{from: r.Uint(), to: r.Uint(), oldest: r.Int()}
		st.newest = readHeading(r, version)
		s.stretches = append(s.stretches, st)
		if h := st.whole(); h != nil {
			s.newest = h
		}
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		c := &run{first: r.Uint()}
		c.end = readHeading(r, version)
		if c.end != nil {
			if st := s.at(c.end.n); st != nil && st.newest != nil && st.newest.n == c.end.n {
				c.end = st.newest
			}
		}
		s.runs[c.first] = c
	}
	readCounts(r, s.counted)
	if version > 7 {
		s.meet(readEpochs(r))
	}
	if version > 3 {
		s.succession.read(r, version)
	}
	if version > 5 {
		s.readKnown(r)
	}
	if version > 6 {
		s.logs.read(r, version)
	}
	if version > 7 {
		s.stands.read(r)
	}
}

func appendEpochs(b []byte, epochs []schemas.Epoch) []byte {
	b = binary.AppendUvarint(b, uint64(len(epochs)))
	for _, e := range epochs {
		b = append(b, e[:]...)
	}
	return b
}

func readEpochs(r *fold.StateReader) (epochs []schemas.Epoch) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		epochs = append(epochs, readEpoch(r))
	}
	return epochs
}

// appendCounts appends counts by name.
func appendCounts(b []byte, m map[string]uint64) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for _, k := range sortedKeys(m) {
		b = binary.AppendUvarint(fold.AppendString(b, k), m[k])
	}
	return b
}

func readCounts(r *fold.StateReader, into map[string]uint64) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		name := r.String()
		into[name] = r.Uint()
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
	for _, v := range [...]uint64{h.config, h.inLast, h.inHash} {
		b = binary.AppendUvarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(h.views)))
	for i := range h.views {
		b = appendProgress(fold.AppendString(b, h.views[i].View), &h.views[i])
	}
	return appendTotals(b, h.totals)
}

func appendTotals(b []byte, rows []schemas.Total) []byte {
	b = binary.AppendUvarint(b, uint64(len(rows)))
	for _, t := range rows {
		for _, s := range [...]string{t.Tenant, string(t.Signal), string(t.Stage), string(t.Outcome), string(t.Reason)} {
			b = fold.AppendString(b, s)
		}
		b = binary.AppendUvarint(b, t.N)
	}
	return b
}

func readTotals(r *fold.StateReader) (rows []schemas.Total) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		rows = append(rows, schemas.Total{
			Tenant: r.String(), Signal: schemas.Signal(r.String()), Stage: schemas.Stage(r.String()),
			Outcome: schemas.Outcome(r.String()), Reason: schemas.Reason(r.String()), N: r.Uint(),
		})
	}
	return rows
}

func readHeading(r *fold.StateReader, version byte) *heading {
	h := &heading{n: r.Uint()}
	if h.n == 0 || h.n >= math.MaxInt64 {
		return nil
	}
	h.first, h.time, h.wall, h.config = r.Uint(), r.Int(), r.Int(), r.Uint()
	if version > 3 {
		h.inLast, h.inHash = r.Uint(), r.Uint()
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		v := schemas.Progress{View: r.String()}
		readProgress(r, &v, version)
		h.views = append(h.views, v)
	}
	h.totals = readTotals(r)
	return h
}

func (s *succession) append(b []byte) []byte {
	b = appendTotals(binary.AppendUvarint(b, s.state), s.will)
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(s.told)), uint64(len(s.after)))
	for _, k := range s.after {
		b = appendContinuation(b, k)
	}
	b = binary.AppendUvarint(b, uint64(len(s.endings)))
	for _, e := range s.endings {
		b = appendContinuation(append(b, e.by[:]...), e.Continuation)
	}
	b = s.recall.append(fold.AppendBool(b, s.over))
	for _, m := range [...]map[string]uint64{s.records, s.doubt, s.shed, s.refused, s.inherited} {
		b = appendCounts(b, m)
	}
	return s.appendKnown(b)
}

func (s *succession) appendKnown(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s.knew)))
	for _, e := range slices.SortedFunc(maps.Keys(s.knew), schemas.Epoch.Compare) {
		b = appendCounts(append(b, e[:]...), s.knew[e])
	}
	return b
}

func (s *succession) readKnown(r *fold.StateReader) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		e := readEpoch(r)
		s.knew[e] = map[string]uint64{}
		readCounts(r, s.knew[e])
	}
}

func (s *succession) read(r *fold.StateReader, version byte) {
	s.state, s.will = r.Uint(), readTotals(r)
	s.told = int(r.Uint())
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		s.after = append(s.after, readContinuation(r))
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		s.endings = append(s.endings, ending{readEpoch(r), readContinuation(r)})
	}
	s.over = r.Bool()
	if version > 7 {
		s.recall.read(r, version)
	} else {
		s.oldestN, s.firstAt, s.oldestAt, s.latest = r.Uint(), never, r.Int(), r.Int()
		s.readRecent(r)
	}
	for _, m := range [...]map[string]uint64{s.records, s.doubt, s.shed, s.refused, s.inherited} {
		readCounts(r, m)
	}
}

func appendContinuation(b []byte, k schemas.Continuation) []byte {
	b = append(b, k.Epoch[:]...)
	for _, v := range [...]uint64{k.From, k.N, k.State, k.Estate} {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

func readContinuation(r *fold.StateReader) schemas.Continuation {
	return schemas.Continuation{Epoch: readEpoch(r), From: r.Uint(), N: r.Uint(), State: r.Uint(), Estate: r.Uint()}
}

func readEpoch(r *fold.StateReader) (e schemas.Epoch) {
	if copy(e[:], r.B) < len(e) {
		r.Fail(errState)
		return e
	}
	r.B = r.B[len(e):]
	return e
}
