package forwarder

import "math"

// drain is the smoothed rate at which backfill is brought, in bytes per second: an
// exponential mean over time, corrected for its start.
type drain struct {
	since  int64 // of the last step, ns; 0: nothing was measured yet
	bytes  int64 // brought since then
	sum    float64
	weight float64 // of sum, towards 1
}

// Times of drain, ns.
const (
	drainStep = second / 2  // shortest step: several sources report at nearly the same time
	drainMean = 10 * second // over which the rate is smoothed
)

// observe notes bytes brought by now.
func (d *drain) observe(now, bytes int64) {
	if d.since == 0 {
		d.since = now // what was brought before counts for no time
		return
	}
	d.bytes += bytes
	dt := now - d.since
	if dt < drainStep {
		return
	}
	keep := math.Exp(-float64(dt) / drainMean)
	d.sum = keep*d.sum + (1-keep)*float64(d.bytes)*second/float64(dt)
	d.weight = keep*d.weight + 1 - keep
	d.since, d.bytes = now, 0
}

// eta is how long the rest takes, s: -1 where nothing has been brought lately.
func (d *drain) eta(rest int64) float64 {
	switch {
	case rest <= 0:
		return 0
	case d.weight == 0 || d.sum/d.weight < 1:
		return -1
	}
	return float64(rest) / (d.sum / d.weight)
}
