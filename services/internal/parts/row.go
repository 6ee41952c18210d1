package parts

import "weir/schemas"

// Row is the sum as people and tools see it. agent and region are where the
// device of its key is, empty where unknown; windows of no single device carry
// neither.
func (s *Sum) Row(agent, region string) schemas.WindowRow {
	if s.Dim("device") == "" {
		agent, region = "", ""
	}
	return schemas.WindowRow{
		Tenant: s.Key.Tenant, View: s.View, Key: s.key(), Start: schemas.RowTime(s.Start), End: schemas.RowTime(s.End),
		Count: s.Count, Sum: s.Sum, Min: s.Min, Max: s.Max,
		P50: s.Quantile(0.5), P90: s.Quantile(0.9), P99: s.Quantile(0.99),
		Revision: s.Revisions, Timing: s.Timing.String(),
		Completeness: s.completeness(), ClockErrorMS: s.clockErrorMS(),
		Agent: agent, Region: region, Exemplars: s.exemplars(),
	}
}

// Detail is what a row can show on demand.
func (s *Sum) Detail() *schemas.WindowDetail {
	return &schemas.WindowDetail{Digest: schemas.RowID(s.Digest), Late: s.LateCount, First: point(s.First), Last: point(s.Last)}
}

// LateRow is the sum of late totals as people and tools see it.
func (s *Sum) LateRow() schemas.LateRow {
	view, _ := schemas.CutLate(s.View)
	return schemas.LateRow{
		Tenant: s.Key.Tenant, View: view, Key: s.key(), Hour: schemas.RowTime(s.Start),
		Count: s.Count, Sum: s.Sum, Min: s.Min, Max: s.Max, Digest: schemas.RowID(s.Digest),
	}
}

// Quantile is the value at q (0 to 1), nil where the values are not known.
func (s *Sum) Quantile(q float64) *float64 {
	values := s.Values()
	if values == nil || values.Count() == 0 {
		return nil
	}
	v := values.Quantile(q)
	return &v
}

// key is the view key by the names of its dimensions.
func (s *Sum) key() map[string]string {
	m := make(map[string]string, len(s.Dims))
	for i, d := range s.Dims {
		m[d] = s.Key.Values[i]
	}
	return m
}

func (s *Sum) completeness() *float64 {
	if s.Expected == 0 {
		return nil
	}
	v := min(1, float64(s.Seen)/float64(s.Expected))
	return &v
}

func (s *Sum) clockErrorMS() *float64 {
	if s.ClockError == 0 {
		return nil
	}
	v := float64(s.ClockError) / 1e6
	return &v
}

// exemplars are those of the sum, by time.
func (s *Sum) exemplars() (rows []schemas.RowExemplar) {
	for _, e := range s.Exemplars.ByTime() {
		rows = append(rows, schemas.RowExemplar{
			Time: schemas.RowTime(e.Time), Value: e.Value, TraceID: e.TraceHex(), SpanID: e.SpanHex(),
		})
	}
	return rows
}

func point(p schemas.Point) schemas.RowPoint {
	return schemas.RowPoint{Time: schemas.RowTime(p.Time), Value: p.Value, ID: schemas.RowID(p.ID)}
}
