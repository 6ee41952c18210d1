package ingest

import (
	"strings"
	"time"

	"weir/schemas"
)

// OverflowMetric is the metric of records beyond a device's limit of series:
// their counts stay exact, their names are lost.
const OverflowMetric = "weir.overflow"

type deviceKey struct{ tenant, device string }

// device is what ingest remembers of a device, in memory only: forgetting it
// restarts its limits of series and of log records, and nothing else.
type device struct {
	deviceKey
	series      map[string]struct{}
	first, last int64 // ingest time
	records     uint64
	numbered    bool // its last reading was
	rejected    map[schemas.Reason]uint64
	logs        *logGate // nil: none was to be passed through yet
	forgotten   bool     // no longer in the table; look it up again
}

// name is the metric that a record of the device may have.
func (d *device) name(metric string, limit int) (name string, overflow bool) {
	if _, ok := d.series[metric]; ok {
		return metric, false
	}
	if len(d.series) >= limit {
		return OverflowMetric, true
	}
	d.series[strings.Clone(metric)] = struct{}{}
	return metric, false
}

func (d *device) reject(why schemas.Reason, n int) {
	if d.rejected == nil {
		d.rejected = map[schemas.Reason]uint64{}
	}
	d.rejected[why] += uint64(n)
}

// deviceTable is the devices of one agent, up to a limit. Not safe for
// concurrent use.
type deviceTable struct {
	byKey map[deviceKey]*device
	swept int64 // when idle ones were last looked for
}

// A device may be forgotten when it has been silent for forgettable; the table
// is searched for such ones at most once per sweepEvery.
const (
	forgettable = int64(time.Minute)
	sweepEvery  = int64(10 * time.Second)
)

// find is the entry of a device, made if need be; nil where the table is full
// of devices that are not silent.
func (t *deviceTable) find(k deviceKey, limit int, now int64) *device {
	if d, ok := t.byKey[k]; ok {
		return d
	}
	if len(t.byKey) >= limit && !t.sweep(limit, now) {
		return nil
	}
	k = deviceKey{strings.Clone(k.tenant), strings.Clone(k.device)}
	d := &device{deviceKey: k, series: map[string]struct{}{}, first: now}
	t.byKey[k] = d
	return d
}

// sweep forgets silent devices and reports whether there is room now.
func (t *deviceTable) sweep(limit int, now int64) bool {
	if now-t.swept < sweepEvery {
		return false
	}
	t.swept = now
	for k, d := range t.byKey {
		if now-d.last > forgettable {
			d.forgotten = true
			delete(t.byKey, k)
		}
	}
	return len(t.byKey) < limit
}
