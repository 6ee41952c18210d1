package detector

import "weir/schemas"

// device is what is known of one device.
type device struct {
	tenant, name, class string
	rules               *Rules
	series              []*series
	joints              []*joint // by the groups of rules; nil: it has none yet, and so is one that it has not

	presence
	symptoms []*symptom
	finding  *finding // of the symptoms that are in no group; nil: none is open
}

// follow takes new settings.
func (d *device) follow(s *Settings) {
	d.class = s.ClassOf(d.name)
	was := d.rules
	d.rules = s.Rules(d.tenant, d.class)
	if was == nil {
		return
	}
	d.followJoint(was)
	if was.Detector != d.rules.Detector || was.Budget != d.rules.Budget {
		for _, s := range d.series {
			s.forgetDetectors() // another detector learns anew
		}
		d.joints = nil
	}
}

func (d *device) seriesOf(metric string) *series {
	for _, s := range d.series {
		if s.metric == metric {
			return s
		}
	}
	return nil
}

func (d *device) newSeries(metric string) *series {
	s := &series{dev: d, metric: metric, lastWindow: never}
	d.series = append(d.series, s)
	return s
}

// resume starts all waiting anew. What is known to be silent is still that.
func (d *device) resume(now, grace int64) {
	for _, y := range d.symptoms {
		if !y.over {
			y.last = now
		}
	}
	if d.has("", schemas.Silent) {
		return
	}
	d.presence.resume(now, grace)
	for _, s := range d.series {
		if !d.has(s.metric, schemas.Missing) {
			s.presence.resume(now, grace)
		}
	}
}

// presence follows how regularly something comes.
type presence struct {
	seen    int64 // agent time at which something came last
	times   uint8 // seconds in which something came, up to enough
	usual   int64 // greatest of the usual gaps, ns
	resumed bool  // the next gap says nothing
}

// enough is how many seconds with values make a gap usual.
const enough = 5

// note takes a second in which something came. A gap that was a finding is none to get used to.
func (p *presence) note(now int64, silent bool) {
	gap := now - p.seen
	switch {
	case p.times == 0 || gap <= 0 || p.resumed || silent:
	case gap > p.usual:
		p.usual = gap
	default:
		p.usual -= (p.usual - gap) / 32
	}
	if p.times > 0 && gap <= 0 {
		p.seen = max(p.seen, now) // within grace
		return
	}
	p.seen, p.resumed = now, false
	p.times = min(p.times+1, enough)
}

// silentFor reports whether nothing has come for longer than the rules allow.
func (p *presence) silentFor(now int64, r *Rules) bool {
	after := max(r.SilentAfter, int64(r.SilentGaps*float64(p.usual)))
	return r.SilentAfter > 0 && p.times >= enough && now-p.seen > after
}

func (p *presence) resume(now, grace int64) {
	p.seen, p.resumed = max(p.seen, now+grace), true
}
