package aggregator

import (
	"slices"

	"weir/schemas"
)

// logs are the log records that are passed through with the next commit. A record is
// there once: of a request that is sent again, what has been taken is no longer a reading.
type logs struct {
	ready []schemas.PassedLog
	room  []byte // of their data
}

// pass takes the log record that a reading of a frame is.
func (f *Fold) pass(d *device, i int, request schemas.Request, record int, data []byte) {
	from := len(f.logs.room)
	f.logs.room = append(f.logs.room, data...)
	f.logs.ready = append(f.logs.ready, schemas.PassedLog{
		ID: schemas.LogID(d.Tenant, d.Device, request), Agent: f.agent, Tenant: d.Tenant, Device: d.Device,
		Time: f.in.EventTime[i], Ingest: f.in.IngestTime[i], Severity: severity(f.in.Value[record]),
		Data: slices.Clip(f.logs.room[from:]),
	})
}

// severity is a severity number as a record has it.
func severity(v float64) uint8 {
	if v >= 1 && v <= schemas.MaxSeverity {
		return uint8(v)
	}
	return 0
}

// takeLogs are the log records for a commit, which counts them. They are valid until the
// next message is applied.
func (f *Fold) takeLogs() []schemas.PassedLog {
	all := f.logs.ready
	for i := range all {
		f.share(all[i].Tenant, schemas.Logs).passed++
	}
	f.logs = logs{ready: all[:0], room: f.logs.room[:0]}
	return all
}
