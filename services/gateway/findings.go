package gateway

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"weir/schemas"
	"weir/services/internal/found"
)

// When findings of several producers are one finding of this tier: so many devices, of
// at least two producers, with the same kind of thing within a minute of agent time.
const (
	sharedBy     = 5
	sharedWithin = 60 * wholeSecond
)

// keepClosed is how many findings that are over a gateway remembers, so that an older
// revision that comes later does not open one again, and for people to look at.
const keepClosed = 4096

// findings is what a partition knows of what the producers below have found. All
// findings of a region come to one partition; see schemas.Partition.
type findings struct {
	open   map[uint64]*known
	over   []schemas.Finding // oldest first, at most keepClosed
	wide   []*wide
	counts found.Counts      // opened
	ready  []schemas.Finding // for the next commit
	news   bool              // something was found since the last settling
}

// known is the newest revision of a finding that is open.
type known struct {
	schemas.Finding
	came int64 // agent time at which it was opened here
	in   *wide // that it is part of; nil: none
}

// wide is a finding of this tier: one cause on devices of several producers.
type wide struct {
	schemas.Finding
	cause
	joined int64 // agent time at which the last part joined
	told   int64
	news   bool
}

// cause is what parts of one wide finding share.
type cause struct {
	tenant string
	kind   schemas.FindingKind
}

// home is the region of this gateway, or Center.
func (f *Fold) home() string {
	region, _ := schemas.SplitProducer(f.producer)
	return region
}

// found takes the findings of an entry.
func (f *Fold) found(rows []schemas.Finding) {
	for i := range rows {
		o := rows[i]
		if f.tier == schemas.TierRegion {
			o.Region = f.home()
		}
		f.findings.take(&o, f.now)
	}
}

// take takes one revision, unless a newer one is known, and passes it on.
func (s *findings) take(o *schemas.Finding, now int64) {
	if s.stale(o) {
		return
	}
	k := s.open[o.ID]
	if k == nil {
		k = &known{came: now}
		if s.open == nil {
			s.open = map[uint64]*known{}
		}
		s.open[o.ID] = k
		s.counts.Add(o)
	}
	k.Finding = *o
	if k.in != nil {
		k.in.news = true
	}
	if !o.Open() {
		delete(s.open, o.ID)
		s.over = found.Keep(s.over, o, keepClosed)
	}
	s.ready = append(s.ready, *o)
	s.news = true
}

// stale reports whether a newer revision has been taken.
func (s *findings) stale(o *schemas.Finding) bool {
	if k := s.open[o.ID]; k != nil {
		return k.Revision >= o.Revision
	}
	return slices.ContainsFunc(s.over, func(c schemas.Finding) bool { return c.ID == o.ID })
}

// sorted are the open findings in the order of their beginning.
func (s *findings) sorted() []*known {
	all := make([]*known, 0, len(s.open))
	for _, k := range s.open {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b *known) int { return cmp.Or(cmp.Compare(a.Started, b.Started), cmp.Compare(a.ID, b.ID)) })
	return all
}

// settle brings the wide findings up to what is open now.
func (s *findings) settle(home string, now int64) {
	if !s.news && !slices.ContainsFunc(s.wide, func(w *wide) bool { return w.news }) {
		return
	}
	s.news = false
	all := s.sorted()
	s.gather(home, now, all)
	for _, w := range s.wide {
		s.tell(w, now, all)
	}
	s.wide = slices.DeleteFunc(s.wide, func(w *wide) bool { return !w.Open() })
}

// gather finds what is not part of anything yet and began about together.
func (s *findings) gather(home string, now int64, all []*known) {
	within := withinOf(all)
	var causes []cause
	fresh := map[cause][]*known{}
	for _, k := range all {
		if _, part := within[k.ID]; part || k.in != nil || now-k.came > sharedWithin {
			continue
		}
		c := cause{k.Tenant, k.Kind}
		if fresh[c] == nil {
			causes = append(causes, c)
		}
		fresh[c] = append(fresh[c], k)
	}
	for _, c := range causes {
		s.join(home, now, c, fresh[c])
	}
}

// withinOf are the findings that are part of another one from below, and of which.
func withinOf(all []*known) map[uint64]uint64 {
	within := map[uint64]uint64{}
	for _, k := range all {
		for _, id := range k.Parts {
			within[id] = k.ID
		}
	}
	return within
}

// join puts findings into the wide one of their cause, if there is one or they are
// enough for one.
func (s *findings) join(home string, now int64, c cause, parts []*known) {
	i := slices.IndexFunc(s.wide, func(w *wide) bool { return w.cause == c && now-w.joined <= sharedWithin })
	var w *wide
	switch {
	case i >= 0:
		w = s.wide[i]
	case enough(parts):
		w = &wide{cause: c, Finding: schemas.Finding{
			ID:     schemas.FindingID(home, c.tenant+"//"+c.kind.String(), parts[0].Started),
			Origin: home, Region: regionOf(home), Tenant: c.tenant, Kind: c.kind, Started: parts[0].Started,
		}}
		s.wide = append(s.wide, w)
	default:
		return
	}
	for _, k := range parts {
		k.in, w.joined, w.news = w, now, true
	}
}

