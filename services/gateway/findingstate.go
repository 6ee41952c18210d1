package gateway

import (
	"encoding/binary"
	"slices"

	"weir/schemas"
	"weir/services/internal/fold"
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
		c := schemas.Commit{N: 1, RunFirst: 1, Findings: list}
		b = fold.AppendString(b, string(new(schemas.CommitEncoder).Append(nil, &c)))
	}
	for _, w := range s.wide {
		b = fold.AppendBool(binary.AppendVarint(binary.AppendVarint(b, w.joined), w.told), w.news)
		b = append(fold.AppendString(b, w.tenant), byte(w.kind))
	}
	for _, k := range open {
		b = binary.AppendUvarint(binary.AppendVarint(b, k.came), uint64(slices.Index(s.wide, k.in)+1))
	}
	b = binary.AppendUvarint(fold.AppendBool(b, s.news), uint64(len(s.counts)))
	for _, c := range s.counts {
		b = fold.AppendString(fold.AppendString(fold.AppendString(b, c.Tenant), c.Detector), c.Severity)
		b = binary.AppendUvarint(b, c.N)
	}
	return b
}

// read takes back what append wrote.
func (s *findings) read(r *fold.StateReader) {
	wides, rows := readFindings(r), readFindings(r)
	s.over = readFindings(r)
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
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		s.counts = append(s.counts, schemas.FindingCount{Tenant: r.String(), Detector: r.String(), Severity: r.String(), N: r.Uint()})
	}
}

func readFindings(r *fold.StateReader) []schemas.Finding {
	c, err := new(schemas.CommitDecoder).Decode(r.Bytes(), schemas.WithFindings)
	if err != nil {
		r.Fail(err)
		return nil
	}
	return c.Findings
}
