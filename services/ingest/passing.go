package ingest

import (
	"weir/pkg/gcra"
	"weir/schemas"
	"weir/services/internal/otlp"
)

// This file holds the log records that rules choose to the limits of their device.

// logGate lets log records of a device pass at the rate that policy allows.
type logGate struct {
	limit  gcra.Limit
	bucket gcra.Bucket
}

// passes takes a log record's place at ingest time now (Unix ns), if there is one.
func (d *device) passes(rules *Rules, now int64) bool {
	limit := gcra.Limit{Rate: int64(rules.LogRate), Burst: int64(rules.LogBurst)}
	switch g := d.logs; {
	case g == nil:
		d.logs = &logGate{limit, gcra.New(limit)}
	case g.limit != limit:
		g.bucket.Resize(now, limit)
		g.limit = limit
	}
	ok, _ := d.logs.bucket.Allow(now, 1)
	return ok
}

// pass decides which of a message's log records are passed through, and books those that are not.
func (a *agent) pass(in *arrival, d *device, m *message, rules *Rules) {
	for _, h := range m.held {
		a.hold(in.route, h.reason, h.n)
	}
	for i := range m.readings {
		if r := &m.readings[i]; len(r.Log) > 0 && !d.passes(rules, in.now.UnixNano()) {
			r.Log = nil
			a.hold(in.route, schemas.LogRate, 1)
		}
	}
}

// hold books log records that are counted and not passed through.
func (a *agent) hold(r *route, why schemas.Reason, n int) {
	a.open.builder.AddFlow(r.tenant, r.signal, schemas.HeldBack, why, uint64(n))
}

// passLimit is how much of a device's log records one request may pass through. What is more
// than a burst is not even written.
func (r *Rules) passLimit() otlp.PassLimit {
	if r.LogRate == 0 {
		return otlp.PassLimit{}
	}
	return otlp.PassLimit{Records: r.LogBurst, Size: r.LogSize}
}
