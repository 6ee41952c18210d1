package fold

import (
	"context"
	"errors"
	"slices"

	"weir/schemas"
	"weir/services/internal/bus"
)

// remains are what a start finds of a stage's stores.
type remains struct {
	newest *schemas.Commit // of the outbox; nil: it is empty
	state  *checkpoint     // nil: there is none
	begins bool            // there is but the note that the stage begins; see Begin
	lost   bool            // the input does not hold what the state includes
	ahead  bool            // the state includes entries that the outbox does not hold
	input  bus.Usage
}

// openRenewer restores what is left of a stage whose core can go on in a new epoch,
// and finds out whether it must.
func (s *Stage) openRenewer(ctx context.Context, newest *schemas.Commit) (err error) {
	r := remains{newest: newest}
	if r.input, err = s.log.Usage(ctx, s.input, ""); err != nil {
		return err
	}
	s.inputEnd = r.input.LastSeq
	if err := s.findState(ctx, &r); err != nil {
		return err
	}
	if err := s.restore(newest, r.state); err != nil {
		return err
	}
	if newest != nil && newest.Epoch == s.pos.epoch && len(newest.Continues) > len(s.pos.continues) {
		s.pos.continues, s.pos.past = newest.Continues, nil
	}
	if newest == nil && r.state != nil {
		if err := s.loseOutbox(ctx); err != nil {
			return err
		}
	}
	first, err := s.firstHeld(ctx)
	if err != nil {
		return err
	}
	if s.end, err = s.plan(ctx, &r); err != nil {
		return err
	}
	if s.end != nil {
		s.endUnknown(ctx)
		if first != nil {
			s.onlyFrom(first)
		}
	}
	if r.lost {
		s.start, s.restored, s.state.newest = 0, 0, 0
		s.pos.inFirst, s.pos.inLast = 1, 0
	}
	return err
}

// firstHeld is the first entry of the outbox; nil: there is none.
func (s *Stage) firstHeld(ctx context.Context) (*schemas.Commit, error) {
	m, err := s.log.Next(ctx, s.Outbox, 1)
	if errors.Is(err, bus.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := s.commitIn(m, 0)
	if err != nil {
		return nil, err
	}
	if c.Epoch == s.pos.epoch {
		s.held = c.First()
	}
	return c, s.findFolded(ctx)
}

// findFolded finds the first entry of each epoch that has been folded: a forwarder has
// put one in the place of several, on a subject of their own.
func (s *Stage) findFolded(ctx context.Context) (err error) {
	if s.foldedFirst == nil {
		return nil
	}
	if s.folded, err = s.foldedFirst(ctx); err != nil {
		return err
	}
	if n := s.folded[s.pos.epoch]; n > 0 && s.held > 0 {
		s.held = min(s.held, n)
	}
	return nil
}

// onlyFrom notes that of this epoch and those before it only what the outbox holds may
// still come, which begins with an entry: what is not there is applied above, or was
// lost.
func (s *Stage) onlyFrom(c *schemas.Commit) {
	if c.Epoch == s.pos.epoch {
		s.end.from = max(s.end.from, c.First())
	}
	s.pos.continues = slices.Clone(s.pos.continues)
	for i, before := 0, c.Epoch == s.pos.epoch; i < len(s.pos.continues); i++ {
		k := &s.pos.continues[i]
		switch {
		case before:
			k.From = k.N + 1
		case k.Epoch == c.Epoch:
			k.From, before = min(max(k.From, c.First()), k.N+1), true
		}
		if n := s.folded[k.Epoch]; n > 0 {
			k.From = min(k.From, n)
		}
	}
	if n := s.folded[s.pos.epoch]; n > 0 {
		s.end.from = min(s.end.from, n)
	}
}

// loseOutbox notes, for good, that nothing made so far is in the outbox any more.
func (s *Stage) loseOutbox(ctx context.Context) error {
	if s.pos.n == 0 && len(s.pos.continues) == 0 {
		return nil // nothing ever was
	}
	s.gone = s.pos.n
	s.pos.continues = slices.Clone(s.pos.continues)
	for i := range s.pos.continues {
		s.pos.continues[i].From = s.pos.continues[i].N + 1
	}
	return s.put(ctx)
}

// findState finds the newest checkpoint on the way to the newest commit. One that the
// input does not hold is better than none, and so is one that is ahead of the outbox;
// one that knows nothing is better than none only.
func (s *Stage) findState(ctx context.Context, r *remains) (err error) {
	held := func(c *checkpoint) (bool, error) { return s.inputHolds(ctx, c.InLast, c.inHash) }
	both := func(of func(*checkpoint, *schemas.Commit) bool) func(*checkpoint) (bool, error) {
		return func(c *checkpoint) (bool, error) {
			ok, err := held(c)
			return ok && !c.begins() && of(c, r.newest), err
		}
	}
	alone := func(of func(*checkpoint, *schemas.Commit) bool) func(*checkpoint) (bool, error) {
		return func(c *checkpoint) (bool, error) { return of(c, r.newest), nil }
	}
	for _, fits := range [...]func(*checkpoint) (bool, error){both(onTheWay), alone(onTheWay), both(ahead), alone(ahead)} {
		r.state, err = s.state.load(ctx, fits)
		if err != nil && !errors.Is(err, errNoCheckpoint) {
			return err
		}
		if c := r.state; c != nil && c.begins() {
			r.state, r.begins = nil, true
		} else if c != nil {
			ok, err := held(c)
			r.lost, r.ahead = !ok, !onTheWay(c, r.newest)
			return err
		}
	}
	return nil
}

// onTheWay reports whether a checkpoint includes nothing beyond the newest commit. It
// may be of the epoch before, if nothing of the new one but its estate was written.
func onTheWay(c *checkpoint, newest *schemas.Commit) bool {
	switch {
	case newest == nil:
		return true
	case c.Epoch == newest.Epoch:
		return c.N <= newest.N
	}
	return len(newest.Continues) > 0 && newest.N <= newest.Continues[0].Estate &&
		newest.Continues[0].Epoch == c.Epoch && c.N <= newest.Continues[0].N
}

// ahead reports whether a checkpoint was written after the newest commit was.
func ahead(c *checkpoint, newest *schemas.Commit) bool {
	return newest != nil && (c.Epoch == newest.Epoch && c.N > newest.N ||
		slices.ContainsFunc(c.continues, func(k schemas.Continuation) bool { return k.Epoch == newest.Epoch }))
}

// wholeBefore is the newest commit of which nothing is missing, its end.
func (s *Stage) wholeBefore(ctx context.Context, c *schemas.Commit) (_ *schemas.Commit, err error) {
	none := &schemas.Commit{Epoch: c.Epoch}
	for seq := s.out.seq; !c.End && seq > 1; {
		seq--
		m, err := s.log.Get(ctx, s.output, seq)
		if errors.Is(err, bus.ErrNone) || err == nil && m.Subject != s.Outbox {
			continue
		}
		if err != nil {
			return nil, err
		}
		if c, err = s.commitIn(m, 0); err != nil {
			return nil, err
		}
	}
	if !c.End {
		return none, nil
	}
	return c, nil
}
