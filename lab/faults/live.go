package main

import (
	"cmp"
	"runtime"
	"slices"
	"time"

	"weir/lab/faults/scenario"
	"weir/lab/harness"
	"weir/lab/sights"
)

// live looks at how soon users see windows before links are cut and after they are
// healed, all at once.
type live struct {
	window    time.Duration
	followers []*harness.Follower // of the device windows of each region
	down      int                 // links
	outages   []outage
}

// outage is while at least one link is cut.
type outage struct{ from, to time.Time }

// Spans around an outage, in windows: what is compared, and what of the time before
// is left out, since its windows may not have arrived when links are cut.
const (
	liveFor     = 4
	liveSettled = 1
)

// linkBack bounds how long after a heal the first of the backlog is at the region.
// Live is what ends later than that.
const linkBack = 2 * time.Second

// newLive starts a user at each region; nil: the scenario does not ask for one.
func newLive(x *site) *live {
	if x.s.End.Rise == 0 && x.s.End.Back == 0 {
		return nil
	}
	v := &live{window: x.s.Policy.Window}
	for _, region := range x.s.Topology.RegionNames() {
		v.followers = append(v.followers, x.processes[region].Follow("--view", "device"))
	}
	return v
}

// note notes a link between tiers that is cut, or healed.
func (v *live) note(step scenario.Step) {
	if v == nil || step.Kind != scenario.Cut || step.Fault.Side != scenario.Up {
		return
	}
	if !step.Ends {
		if v.down == 0 {
			v.outages = append(v.outages, outage{from: time.Now()})
		}
		v.down++
		return
	}
	if v.down--; v.down == 0 {
		v.outages[len(v.outages)-1].to = time.Now()
	}
}

// rise is what an outage did to those who look at live windows.
type rise struct {
	long          time.Duration // of the outage
	before, after sights.Spread
	back          time.Duration // from the heal until the first window of the backlog was seen; 0: none was
}

// ratio is that of the p99 after to that before.
func (r rise) ratio() float64 { return r.after.P99 / r.before.P99 }

// around sums up what was seen of the windows that ended before and after an outage.
func (o outage) around(windows map[string][]sights.Shown, window time.Duration) (r rise) {
	spread := func(from, to time.Time) sights.Spread {
		late := sights.Delays(windows, 0, func(w sights.Shown) bool { return w.End.After(from) && !w.End.After(to) })
		return sights.SpreadOf(late, len(late))
	}
	r.long = o.to.Sub(o.from)
	settled, up := o.from.Add(-liveSettled*window), o.to.Add(linkBack)
	r.before, r.after = spread(settled.Add(-liveFor*window), settled), spread(up, up.Add(liveFor*window))
	for _, lines := range windows {
		if w := lines[0]; w.End.Before(o.to) && w.At.After(o.to) && (r.back == 0 || w.At.Sub(o.to) < r.back) {
			r.back = w.At.Sub(o.to)
		}
	}
	return r
}

// judgeLive wants that live windows do not wait for the backlog, and the backlog not for
// long.
func (k *striker) judgeLive() {
	if k.live == nil {
		return
	}
	var seen []sights.Sight
	for _, f := range k.live.followers {
		seen = append(seen, f.Leave()...)
	}
	windows, err := sights.ByWindow(seen)
	if err != nil {
		k.Errorf("read what users saw: %v", err)
		return
	}
	for _, o := range k.live.outages {
		r := o.around(windows, k.live.window)
		k.rises = append(k.rises, r)
		if k.s.End.Rise > 0 && (r.before.Windows == 0 || r.after.Windows == 0) {
			k.Errorf("of an outage of %v no live windows were seen before or after it: %+v", r.long, r)
		}
		k.Logf("outage of %v: lag of live windows, p50 · p99 · greatest, %v s of %d before and %v s of %d after; p99 × %.2f; first of the backlog %v after the heal",
			r.long.Round(time.Second), r.before, r.before.Windows, r.after, r.after.Windows, r.ratio(), r.back.Round(time.Millisecond))
	}
	if k.s.End.Back > 0 {
		k.judgeBack()
	}
	if k.s.End.Rise > 0 {
		k.judgeRise()
	}
}

// judgeBack wants the first of each backlog soon after its link is healed. What has to
// wait for a processor takes longer by as much as there are too many who wait.
func (k *striker) judgeBack() {
	crowd := max(1, loadAverage()/float64(runtime.NumCPU()))
	most := time.Duration(float64(k.s.End.Back) * crowd)
	for _, r := range slow(k.rises, most) {
		k.Errorf("after an outage of %v the first of the backlog was at the region %v after the heal (0: never), wanted at most %v: %v × %.1f for the load",
			r.long.Round(time.Second), r.back.Round(time.Millisecond), most.Round(time.Millisecond), k.s.End.Back, crowd)
	}
}

// slow are those after which the first of the backlog came later than that, or never.
func slow(all []rise, most time.Duration) []rise {
	return slices.DeleteFunc(slices.Clone(all), func(r rise) bool { return r.back > 0 && r.back <= most })
}

// judgeRise judges the median of all outages: neighbors on the machine are noise.
func (k *striker) judgeRise() {
	middle := median(k.rises)
	k.Logf("live lag p99 of %d outages, median: %.2f s before, %.2f s after: × %.3f", len(k.rises), middle.before.P99, middle.after.P99, middle.ratio())
	if middle.ratio() > 1+float64(k.s.End.Rise)/100 {
		k.Errorf("live lag p99 rises from %.2f s to %.2f s, wanted at most %d %% more", middle.before.P99, middle.after.P99, k.s.End.Rise)
	}
}

// median is the one in the middle by ratio, the worse of two.
func median(all []rise) rise {
	if len(all) == 0 {
		return rise{}
	}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b rise) int { return cmp.Compare(a.ratio(), b.ratio()) })
	return sorted[len(sorted)/2]
}
