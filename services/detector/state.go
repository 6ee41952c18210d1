package detector

import (
	"encoding/binary"
	"errors"
	"fmt"

	"weir/schemas"
	"weir/services/internal/fold"
	"weir/services/internal/found"
)

// stateVersion is the version of the checkpoint's payload. Newer ones are not read.
//
//	1: first form
//	2: metrics that are judged together
const stateVersion = 2

var errBadState = errors.New("state names a group, a finding or metrics that are not there")

// Append appends the whole state.
func (f *Fold) Append(b []byte) []byte {
	b = append(b, stateVersion)
	b = fold.AppendString(b, string(f.document))
	b = binary.AppendUvarint(b, f.revision)
	b = append(b, f.epoch[:]...)
	b = binary.AppendUvarint(b, f.n)
	b = binary.AppendUvarint(b, uint64(len(f.run)))
	for _, entry := range f.run {
		b = fold.AppendString(b, string(entry))
	}
	for _, v := range [...]int64{f.now, f.wall, f.clock} {
		b = binary.AppendVarint(b, v)
	}
	for _, v := range [...]uint64{f.missed, f.overflow, f.bursts, f.values, f.damaged, f.partial} {
		b = binary.AppendUvarint(b, v)
	}
	b = f.counts.Append(b)
	b = found.Append(b, f.told())
	b = found.Append(b, f.closed)
	b = binary.AppendUvarint(b, uint64(len(f.open)))
	for _, g := range f.open {
		b = g.append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(f.devices)))
	for _, d := range f.devices {
		b = d.append(b, f.open)
	}
	return b
}

// told are the newest revisions of what is open: groups, then devices in order.
func (f *Fold) told() (out []schemas.Finding) {
	for _, g := range f.open {
		out = append(out, g.Finding)
	}
	for _, d := range f.devices {
		if d.finding != nil {
			out = append(out, d.finding.Finding)
		}
	}
	return out
}

func (o *finding) append(b []byte) []byte {
	return binary.AppendVarint(fold.AppendBool(b, o.news), o.told)
}

func (o *finding) read(r *fold.StateReader) { o.news, o.told = r.Bool(), r.Int() }

func (g *group) append(b []byte) []byte {
	return binary.AppendVarint(append(g.finding.append(b), byte(g.kind)), g.joined)
}

func (d *device) append(b []byte, groups []*group) []byte {
	b = fold.AppendString(fold.AppendString(b, d.tenant), d.name)
	b = d.presence.append(b)
	b = fold.AppendBool(b, d.finding != nil)
	if d.finding != nil {
		b = d.finding.append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(d.symptoms)))
	for _, y := range d.symptoms {
		b = y.append(b, groups)
	}
	b = binary.AppendUvarint(b, uint64(len(d.series)))
	for _, s := range d.series {
		b = s.append(b)
	}
	return d.appendJoints(b)
}

// appendJoints appends the groups that there are, by their place in the rules.
func (d *device) appendJoints(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64((d.room()-len(d.series))/jointRoom))
	for i, j := range d.joints {
		if j != nil {
			b = j.append(binary.AppendUvarint(b, uint64(i)))
		}
	}
	return b
}

func (j *joint) append(b []byte) []byte {
	for _, s := range [...]*vectors{&j.seconds, &j.windows} {
		b = binary.AppendVarint(binary.AppendVarint(b, s.length), s.over)
		for _, c := range s.before {
			b = binary.AppendVarint(fold.AppendFloat(b, c.total), c.at)
		}
		b = binary.AppendUvarint(b, uint64(len(s.slots)))
		for i := range s.slots {
			b = s.slots[i].append(b, len(j.metrics))
		}
		b = fold.AppendBool(b, s.detector != nil)
		if s.detector != nil {
			b = fold.AppendString(b, string(s.detector.AppendState(nil)))
		}
	}
	return b
}

func (j *joint) read(r *fold.StateReader) {
	for _, s := range [...]*vectors{&j.seconds, &j.windows} {
		s.length, s.over = r.Int(), r.Int()
		for i := range s.before {
			s.before[i] = counterValue{r.Float(), r.Int()}
		}
		for k := r.Len(); k > 0 && r.Err == nil; k-- {
			var o slot
			o.read(r, len(j.metrics))
			s.slots = append(s.slots, o)
		}
		if !r.Bool() {
			continue
		}
		s.detector = j.newDetector(s)
		if _, err := s.detector.RestoreState(r.Bytes()); err != nil {
			s.detector = nil // another version of the detector: it learns anew
		}
	}
}

