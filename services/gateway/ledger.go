package gateway

import "weir/schemas"

// Ledgers are what the newest whole commits of the producers' epochs say of their
// records: the balance of the tier below as it is known here.
func (f *Fold) Ledgers(wall int64) (out []schemas.AgentLedger) {
	for _, name := range f.names {
		p := f.producers[name]
		if _, detector := schemas.CutDetector(name); detector || p.current == nil {
			continue // detectors keep no ledger
		}
		h := p.current.newest
		l := schemas.AgentLedger{Agent: name, Time: h.time, Config: h.config}
		if h.wall > 0 {
			l.Lag = max(0, float64(wall-h.wall)/1e9)
		}
		for _, t := range sortedTotals(p.totals()) {
			switch t.Outcome {
			case "", schemas.OpenYet:
				l.Flight = append(l.Flight, t)
			case schemas.Unnumbered: // for the tier above only
			default:
				l.Rows = append(l.Rows, t)
			}
		}
		out = append(out, l)
	}
	return out
}
