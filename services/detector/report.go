package detector

import "weir/schemas"

// report is what the detector of one agent knows, between two messages.
func (f *Fold) report() schemas.FindingReport {
	r := schemas.FindingReport{
		Producer: schemas.Detector(f.agent), Tier: schemas.TierAgent, Time: f.now, Findings: []schemas.FindingRow{}, Counts: f.counts,
		Detector: &schemas.DetectorState{
			Series: f.series, Devices: len(f.devices), Config: f.revision,
			Values: f.values, Bursts: f.bursts, Overflow: f.overflow, Partial: f.partial, Missed: f.missed, Damaged: f.damaged,
		},
	}
	for _, list := range [...][]schemas.Finding{f.closed, f.told()} {
		for i := range list {
			r.Findings = append(r.Findings, list[i].Row())
		}
	}
	return r
}