func (o *slot) append(b []byte, channels int) []byte {
	b = binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(b, o.from), o.at), o.clock)
	b = binary.AppendUvarint(fold.AppendString(fold.AppendFloat(b, o.complete), o.view), uint64(o.there))
	for _, v := range o.values[:channels] {
		b = fold.AppendFloat(b, v)
	}
	return b
}

func (o *slot) read(r *fold.StateReader, channels int) {
	o.from, o.at, o.clock = r.Int(), r.Int(), r.Int()
	o.complete, o.view, o.there = r.Float(), r.String(), uint16(r.Uint())
	for i := range o.values[:channels] {
		o.values[i] = r.Float()
	}
}

func (p *presence) append(b []byte) []byte {
	b = binary.AppendVarint(b, p.seen)
	b = append(b, p.times)
	return fold.AppendBool(binary.AppendVarint(b, p.usual), p.resumed)
}

func (p *presence) read(r *fold.StateReader) {
	p.seen, p.times, p.usual, p.resumed = r.Int(), r.Byte(), r.Int(), r.Bool()
}

func (y *symptom) append(b []byte, groups []*group) []byte {
	in := 0 // its place among the groups, from 1
	for i, g := range groups {
		if g == y.in {
			in = i + 1
		}
	}
	b = append(fold.AppendString(b, y.metric), byte(y.kind), byte(y.severity))
	b = fold.AppendBool(binary.AppendUvarint(b, uint64(in)), y.over)
	for _, v := range [...]int64{y.since, y.opened, y.last, y.hold, y.start, y.end, y.clock} {
		b = binary.AppendVarint(b, v)
	}
	for _, v := range [...]float64{y.score, y.threshold, y.tail, y.complete} {
		b = fold.AppendFloat(b, v)
	}
	for _, v := range [...]string{y.detector, y.model, y.view, y.says} {
		b = fold.AppendString(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(y.evidence)))
	for _, e := range y.evidence {
		b = fold.AppendString(b, e.Feature)
		b = fold.AppendFloat(fold.AppendFloat(fold.AppendFloat(b, e.Share), e.Observed), e.Expected)
	}
	return b
}

func (y *symptom) read(r *fold.StateReader, groups []*group) {
	y.metric, y.kind, y.severity = r.String(), schemas.FindingKind(r.Byte()), schemas.Severity(r.Byte())
	if in := r.Uint(); in > uint64(len(groups)) {
		r.Fail(errBadState)
	} else if in > 0 {
		y.in = groups[in-1]
	}
	y.over = r.Bool()
	for _, v := range [...]*int64{&y.since, &y.opened, &y.last, &y.hold, &y.start, &y.end, &y.clock} {
		*v = r.Int()
	}
	for _, v := range [...]*float64{&y.score, &y.threshold, &y.tail, &y.complete} {
		*v = r.Float()
	}
	for _, v := range [...]*string{&y.detector, &y.model, &y.view, &y.says} {
		*v = r.String()
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		y.evidence = append(y.evidence, schemas.Evidence{Feature: r.String(), Share: r.Float(), Observed: r.Float(), Expected: r.Float()})
	}
}

func (s *series) append(b []byte) []byte {
	b = s.presence.append(fold.AppendString(b, s.metric))
	for _, v := range [...]int64{s.windowSize, s.lastWindow, s.lastAt, s.still} {
		b = binary.AppendVarint(b, v)
	}
	b = fold.AppendFloat(fold.AppendFloat(b, s.last), s.moving)
	b = binary.AppendUvarint(append(b, s.seconds), uint64(s.stood))
	for _, st := range [...]*stream{&s.mean, &s.spread, &s.windows} {
		b = binary.AppendUvarint(fold.AppendFloat(b, st.usual), uint64(st.made))
		b = fold.AppendBool(b, st.detector != nil)
		if st.detector != nil {
			b = fold.AppendSized(b, st.detector.AppendState)
		}
	}
	return b
}