// regionOf is the region of a finding that a tier has made.
func regionOf(home string) string {
	if home == schemas.Center {
		return ""
	}
	return home
}

// enough reports whether findings are of enough devices, of more than one producer.
func enough(parts []*known) bool {
	devices, several := uint32(0), false
	for _, k := range parts {
		devices += k.Devices
		several = several || k.Origin != parts[0].Origin
	}
	return several && devices >= sharedBy
}

// tellEvery is the least time between two revisions of a wide finding that goes on.
const tellEvery = 5 * wholeSecond

// tell opens, updates or closes a wide finding.
func (s *findings) tell(w *wide, now int64, all []*known) {
	var parts []*known
	for _, k := range all {
		if k.in == w {
			parts = append(parts, k)
		}
	}
	switch {
	case len(parts) == 0:
		w.State, w.Ended = schemas.FindingClosed, s.ended(w)
	case w.Revision == 0:
		w.describe(parts)
		w.State = schemas.FindingOpen
	case w.news && now-w.told >= tellEvery:
		w.describe(parts)
		w.State = schemas.FindingUpdate
	default:
		return
	}
	w.Revision++
	w.Updated, w.told, w.news = now, now, false
	switch w.State {
	case schemas.FindingOpen:
		s.counts.Add(&w.Finding)
	case schemas.FindingClosed:
		s.over = found.Keep(s.over, &w.Finding, keepClosed)
	}
	s.ready = append(s.ready, w.Finding)
}

// ended is when the last part of a wide finding was over.
func (s *findings) ended(w *wide) (at int64) {
	for i := range s.over {
		if slices.Contains(w.Parts, s.over[i].ID) {
			at = max(at, s.over[i].Ended)
		}
	}
	return max(at, w.Started)
}

// describe says who, how many, since when, and what they share.
func (w *wide) describe(parts []*known) {
	worst := slices.MaxFunc(parts, func(a, b *known) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Score, b.Score), cmp.Compare(b.ID, a.ID))
	})
	was := w.Finding
	w.Finding = worst.Finding
	w.ID, w.Revision, w.Origin, w.Region, w.Kind = was.ID, was.Revision, was.Origin, was.Region, was.Kind
	w.Started, w.Severity, w.Device, w.Part = was.Started, max(was.Severity, worst.Severity), "", 0
	w.Devices, w.Members, w.Parts = 0, nil, nil
	var common found.Common
	common.Note("kind", w.Kind.String())
	for _, k := range parts {
		w.Started = min(w.Started, k.Started)
		w.Devices += k.Devices
		w.Members = append(w.Members, k.Members[:min(len(k.Members), schemas.MaxMembers-len(w.Members))]...)
		if len(w.Parts) < schemas.MaxParts {
			w.Parts = append(w.Parts, k.ID)
		}
		common.Note("agent", k.Origin)
		common.Note("class", k.Class)
		common.Note("detector", k.Detector)
		common.Note("metric", k.Metric)
		common.Note("region", k.Region)
	}
	w.Class, w.Metric, w.Shared = common.One("class"), common.One("metric"), common.Attrs()
	w.Says = wideSays(&w.Finding, parts)
}

func wideSays(w *schemas.Finding, parts []*known) string {
	origins := map[string]bool{}
	for _, k := range parts {
		origins[k.Origin] = true
	}
	says := fmt.Sprintf("%s on %d devices of %d producers since %s", w.Kind, w.Devices, len(origins), time.Unix(0, w.Started).UTC().Format("15:04:05"))
	for _, a := range w.Shared {
		if a.Key != "kind" {
			says += ", " + a.Key + " " + a.Value
		}
	}
	return says
}

// foundReport is what the partition knows of findings, between two messages.
func (f *Fold) foundReport() schemas.FindingReport {
	s := &f.findings
	r := schemas.FindingReport{Producer: f.producer, Tier: f.tier, Time: f.now, Findings: []schemas.FindingRow{}, Counts: s.counts}
	for i := range s.over {
		r.Findings = append(r.Findings, s.over[i].Row())
	}
	all := s.sorted()
	within := withinOf(all)
	for _, k := range all {
		row := k.Row()
		if k.in != nil {
			within[k.ID] = k.in.ID
		}
		if of, part := within[k.ID]; part {
			row.PartOf = schemas.RowID(of)
		}
		r.Findings = append(r.Findings, row)
	}
	for _, w := range s.wide {
		r.Findings = append(r.Findings, w.Row())
	}
	return r
}
