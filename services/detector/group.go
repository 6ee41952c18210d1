package detector

import (
	"slices"

	"weir/schemas"
	"weir/services/internal/found"
)

// group is one finding of many devices: the same kind of thing began on all of them
// at about the same time.
type group struct {
	finding
	kind   schemas.FindingKind
	joined int64 // agent time at which the last device joined
}

// joinsFor is how long devices may still join, in multiples of the time within which
// a group begins.
const joinsFor = 6

// cause is what devices of one group share.
type cause struct {
	tenant string
	kind   schemas.FindingKind
}

// gather puts what began on many devices at once into groups.
func (f *Fold) gather() {
	var at []cause // in order of first sight
	fresh := map[cause][]*device{}
	for _, d := range f.devices {
		for y := range d.own {
			c := cause{d.tenant, y.kind}
			if y.over || f.now-y.opened > d.rules.GroupWithin || d.rules.GroupOf == 0 || slices.Contains(fresh[c], d) {
				continue
			}
			if fresh[c] == nil {
				at = append(at, c)
			}
			fresh[c] = append(fresh[c], d)
		}
	}
	for _, c := range at {
		f.join(c, fresh[c])
	}
}

// join puts devices into the group of a cause, if there is one or they are enough for one.
func (f *Fold) join(c cause, devices []*device) {
	r := devices[0].rules
	i := slices.IndexFunc(f.open, func(g *group) bool {
		return g.Tenant == c.tenant && g.kind == c.kind && f.now-g.joined <= joinsFor*r.GroupWithin
	})
	var g *group
	switch {
	case i >= 0:
		g = f.open[i]
	case len(devices) >= r.GroupOf:
		g = f.newGroup(c, devices)
	default:
		return
	}
	for _, d := range devices {
		for y := range d.own {
			if y.kind != c.kind || y.over {
				continue
			}
			y.in, g.joined, g.news = g, f.now, true
			if d.finding != nil {
				d.finding.news = true
			}
		}
	}
}

func (f *Fold) newGroup(c cause, devices []*device) *group {
	started := int64(1<<63 - 1)
	for _, d := range devices {
		for y := range d.own {
			if y.kind == c.kind && !y.over {
				started = min(started, y.since)
			}
		}
	}
	g := &group{kind: c.kind}
	g.Finding = schemas.Finding{
		ID: schemas.FindingID(f.agent, c.tenant+"//"+c.kind.String(), started), Origin: f.agent, Tenant: c.tenant, Started: started,
	}
	f.open = append(f.open, g)
	return g
}

// groupEvery is the least time between two revisions of a group that goes on, ns.
const groupEvery = 5 * second

// settleGroups opens, updates and closes the findings of many devices.
func (f *Fold) settleGroups() {
	closed := false
	for _, g := range f.open {
		going, last := g.going(f.devices)
		switch {
		case g.Revision == 0:
			f.describeGroup(g)
			f.put(&g.finding, schemas.FindingOpen)
		case going == 0:
			f.describeGroup(g)
			g.Ended, closed = last, true
			f.put(&g.finding, schemas.FindingClosed)
			for _, d := range f.devices {
				d.drop(func(y *symptom) bool { return y.in == g })
			}
		case g.news && f.now-g.told >= groupEvery || f.now-g.told >= tellAgain:
			f.describeGroup(g)
			f.put(&g.finding, schemas.FindingUpdate)
		}
	}
	if closed {
		f.open = slices.DeleteFunc(f.open, func(g *group) bool { return g.State == schemas.FindingClosed })
	}
}

// going is how many symptoms of the group are not over, and when one was seen last.
func (g *group) going(devices []*device) (n int, last int64) {
	for _, d := range devices {
		for _, y := range d.symptoms {
			if y.in != g {
				continue
			}
			last = max(last, y.last)
			if !y.over {
				n++
			}
		}
	}
	return n, last
}

// describeGroup says which devices, what, and what they share.
func (f *Fold) describeGroup(g *group) {
	var worst *symptom
	var common found.Common
	common.Note("agent", f.agent)
	common.Note("kind", g.kind.String())
	g.Devices, g.Members = 0, nil
	for _, d := range f.devices {
		in := false
		for _, y := range d.symptoms {
			if y.in != g {
				continue
			}
			in = true
			common.Note("class", d.class)
			common.Note("metric", y.metric)
			common.Note("detector", y.detector)
			if len(g.Members) < schemas.MaxMembers {
				g.Members = append(g.Members, y.member(d))
			}
			if worst == nil || y.worseThan(worst) {
				worst = y
			}
		}
		if in {
			g.Devices++
		}
	}
	if worst != nil {
		worst.into(&g.Finding)
	}
	g.Class, g.Metric = common.One("class"), common.One("metric")
	g.Shared = common.Attrs()
	g.Says = groupSays(&g.Finding)
}
