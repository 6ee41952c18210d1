package gateway

import (
	"slices"
	"strings"

	"weir/schemas"
)

// A gateway may begin anew with an empty folder. Its producers bring again what they
// still have, and it makes windows of that in an epoch which goes on from nothing. So its
// epochs do not add up, as an agent's do: each holds some records of a window, and nobody
// knows which of them both hold. Of each window
//
//   - that is in memory, the epoch counts that has the most records, whichever came first,
//     and also where late records make it so,
//   - that is forgotten, what was put out stands. What another epoch brings is added where
//     it is a part by itself and that epoch has shown before, by an equal digest, that it
//     has all that stands. Else it is left out.
//
// How many records a window may lack then is told, see lacks.

// begin is a part that is new in a window.
func (p *producer) begin(m *merged, w *schemas.Window) *part {
	n := &part{of: m}
	if p.agent || len(p.spaces) == 1 {
		return n // as nearly always
	}
	n.muted = p.standsBeside(m, w)
	if n.muted || slices.ContainsFunc(m.parts, func(o *part) bool { return o.Contributor == p.name && o.Epoch != w.Epoch }) {
		p.contest(m)
	}
	return n
}

// recontest finds out of a window that has been restored whether all parts count.
func (f *Fold) recontest(m *merged) {
	for i, o := range m.parts {
		p := f.producers[o.Contributor]
		if beside := i > 0 && m.parts[i-1].Contributor == p.name && m.parts[i-1].Epoch != o.Epoch; !p.agent && (beside || o.muted) {
			p.contest(m)
		}
	}
}

// standsBeside reports whether what other epochs have brought of a window has been put
// out and is forgotten, and may hold what this one brings.
func (p *producer) standsBeside(m *merged, w *schemas.Window) bool {
	key := schemas.Hash([]byte(m.key))
	var stands, has worth
	others := false
	for e, s := range p.spaces {
		if e != w.Epoch && s.stands.fades(w.End) && !m.holdsAll(p.name, e) {
			return true
		}
		s.stands.each(key, func(x *stand) {
			if x.counts {
				stands, others = stands.plus(x.worth), others || e != w.Epoch
			}
			if e == w.Epoch {
				has = has.plus(x.worth)
			}
		})
	}
	for _, o := range m.partsOf(p.name, w.Epoch) {
		has = has.plus(worthOf(&o.Window))
	}
	return others && has != stands
}

// contest notes that not all parts of a window count.
func (p *producer) contest(m *merged) {
	m.contested = true
	if !slices.Contains(p.contests, m) {
		p.contests = append(p.contests, m)
	}
}

// meet notes epochs of a gateway's producers that it has come to know.
func (s *space) meet(epochs []schemas.Epoch) {
	for _, e := range epochs {
		s.knows[e] = true
	}
}

// knowsAllOf reports whether a gateway has come to know in one epoch all producers that
// it knew in another. Of what older programs have written that is not known.
func (s *space) knowsAllOf(other *space) bool {
	for e := range other.knows {
		if !s.knows[e] {
			return false
		}
	}
	return len(other.knows) > 0
}

// share is what one epoch has brought of a window.
type share struct {
	worth
	of      *space
	left    uint64 // records of it that do not count
	lacking bool   // it is not final, or lacks producers
}

// add adds a part, which tells better than those before it what is lacking.
func (s *share) add(w worth, counts, lacking bool) {
	if s.worth, s.lacking = s.plus(w), lacking; !counts {
		s.left += w.records
	}
}

// lacks is how many records of a window the epochs of a gateway have brought that may not
// be in what counts of it. An epoch that has as many as any, lacks none and knows all
// producers that the others knew, has all: then it is known. Else it is what does not
// count, at the most. While more of it is on its way that is nothing yet.
func (p *producer) lacks(m *merged) uint64 {
	key, end, forgotten := schemas.Hash([]byte(m.key)), m.end(), m.amends || m.late()
	var shares []share
	var counted worth
	for _, e := range p.epochs() {
		s := p.spaces[e]
		sh := share{of: s}
		add := func(w worth, counts, lacking bool) {
			if sh.add(w, counts, lacking); counts {
				counted = counted.plus(w)
			}
		}
		if forgotten {
			s.stands.each(key, func(x *stand) { add(x.worth, x.counts, x.lacking) })
		}
		for _, o := range m.partsOf(p.name, e) {
			if s == p.current && !o.final && o.End > s.newest.through(o.View) {
				return 0
			}
			add(worthOf(&o.Window), m.counts(o), s.lacking(o))
		}
		if forgotten && sh.worth == (worth{}) && s.stands.fades(end) && !s.stands.others.fades(end) {
			return 0 // it stands, and nothing had to be said of it
		}
		if sh.records > 0 {
			shares = append(shares, sh)
		}
	}
	return shortfall(shares, counted)
}

