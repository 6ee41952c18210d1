package found

import (
	"cmp"
	"encoding/binary"
	"slices"

	"weir/schemas"
	"weir/services/internal/fold"
)

// Counts are how many findings were opened, sorted by tenant, detector and severity.
type Counts []schemas.FindingCount

// Add counts a finding.
func (c *Counts) Add(o *schemas.Finding) {
	row := schemas.FindingCount{Tenant: o.Tenant, Detector: o.Detector, Severity: o.Severity.String(), N: 1}
	i, known := slices.BinarySearchFunc(*c, row, func(a, b schemas.FindingCount) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Detector, b.Detector), cmp.Compare(a.Severity, b.Severity))
	})
	if known {
		(*c)[i].N++
		return
	}
	*c = slices.Insert(*c, i, row)
}

// Append appends them to a state.
func (c Counts) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c)))
	for _, row := range c {
		for _, s := range [...]string{row.Tenant, row.Detector, row.Severity} {
			b = fold.AppendString(b, s)
		}
		b = binary.AppendUvarint(b, row.N)
	}
	return b
}

// Read takes back what Append wrote.
func (c *Counts) Read(r *fold.StateReader) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		*c = append(*c, schemas.FindingCount{Tenant: r.String(), Detector: r.String(), Severity: r.String(), N: r.Uint()})
	}
}
