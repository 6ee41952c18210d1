package gateway

import "weir/schemas"

// ledgers are what the newest whole commits of the producers say of their
// records: the balance of the tier below as it is known here.
func (f *Fold) ledgers(wall int64) (out []schemas.AgentLedger) {
	for _, name := range f.names {
		p := f.producers[name]
		if p.current == nil {
			continue
		}
		h := p.current.newest
		l := schemas.AgentLedger{Agent: name, Time: h.time, Config: h.config}
		if h.wall > 0 {
			l.Lag = max(0, float64(wall-h.wall)/1e9)
		}
		for _, t := range h.totals {
			if t.Outcome == "" || t.Outcome == schemas.OpenYet {
				l.Flight = append(l.Flight, t)
			} else {
				l.Rows = append(l.Rows, t)
			}
		}
		out = append(out, l)
	}
	return out
}
