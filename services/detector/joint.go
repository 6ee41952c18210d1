package detector

import (
	"cmp"
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
	touched bool // it has to be settled
}

// vectors put the values of one stream together, slot by slot: those of the same second, or of the same window. A slot
// that has all of them is judged when the commit has no more of the device, in the order of time: it has all windows of
// one metric before those of the next. One that lacks some when the next begins is not judged: what is put in the place
// of a value breaks the relation.
type vectors struct {
	detector *detect.Joint
	length   int64          // of a slot, ns; 0: there was none
	over     int64          // end of the newest slot that was judged or given up
	slots    []slot         // that are not over, oldest first
	before   []counterValue // by channel
}

// slot is what has come of a vector. Of sample it has the bounds, the least completeness and the worst clock.
type slot struct {
	sample
	there  uint16 // channels that it has, a bit each
	values [detect.MaxChannels]float64
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
	v := vectors{over: never, before: make([]counterValue, channels)}
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

// take puts a value of a channel in its slot.
func (j *joint) take(f *Fold, channel int, v *sample, counter bool) {
	s := &j.seconds
	if v.view != schemas.EarlyView {
		s = &j.windows
	}
	if s.length != v.length() {
		*s = newVectors(len(j.metrics)) // another cadence is another series
		s.length = v.length()
	}
	value := v.value
	if counter {
		value = s.before[channel].increase(v)
	}
	if math.IsNaN(value) || v.at <= s.over {
		return
	}
	f.touch(j)
	s.slotOf(v).put(channel, value, v)
	if len(s.slots) > mostSlots {
		j.finish(f, s, mostSlots/2)
	}
}

// mostSlots bounds the slots of a group that are not over: an hour of windows of a second, where a backlog has come.
const mostSlots = 3600

// touch notes that a group has to be settled.
func (f *Fold) touch(j *joint) {
	if len(f.touched) > 0 && f.touched[0].dev != j.dev {
		f.settleJoints() // a commit has what is of one device together
	}
	if !j.touched {
		j.touched = true
		f.touched = append(f.touched, j)
	}
}

// slotOf is the slot of a value, a new one where there is none.
func (s *vectors) slotOf(v *sample) *slot {
	i, there := slices.BinarySearchFunc(s.slots, v.at, func(o slot, at int64) int { return cmp.Compare(o.at, at) })
	if !there {
		s.slots = slices.Insert(s.slots, i, slot{sample: *v})
	}
	return &s.slots[i]
}

// put takes the first value of a channel.
func (o *slot) put(channel int, value float64, v *sample) {
	bit := uint16(1) << channel
	if o.there&bit != 0 {
		return
	}
	o.there |= bit
	o.values[channel] = value
	o.complete, o.clock = min(o.complete, v.complete), max(o.clock, v.clock)
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

// settleJoints judges what the values of a device have made whole.
func (f *Fold) settleJoints() {
	for _, j := range f.touched {
		j.touched = false
		j.settle(f, &j.seconds)
		j.settle(f, &j.windows)
	}
	f.touched = f.touched[:0]
}

// settle judges the slots of a stream. The newest one may still become whole.
func (j *joint) settle(f *Fold, s *vectors) {
	n := len(s.slots)
	if n > 0 && !j.whole(&s.slots[n-1]) {
		n--
	}
	j.finish(f, s, n)
	if cap(s.slots) > 8 {
		s.slots = slices.Clone(s.slots) // a backlog is over
	}
}

// finish judges the n oldest slots of a stream, or gives them up.
func (j *joint) finish(f *Fold, s *vectors, n int) {
	for i := range s.slots[:n] {
		o := &s.slots[i]
		if s.over = o.at; j.whole(o) {
			j.judge(f, s, o)
		} else {
			f.partial++
		}
	}
	s.slots = slices.Delete(s.slots, 0, n)
}

// whole reports whether all channels have come.
func (j *joint) whole(o *slot) bool { return o.there == 1<<len(j.metrics)-1 }

// judge asks the detector about a slot that is whole.
func (j *joint) judge(f *Fold, s *vectors, o *slot) {
	if s.detector == nil {
		s.detector = j.newDetector(s)
	}
	f.values++
	verdict := s.detector.Update(detect.VectorSample{
		Time: o.at, Values: o.values[:len(j.metrics)], Completeness: o.complete, ClockError: o.clock,
	})
	switch {
	case verdict.Flag:
		found := anomaly{jointDetector, j.dev.rules.Budget, s.detector.Threshold(), verdict, s.detector.Explain(nil)}
		j.dev.raise(f.now, j.name, schemas.Anomaly, o.from, j.hold(s), verdict.Alert, func(y *symptom) {
			y.take(&o.sample, &found)
			y.says = jointSays(j, &o.sample, y.evidence)
		})
	case verdict.Open:
		j.dev.goesOn(f.now, j.name, schemas.Anomaly, j.hold(s))
	}
}

// newDetector makes the detector of a stream. The groups have been checked.
func (j *joint) newDetector(s *vectors) *detect.Joint {
	interval := int64(0) // of seconds: it is to be learned
	if s == &j.windows {
		interval = s.length
	}
	d, err := detect.NewJoint(j.metrics, detect.Config{Interval: interval, Budget: j.dev.rules.Budget / jointStreams})
	if err != nil {
		panic("BUG: groups that nobody checked: " + err.Error())
	}
	return d
}

// hold is how long nothing must be wrong before it is over.
func (j *joint) hold(s *vectors) int64 {
	hold := 3 * s.length
	for _, metric := range j.metrics {
		if of := j.dev.seriesOf(metric); of != nil {
			hold = max(hold, of.hold())
		}
	}
	return hold
}
