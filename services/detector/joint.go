package detector

import (
	"math"
	"slices"

	"weir/pkg/detect"
	"weir/schemas"
)

// joint is a group of metrics of a device that are judged together: for what none of them shows alone. A device has it
// from when it has sent each of them.
type joint struct {
	dev     *device
	metrics []string
	name    string // that it has in findings
	seconds vectors
	windows vectors
}

// vectors puts the values of one stream together, slot by slot: those of the same second, or of the same window. A slot
// that has all of them is judged at once. One that lacks some when the next begins is not: what is put in the place of
// a value breaks the relation.
type vectors struct {
	detector *detect.Joint
	slot     sample         // its bounds, the least completeness and the worst clock of its values; at is never before the first
	there    uint16         // channels that it has, a bit each
	values   []float64      // by channel
	before   []counterValue // by channel
}

// counterValue is where a counter stood.
type counterValue struct {
	total float64
	at    int64 // never: it has not come
}

// jointRoom is how many series take the memory of a group.
const jointRoom = 3

// jointStreams are the detectors of a group: of seconds and of windows. Each has its part of the budget.
const jointStreams = 2

// jointDetector is what findings of groups name as their detector.
const jointDetector = "joint"

// together hands a value to the groups that its metric belongs to.
func (s *series) together(f *Fold, v *sample, counter bool) {
	for i, metrics := range s.dev.rules.Joint {
		if channel := slices.Index(metrics, s.metric); channel >= 0 {
			if j := s.dev.joint(f, i); j != nil {
				j.take(f, channel, v, counter)
			}
		}
	}
}

// joint is a group of the device's rules; nil where it has not sent all of it, or there is no room.
func (d *device) joint(f *Fold, i int) *joint {
	if d.joints == nil {
		d.joints = make([]*joint, len(d.rules.Joint))
	}
	if d.joints[i] != nil {
		return d.joints[i]
	}
	for _, metric := range d.rules.Joint[i] {
		if d.seriesOf(metric) == nil {
			return nil
		}
	}
	if f.series+jointRoom > f.settings.MaxSeries {
		f.overflow++
		return nil
	}
	f.series += jointRoom
	d.joints[i] = d.newJoint(d.rules.Joint[i])
	return d.joints[i]
}

func (d *device) newJoint(metrics []string) *joint {
	j := &joint{dev: d, metrics: metrics, name: schemas.JointName(metrics)}
	j.seconds, j.windows = newVectors(len(metrics)), newVectors(len(metrics))
	return j
}

func newVectors(channels int) vectors {
	v := vectors{slot: sample{at: never}, values: make([]float64, channels), before: make([]counterValue, channels)}
	for i := range v.before {
		v.before[i].at = never
	}
	return v
}

// followJoint keeps the groups that new rules have, too.
func (d *device) followJoint(was *Rules) {
	old := d.joints
	d.joints = nil
	for i, metrics := range d.rules.Joint {
		k := slices.IndexFunc(was.Joint, func(o []string) bool { return slices.Equal(o, metrics) })
		if k < 0 || k >= len(old) || old[k] == nil {
			continue
		}
		if d.joints == nil {
			d.joints = make([]*joint, len(d.rules.Joint))
		}
		d.joints[i] = old[k]
	}
}

// room is how many series the device counts as.
func (d *device) room() int {
	n := len(d.series)
	for _, j := range d.joints {
		if j != nil {
			n += jointRoom
		}
	}
	return n
}

// take puts a value of a channel in its slot, and judges the slot where it was the last one to come.
func (j *joint) take(f *Fold, channel int, v *sample, counter bool) {
	s := &j.seconds
	if v.view != schemas.EarlyView {
		s = &j.windows
	}
	if s.slot.at != never && v.length() != s.slot.length() {
		*s = newVectors(len(j.metrics)) // another cadence is another series
	}
	value := v.value
	if counter {
		value = s.before[channel].increase(v)
	}
	if math.IsNaN(value) || !s.put(f, channel, value, v) {
		return
	}
	if s.whole() {
		j.judge(f, s)
	}
}

// increase is what a counter has gone up by each second since it came last; NaN where that is not known.
func (c *counterValue) increase(v *sample) float64 {
	before := *c
	*c = counterValue{v.value, v.at}
	if before.at == never || v.at <= before.at || v.value < before.total {
		return math.NaN()
	}
	return (v.value - before.total) / (float64(v.at-before.at) / second)
}

// put reports whether a value has found its place: it is not of a slot that is over, nor has its channel come before.
func (s *vectors) put(f *Fold, channel int, value float64, v *sample) bool {
	if v.at > s.slot.at {
		if s.there != 0 && !s.whole() {
			f.partial++
		}
		s.slot, s.there = *v, 0
	}
	bit := uint16(1) << channel
	if v.at < s.slot.at || s.there&bit != 0 {
		return false
	}
	s.there |= bit
	s.values[channel] = value
	s.slot.complete, s.slot.clock = min(s.slot.complete, v.complete), max(s.slot.clock, v.clock)
	return true
}

// whole reports whether all channels have come.
func (s *vectors) whole() bool { return s.there == 1<<len(s.values)-1 }

// judge asks the detector about a slot that is whole.
func (j *joint) judge(f *Fold, s *vectors) {
	if s.detector == nil {
		s.detector = j.newDetector(s)
	}
	f.values++
	verdict := s.detector.Update(detect.VectorSample{
		Time: s.slot.at, Values: s.values, Completeness: s.slot.complete, ClockError: s.slot.clock,
	})
	switch {
	case verdict.Flag:
		found := anomaly{jointDetector, j.dev.rules.Budget, s.detector.Threshold(), verdict, s.detector.Explain(nil)}
		j.dev.raise(f.now, j.name, schemas.Anomaly, s.slot.from, j.hold(s), verdict.Alert, func(y *symptom) {
			y.take(&s.slot, &found)
			y.says = jointSays(j, &s.slot, y.evidence)
		})
	case verdict.Open:
		j.dev.goesOn(f.now, j.name, schemas.Anomaly, j.hold(s))
	}
}

// newDetector makes the detector of a stream whose cadence is that of its slot. The groups have been checked.
func (j *joint) newDetector(s *vectors) *detect.Joint {
	interval := int64(0) // of seconds: it is to be learned
	if s == &j.windows {
		interval = s.slot.length()
	}
	d, err := detect.NewJoint(j.metrics, detect.Config{Interval: interval, Budget: j.dev.rules.Budget / jointStreams})
	if err != nil {
		panic("BUG: groups that nobody checked: " + err.Error())
	}
	return d
}

// hold is how long nothing must be wrong before it is over.
func (j *joint) hold(s *vectors) int64 {
	hold := 3 * s.slot.length()
	for _, metric := range j.metrics {
		if of := j.dev.seriesOf(metric); of != nil {
			hold = max(hold, of.hold())
		}
	}
	return hold
}