// shortfall is how many records of shares may not be in what counts of them.
func shortfall(shares []share, counted worth) (n uint64) {
	if whole := slices.IndexFunc(shares, func(s share) bool { return s.holds(shares) }); whole >= 0 {
		return shares[whole].records - min(shares[whole].records, counted.records)
	}
	for i, s := range shares {
		same := func(o share) bool { return o.worth == s.worth }
		if s.worth != counted && !slices.ContainsFunc(shares[:i], same) {
			n += s.left
		}
	}
	return n
}

// holds reports whether a share is known to have all records of others.
func (s share) holds(others []share) bool {
	return !s.lacking && !slices.ContainsFunc(others, func(o share) bool {
		return o.of != s.of && (o.records > s.records || !s.of.knowsAllOf(o.of))
	})
}

// lacking reports whether a part may lack records of producers: by what its gateway has
// said last of all windows of the view; of late totals, which have no end, by where its
// view begins to be whole.
func (s *space) lacking(p *part) bool {
	name, late := schemas.CutLate(p.View)
	if len(s.stretches) != 1 || s.stretches[0].from != 1 || s.newest == nil {
		return true
	}
	v := s.newest.view(name)
	if v == nil || v.WholeFrom == 0 && v.WholeThrough == 0 || p.Start < v.WholeFrom {
		return true
	}
	if late {
		return p.Timing != schemas.FinalTiming
	}
	return p.End > v.WholeThrough
}

// forget remembers of a window that ends what its producers have brought, and what it may
// lack.
func (f *Fold) forget(m *merged) {
	if f.tier == schemas.TierRegion {
		return
	}
	key := schemas.Hash([]byte(m.key))
	for i, o := range m.parts {
		p := f.producers[o.Contributor]
		s := p.spaces[o.Epoch]
		if m.contested && len(p.spaces) > 1 && (i == 0 || m.parts[i-1].Contributor != o.Contributor) {
			p.doubted = nil
			p.doubts.set(key, doubt{shareOf(&o.Window), p.lacks(m)})
		}
		s.stands.note(stand{key, o.End, worthOf(&o.Window), m.counts(o), s.lacking(o)}, m.contested)
	}
}

// shareOf names a view, and whose share of the ledger the records of its window are.
func shareOf(w *schemas.Window) string { return w.View + "\x00" + ownerOf(w) }

// inDoubt is how many records of each share of the ledger the windows may lack that a
// gateway has brought in several epochs: where views lack differently many, the most. It
// is found out anew when something of the gateway has come.
func (p *producer) inDoubt() (counted, late map[string]uint64) {
	if p.doubted != nil {
		return p.doubted[0], p.doubted[1]
	}
	sum := p.doubts.sum()
	p.contests = slices.DeleteFunc(p.contests, func(m *merged) bool { return m.gone })
	for _, m := range p.contests {
		sum[shareOf(&m.parts[0].Window)] += p.lacks(m)
	}
	counted, late = map[string]uint64{}, map[string]uint64{}
	for name, n := range sum {
		view, who, _ := strings.Cut(name, "\x00")
		into := counted
		if _, isLate := schemas.CutLate(view); isLate {
			into = late
		}
		into[who] = max(into[who], n)
	}
	p.doubted = &[2]map[string]uint64{counted, late}
	return counted, late
}

// withhold takes off totals what windows may lack, as far as that goes.
func (p *producer) withhold(sum map[schemas.Total]uint64) {
	counts, late := p.inDoubt()
	for _, of := range [...]struct {
		outcome schemas.Outcome
		reason  schemas.Reason
		n       map[string]uint64
	}{{schemas.Counted, "", counts}, {schemas.Late, schemas.TooLate, late}} {
		for who, n := range of.n {
			t := counted(who)
			t.Outcome, t.Reason = of.outcome, of.reason
			if n = min(n, sum[t]); n > 0 {
				move(sum, t, doubted(t), n)
			}
		}
	}
}
