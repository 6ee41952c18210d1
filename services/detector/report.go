package detector

import (
	"cmp"
	"encoding/binary"
	"slices"

	"weir/schemas"
	"weir/services/internal/fold"
)

// report is what the detector of one agent knows, between two messages.
func (f *Fold) report() schemas.FindingReport {
	r := schemas.FindingReport{
		Producer: schemas.Detector(f.agent), Tier: schemas.TierAgent, Time: f.now, Findings: []schemas.FindingRow{}, Counts: f.counts,
		Detector: &schemas.DetectorState{
			Series: f.series, Devices: len(f.devices), Config: f.revision,
			Values: f.values, Bursts: f.bursts, Overflow: f.overflow, Missed: f.missed, Damaged: f.damaged,
		},
	}
	for _, list := range [...][]schemas.Finding{f.closed.findings, f.told()} {
		for i := range list {
			r.Findings = append(r.Findings, list[i].Row())
		}
	}
	return r
}

// counts are how many findings were opened, sorted.
type counts []schemas.FindingCount

// note counts a finding that is opened.
func (c *counts) note(o *schemas.Finding) {
	if o.State != schemas.FindingOpen {
		return
	}
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

func (c counts) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c)))
	for _, row := range c {
		for _, s := range [...]string{row.Tenant, row.Detector, row.Severity} {
			b = fold.AppendString(b, s)
		}
		b = binary.AppendUvarint(b, row.N)
	}
	return b
}

func (c *counts) read(r *fold.StateReader) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		*c = append(*c, schemas.FindingCount{Tenant: r.String(), Detector: r.String(), Severity: r.String(), N: r.Uint()})
	}
}