func (s *series) read(r *fold.StateReader) {
	s.presence.read(r)
	s.windowSize, s.lastWindow, s.lastAt, s.still = r.Int(), r.Int(), r.Int(), r.Int()
	s.last, s.moving = r.Float(), r.Float()
	s.seconds, s.stood = r.Byte(), uint32(r.Uint())
	counter := s.counter()
	for i, st := range [...]*stream{&s.mean, &s.spread, &s.windows} {
		st.usual, st.made = r.Float(), uint32(r.Uint())
		if !r.Bool() {
			continue
		}
		st.detector = s.dev.rules.newDetector(s.interval(i == 2), counter && i != 1)
		if _, err := st.detector.RestoreState(r.Bytes()); err != nil {
			*st = stream{} // another version of the detector: it learns anew
		}
	}
}

// interval is the cadence of a stream that is known before its first value, ns; 0: it
// is to be learned.
func (s *series) interval(windows bool) int64 {
	if windows {
		return s.windowSize
	}
	return 0
}

// Restore replaces the state by one that Append wrote.
func (f *Fold) Restore(b []byte) error {
	f.reset()
	if len(b) == 0 || b[0] == 0 || b[0] > stateVersion {
		return fmt.Errorf("state of the detector of %s: version %v is not 1 to %d", f.agent, b[:min(1, len(b))], stateVersion)
	}
	version, r := b[0], &fold.StateReader{B: b[1:]}
	if err := f.readHead(r, version); err != nil {
		return err
	}
	f.counts.Read(r)
	told := found.Read(r)
	f.closed = found.Read(r)
	f.readGroups(r, &told)
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		d := f.readDevice(r, &told)
		if version >= 2 {
			f.readJoints(r, d)
		}
	}
	if err := r.Done(); err != nil {
		return fmt.Errorf("state of the detector of %s: %w", f.agent, err)
	}
	return nil
}

func (f *Fold) readHead(r *fold.StateReader, version byte) error {
	document, revision := r.Bytes(), r.Uint()
	if len(document) > 0 && r.Err == nil {
		if err := f.configure(&schemas.Config{Revision: revision, Document: document}); err != nil {
			return err
		}
	}
	for i := range f.epoch {
		f.epoch[i] = r.Byte()
	}
	f.n = r.Uint()
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		f.run = append(f.run, append([]byte(nil), r.Bytes()...))
	}
	f.now, f.wall, f.clock = r.Int(), r.Int(), r.Int()
	for _, v := range [...]*uint64{&f.missed, &f.overflow, &f.bursts, &f.values, &f.damaged} {
		*v = r.Uint()
	}
	if version >= 2 {
		f.partial = r.Uint()
	}
	return nil
}

// take takes the next finding of the list that goes with the state.
func take(r *fold.StateReader, told *[]schemas.Finding) (o finding) {
	o.read(r)
	if len(*told) == 0 {
		r.Fail(errBadState)
		return o
	}
	o.Finding, *told = (*told)[0], (*told)[1:]
	return o
}

func (f *Fold) readGroups(r *fold.StateReader, told *[]schemas.Finding) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		g := &group{finding: take(r, told)}
		g.kind, g.joined = schemas.FindingKind(r.Byte()), r.Int()
		f.open = append(f.open, g)
	}
}

func (f *Fold) readDevice(r *fold.StateReader, told *[]schemas.Finding) *device {
	d := f.newDevice(r.String(), r.String())
	d.presence.read(r)
	if r.Bool() {
		o := take(r, told)
		d.finding = &o
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		y := new(symptom)
		y.read(r, f.open)
		d.symptoms = append(d.symptoms, y)
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		s := d.newSeries(r.String())
		s.read(r)
		f.series++
	}
	return d
}

func (f *Fold) readJoints(r *fold.StateReader, d *device) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		i := r.Uint()
		if i >= uint64(len(d.rules.Joint)) {
			r.Fail(errBadState)
			return
		}
		if d.joints == nil {
			d.joints = make([]*joint, len(d.rules.Joint))
		}
		d.joints[i] = d.newJoint(d.rules.Joint[i])
		d.joints[i].read(r)
		f.series += jointRoom
	}
}
