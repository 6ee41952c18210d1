package gateway

import (
	"slices"

	"weir/schemas"
)

// maxEpochs bounds the number spaces of one producer. A new one is begun only where
// an agent has lost something, or starts without its link, so more are an attack.
const maxEpochs = 4096

// day is how long, in agent time, a silent producer is still expected, and how
// long entries of an epoch are taken after another one has gone on.
const day = 24 * 3600 * wholeSecond

// producer is what a gateway knows of one contributor.
type producer struct {
	name    string
	spaces  map[schemas.Epoch]*space
	current *space          // whose newest whole commit has the greatest agent time; nil: none is whole yet
	owes    bool            // entries are missing; see account
	line    *lineage        // nil: it must be found out
	news    []schemas.Epoch // epochs of which no commit of this gateway has told yet
	agent   bool            // else a gateway, to which producers tell again what they have come to

	contests []*merged // windows in memory that it has brought in several epochs
	doubts   doubts
	doubted  *[2]map[string]uint64 // nil: it must be found out; see inDoubt
}

func newProducer(name string, tier schemas.Tier) *producer {
	return &producer{name: name, spaces: map[schemas.Epoch]*space{}, agent: tier == schemas.TierRegion, doubts: newDoubts()}
}

// space is the number space of an epoch; nil: there are too many.
func (p *producer) space(e schemas.Epoch) *space {
	s := p.spaces[e]
	if s == nil && len(p.spaces) < maxEpochs {
		s = newSpace()
		p.spaces[e] = s
		p.news = append(p.news, e)
	}
	return s
}

// epochs are those seen, in the order of their bytes.
func (p *producer) epochs() []schemas.Epoch {
	out := make([]schemas.Epoch, 0, len(p.spaces))
	for e := range p.spaces {
		out = append(out, e)
	}
	slices.SortFunc(out, schemas.Epoch.Compare)
	return out
}

// choose finds the current epoch after a commit has become whole.
func (p *producer) choose() {
	p.current = nil
	for _, e := range p.epochs() {
		s := p.spaces[e]
		if s.newest != nil && !p.outlived(s) && (p.current == nil || s.newest.time >= p.current.newest.time) {
			p.current = s
		}
	}
}

// view is what its newest whole commit says of a view; nil: nothing. It never
// goes back: an older commit that comes later changes nothing.
func (p *producer) view(name string) *schemas.Progress {
	if p.current == nil {
		return nil
	}
	return p.current.newest.view(name)
}

// finalThrough is how far a view is final as far as others wait for it: as its
// newest commit says, or only as the one before the first hole says, until that
// is further behind than the hold time. view must be one that it knows.
func (p *producer) finalThrough(view string) int64 {
	newest := p.current.newest
	through := newest.through(view)
	if !p.owes {
		return through
	}
	for _, s := range p.spaces {
		if since, some := s.holes(); some && since >= newest.time-hold {
			through = min(through, s.solid(view))
		}
	}
	return through
}

// misses reports whether a window may lack records of this producer, so that its
// name belongs into the window. Who has said nothing for a day is not expected.
func (p *producer) misses(w *schemas.Window, now int64) bool {
	v := p.view(w.View)
	if v == nil || v.OnTimeThrough == never || p.current.newest.time < now-day {
		return false
	}
	if v.OnTimeThrough < w.End || !p.owes {
		return v.OnTimeThrough < w.End
	}
	for _, s := range p.spaces {
		if s.lacks(w) {
			return true
		}
	}
	return false
}

// account notes whether entries are missing, after one has come.
func (p *producer) account() {
	p.owes = false
	for _, s := range p.spaces {
		_, some := s.holes()
		p.owes = p.owes || some
	}
}

// debt is how many entries are known to be missing.
func (p *producer) debt() (n uint64) {
	for _, s := range p.spaces {
		n += s.debt()
	}
	return n
}

// unexplained is the difference between what the producer says it has emitted
// and the records in the windows applied.
func (p *producer) unexplained() (n int64) {
	for _, s := range p.spaces {
		n += s.off
	}
	return n
}
