package gateway

import (
	"encoding/binary"
	"slices"

	"weir/schemas"
	"weir/services/internal/fold"
	"weir/services/internal/found"
)

// append appends the findings, as a commit writes them, and what stands beside them.
func (s *findings) append(b []byte) []byte {
	open := s.sorted()
	var rows, wides []schemas.Finding
	for _, k := range open {
		rows = append(rows, k.Finding)
	}
	for _, w := range s.wide {
		wides = append(wides, w.Finding)
	}
	for _, list := range [...][]schemas.Finding{wides, rows, s.over} {
		b = found.Append(b, list)
	}
	for _, w := range s.wide {
		b = fold.AppendBool(binary.AppendVarint(binary.AppendVarint(b, w.joined), w.told), w.news)
		b = append(fold.AppendString(b, w.tenant), byte(w.kind))
	}
	for _, k := range open {
		b = binary.AppendUvarint(binary.AppendVarint(b, k.came), uint64(slices.Index(s.wide, k.in)+1))
	}
	return s.counts.Append(fold.AppendBool(b, s.news))
}

// read takes back what append wrote.
func (s *findings) read(r *fold.StateReader) {
	wides, rows := found.Read(r), found.Read(r)
	s.over = found.Read(r)
	for i := range wides {
		w := &wide{Finding: wides[i], joined: r.Int(), told: r.Int(), news: r.Bool()}
		w.cause = cause{r.String(), schemas.FindingKind(r.Byte())}
		s.wide = append(s.wide, w)
	}
	s.open = map[uint64]*known{}
	for i := range rows {
		k := &known{Finding: rows[i], came: r.Int()}
		if in := r.Uint(); in > uint64(len(s.wide)) {
			r.Fail(errState)
		} else if in > 0 {
			k.in = s.wide[in-1]
		}
		s.open[k.ID] = k
	}
	s.news = r.Bool()
	s.counts.Read(r)
}
