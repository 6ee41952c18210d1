package aggregator

import (
	"time"

	"weir/schemas"
)

// report is what the fold knows for the ledger, between two messages.
func (f *Fold) report(wall int64) schemas.AgentLedger {
	l := schemas.AgentLedger{
		Agent: f.agent, Time: f.now, Rows: f.outcomes(), Devices: len(f.devices), Config: f.revision(),
	}
	if f.wall > 0 {
		l.Lag = max(0, float64(wall-f.wall)/1e9)
	}
	l.Flight = append(l.Flight, f.open()...)
	for _, d := range f.devices {
		l.Series += len(d.series)
	}
	return l
}

// open are the records counted that are in no emitted revision of the default
// view yet, by tenant.
func (a *accounts) open() (rows []schemas.Total) {
	for _, o := range a.owners() {
		if n := a.tenants[o].open; n > 0 {
			rows = append(rows, schemas.Total{Tenant: o.name, Signal: o.signal, Outcome: schemas.OpenYet, N: n})
		}
	}
	return rows
}

// outcomes are the totals that ledgers show, without what arrived, which the door
// counts by itself.
func (f *Fold) outcomes() []schemas.Total {
	rows := f.rows()
	kept := rows[:0]
	for _, r := range rows {
		if r.Outcome != "" && r.Outcome != schemas.Unnumbered {
			kept = append(kept, r)
		}
	}
	return kept
}

// deviceReport lists the devices of the agent.
func (f *Fold) deviceReport() []schemas.Device {
	out := make([]schemas.Device, 0, len(f.devices))
	for _, d := range f.devices {
		out = append(out, schemas.Device{
			Tenant: d.Tenant, Device: d.Device, Class: d.Class, Agent: f.agent,
			FirstSeen: stamp(d.firstSeen), LastSeen: stamp(d.lastSeen),
			Rate: d.rate.perSecond(f.now), Numbered: d.numbered, Records: d.records,
		})
	}
	return out
}

func stamp(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }
