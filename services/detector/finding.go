package detector

import (
	"cmp"
	"slices"

	"weir/schemas"
)

// finding is one that is open.
type finding struct {
	schemas.Finding       // its newest revision; revision 0: not told yet
	news            bool  // there is something to tell
	told            int64 // agent time of the newest revision
}

// tellAgain is how often a finding that goes on is told again, ns.
const tellAgain = 10 * 60 * second

// settle brings the findings up to what is wrong now.
func (f *Fold) settle() {
	for _, d := range f.devices {
		if len(d.symptoms) > 0 {
			d.expire(f.now)
		}
	}
	f.gather()
	for _, d := range f.devices {
		if len(d.symptoms) > 0 {
			f.settleDevice(d)
		}
	}
	f.settleGroups()
}

// settleDevice opens, updates or closes the finding of a device.
func (f *Fold) settleDevice(d *device) {
	var first, worst *symptom
	going := 0
	for y := range d.own {
		if first == nil {
			first = y
		}
		if !y.over {
			going++
		}
		if worst == nil || y.worseThan(worst) {
			worst = y
		}
	}
	switch {
	case d.finding == nil && going == 0:
		d.drop(func(y *symptom) bool { return y.in == nil })
	case d.finding == nil:
		d.finding = &finding{Finding: schemas.Finding{
			ID:     schemas.FindingID(f.agent, d.tenant+"/"+d.name+"/"+first.metric+"/"+first.kind.String(), first.since),
			Origin: f.agent, Tenant: d.tenant, Class: d.class, Device: d.name, Started: first.since, Devices: 1,
		}}
		f.describe(d, worst)
		f.put(d.finding, schemas.FindingOpen)
	case going == 0:
		if worst != nil {
			f.describe(d, worst)
		} else {
			d.finding.Part = d.grouped().ID
		}
		d.finding.Ended = ended(d)
		f.put(d.finding, schemas.FindingClosed)
		d.finding = nil
		d.drop(func(y *symptom) bool { return y.in == nil })
	case d.finding.news || f.now-d.finding.told >= tellAgain:
		f.describe(d, worst)
		f.put(d.finding, schemas.FindingUpdate)
	}
}

// importance orders kinds of equal severity, the most telling first.
var importance = [...]schemas.FindingKind{schemas.Silent, schemas.Limit, schemas.Stuck, schemas.Rate, schemas.Anomaly, schemas.Missing}

// worseThan orders symptoms: what goes on before what is over, then by severity, by
// kind and by score.
func (y *symptom) worseThan(z *symptom) bool {
	if y.over != z.over {
		return z.over
	}
	return cmp.Or(
		cmp.Compare(y.severity, z.severity),
		cmp.Compare(slices.Index(importance[:], z.kind), slices.Index(importance[:], y.kind)),
		cmp.Compare(y.score, z.score),
	) > 0
}

// ended is when the last of a device's own symptoms was seen.
func ended(d *device) (at int64) {
	for y := range d.own {
		at = max(at, y.last)
	}
	if at == 0 { // they went into a group
		return d.finding.told
	}
	return at
}

// describe says what is wrong with a device, by its worst symptom.
func (f *Fold) describe(d *device, y *symptom) {
	o := &d.finding.Finding
	o.Class = d.class
	y.into(o)
	o.Members = nil
	o.Metric = y.metric
	for y := range d.own {
		if len(o.Members) < schemas.MaxMembers {
			o.Members = append(o.Members, y.member(d))
		}
		if y.metric != o.Metric {
			o.Metric = ""
		}
	}
	o.Says = y.says + others(len(o.Members)-1)
}

// into writes the worst value of a symptom.
func (y *symptom) into(o *schemas.Finding) {
	o.Severity, o.Kind = max(o.Severity, y.severity), y.kind
	o.Detector, o.Model, o.View = y.detector, y.model, y.view
	o.Score, o.Threshold, o.Tail = y.score, y.threshold, y.tail
	o.Start, o.End, o.Completeness, o.ClockError = y.start, y.end, y.complete, y.clock
	o.Evidence = slices.Clone(y.evidence)
}

func (y *symptom) member(d *device) schemas.FindingMember {
	return schemas.FindingMember{Device: d.name, Metric: y.metric, Kind: y.kind, Since: y.since, Score: y.score, Over: y.over}
}

// put puts out the next revision of a finding.
func (f *Fold) put(o *finding, state schemas.FindingState) {
	o.Revision++
	o.State, o.Updated = state, f.now
	o.news, o.told = false, f.now
	f.ready = append(f.ready, o.Finding)
}

// forget gives up devices that have been silent for a day.
func (f *Fold) forget() {
	gone := func(d *device) bool {
		return f.now-d.seen > forgetAfter && d.grouped() == nil
	}
	if !slices.ContainsFunc(f.devices, gone) {
		return
	}
	for _, d := range f.devices {
		if gone(d) {
			f.giveUp(d)
		}
	}
	f.devices = slices.DeleteFunc(f.devices, gone)
}

func (f *Fold) giveUp(d *device) {
	if d.finding != nil {
		d.finding.Ended, d.finding.Says = f.now, forgottenSays(d)
		f.put(d.finding, schemas.FindingClosed)
	}
	f.series -= d.room()
	delete(f.byName, d.tenant+"/"+d.name)
}

// grouped is a group that a symptom of the device is in, or nil.
func (d *device) grouped() *group {
	for _, y := range d.symptoms {
		if y.in != nil {
			return y.in
		}
	}
	return nil
}
