package console

import (
	"maps"
	"math"

	"weir/schemas"
)

// progressID names what a producer says about a view.
type progressID struct{ producer, view string }

// mark says how far a producer's windows are final: every part with End <=
// through, but those that are held.
type mark struct {
	epoch   schemas.Epoch
	through int64 // of this epoch
	before  int64 // of the epochs before it, whose parts nobody revises any more
}

// nothingFinal is what is known of who has said nothing.
var nothingFinal = mark{through: math.MinInt64, before: math.MinInt64}

// finality is what producers have said in the commits of a stretch of a stream.
type finality map[progressID]mark

// take takes the progress in the end of a commit. A new epoch says everything anew.
func (f finality) take(c *schemas.Commit) {
	for _, p := range c.Views {
		id := progressID{c.Producer, p.View}
		f[id] = f.in(id, c.Epoch).passing(p.FinalThrough)
	}
}

// enter notes in which epoch the windows of an entry are, whose commit may end later.
func (f finality) enter(c *schemas.Commit) {
	for _, rows := range [...][]schemas.Window{c.Local, c.Windows} {
		for i := range rows {
			if i == 0 || rows[i].View != rows[i-1].View {
				id := progressID{c.Producer, rows[i].View}
				f[id] = f.in(id, c.Epoch)
			}
		}
	}
}

// in is what is known of who speaks, in an epoch.
func (f finality) in(id progressID, epoch schemas.Epoch) mark {
	m, known := f[id]
	switch {
	case !known:
		m = nothingFinal
		m.epoch = epoch
	case m.epoch != epoch:
		m = mark{epoch: epoch, through: math.MinInt64, before: max(m.before, m.through)}
	}
	return m
}

// passes reports whether the producer of a part, in an epoch, has said before or
// with it that it is final.
func (f finality) passes(p *part, epoch schemas.Epoch) bool {
	return p.End <= f.in(progressID{p.Contributor, p.View}, epoch).through
}

func (m mark) passing(through int64) mark {
	m.through = max(m.through, through)
	return m
}

// timing is what the progress makes of a part's own timing.
func (f finality) timing(p *part) schemas.Timing {
	m, known := f[progressID{p.Contributor, p.View}]
	passed := m.through >= p.End && !p.held
	if m.epoch != p.Epoch {
		passed = max(m.before, m.through) >= p.End
	}
	if known && passed {
		return schemas.FinalTiming
	}
	return p.Timing
}

// join puts what was said in a later stretch behind f.
func (f finality) join(later finality) {
	for id, l := range later {
		e, known := f[id]
		switch {
		case !known:
		case e.epoch == l.epoch:
			l.through, l.before = max(l.through, e.through), max(l.before, e.before)
		default:
			l.before = max(l.before, e.before, e.through)
		}
		f[id] = l
	}
}

func (f finality) clone() finality { return maps.Clone(f) }
