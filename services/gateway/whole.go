package gateway

import (
	"math"

	"weir/schemas"
)

// retold is how often a region tells again which epochs of agents it knows, in agent time:
// a tier above that was too old to understand it, or has lost it, learns it then.
const retold = 3600 * wholeSecond

// news are the epochs of agents that the next commit tells of.
func (f *Fold) news() (epochs []schemas.Epoch) {
	if f.tier != schemas.TierRegion {
		return nil // nobody above asks
	}
	again := f.told == never || f.now-f.told >= retold
	if again {
		f.told = f.now
	}
	for _, name := range f.names {
		p := f.producers[name]
		if _, detector := schemas.CutDetector(name); detector {
			continue
		}
		if again {
			p.news = p.epochs()
		}
		epochs, p.news = append(epochs, p.news...), nil
	}
	return epochs
}

// whole finds out between which times the windows of a view lack nothing of any producer
// that is known and expected. Nobody is given up here for being late.
func (f *Fold) whole(v *view) {
	if f.tier != schemas.TierRegion {
		return // nobody above asks
	}
	v.WholeFrom, v.WholeThrough = never, v.FinalThrough
	for _, name := range f.names {
		p := f.producers[name]
		row := p.view(v.View)
		_, detector := schemas.CutDetector(name)
		switch {
		case detector:
		case p.current == nil:
			v.WholeThrough = never
		case row == nil || row.OnTimeThrough == never || p.current.newest.time < f.now-day:
		default:
			from, through := p.whole(row)
			v.WholeFrom, v.WholeThrough = max(v.WholeFrom, from), min(v.WholeThrough, through)
		}
	}
}

// whole is from where on and how far all has come here that a producer has had for a view,
// by its newest word. What it had removed before never comes.
func (p *producer) whole(row *schemas.Progress) (from, through int64) {
	from, through = never, row.FinalThrough
	for _, s := range p.spaces {
		switch {
		case len(s.endings) > 0 && (!s.covers(1, s.lastWord().N) || len(s.stretches) == 0):
			from = max(from, p.current.behindFirst())
		case len(s.stretches) == 0 || len(s.endings) > 0:
		default:
			from = max(from, s.begins())
			if len(s.stretches) > 1 {
				through = min(through, s.firstThrough(row.View))
			}
		}
	}
	return from, through
}

// begins is from where on windows may begin that hold nothing of entries before the first
// that is applied; never: there is none.
func (s *space) begins() int64 {
	if s.stretches[0].from == 1 {
		return never
	}
	return s.behindFirst()
}

// behindFirst is from where on windows may begin that have begun after the first commit
// that is applied.
func (s *space) behindFirst() int64 {
	if oldest := s.stretches[0].oldest; oldest < math.MaxInt64 {
		return oldest + ahead
	}
	return math.MaxInt64
}

// firstThrough is the final_through of a view before the first hole.
func (s *space) firstThrough(view string) int64 {
	if h := s.stretches[0].whole(); h != nil {
		return h.through(view)
	}
	return never
}
