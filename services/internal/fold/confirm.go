package fold

import (
	"context"
	"slices"
	"time"

	"weir/schemas"
)

// Times of the question to the tier above.
const (
	aboveWithin = 3 * time.Second        // before a stage goes on without an answer
	aboveAgain  = 100 * time.Millisecond // between two questions
)

// ask asks the tier above. ok is false where nobody answers in time.
func (s *Stage) ask(ctx context.Context, patience time.Duration) (a Above, ok bool) {
	s.asked = true
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		a, err := s.above(ctx, s.Producer, s.pos.epoch)
		if err == nil {
			return a, true
		}
		select {
		case <-ctx.Done():
			s.slog.Info("the tier above does not say what it has", "err", err)
			return a, false
		case <-time.After(aboveAgain):
		}
	}
}

// confirm asks the tier above whether it holds entries that this stage will not make
// again: then this is an older copy of its stores. Where nobody answers, that may be.
func (s *Stage) confirm(ctx context.Context) (*ending, error) {
	if s.above == nil {
		return nil, nil
	}
	newest := max(s.out.durable, s.pos.n)
	e := &ending{n: newest, from: 1}
	a, ok := s.ask(ctx, aboveWithin)
	s.unheard = !ok
	if !ok {
		return e, nil
	}
	fine := !a.Ended
	for _, k := range a.Known {
		switch made, err := s.makes(ctx, k, newest); {
		case err != nil:
			return nil, err
		case !made && k.Epoch == s.pos.epoch.String():
			fine = false
			s.slog.Error("the tier above has entries that were made from input which is not here, or lacks some that are not here any more: a store is an older copy, or has lost something; a new epoch begins",
				"newest", newest, "first_held", s.held, "applied", k.Applied, "missing", k.Missing)
		case !made:
			fine = false
			e.before = append(e.before, unknown(k))
			s.slog.Error("the tier above knows an epoch that is not known here: this is an older copy; a new epoch begins", "epoch", k.Epoch, "applied", k.Applied)
		}
	}
	if fine {
		return nil, nil
	}
	return e, nil
}

// makes reports whether the entries of an epoch that the tier above has applied are
// here, or will be made again, or have been ended.
func (s *Stage) makes(ctx context.Context, k schemas.LinkEpoch, newest uint64) (bool, error) {
	if k.Epoch != s.pos.epoch.String() {
		return s.continued(k.Epoch), nil
	}
	if k.Missing < min(s.held, newest+1) {
		return false, nil // it was lost before it got there
	}
	if k.Applied <= newest {
		return true, nil
	}
	if k.N < k.Applied {
		return false, nil
	}
	return s.inputHolds(ctx, k.InLast, k.InHash)
}

// continued reports whether an epoch is one that this stage goes on from.
func (s *Stage) continued(epoch string) bool {
	return slices.ContainsFunc(s.pos.continues, func(k schemas.Continuation) bool { return k.Epoch.String() == epoch })
}

// unknown ends an epoch of which nothing is here.
func unknown(k schemas.LinkEpoch) schemas.Continuation {
	e, _ := schemas.ParseEpoch(k.Epoch)
	return schemas.Continuation{Epoch: e, From: 1}
}

// endUnknown ends, with the epoch, those that the tier above knows and nothing here.
func (s *Stage) endUnknown(ctx context.Context) {
	if s.above == nil || s.asked {
		return
	}
	a, ok := s.ask(ctx, aboveWithin)
	s.unheard = !ok
	for _, k := range a.Known {
		e := unknown(k)
		if k.Epoch != s.pos.epoch.String() && !s.continued(k.Epoch) && !slices.ContainsFunc(s.end.before, func(b schemas.Continuation) bool { return b.Epoch == e.Epoch }) {
			s.slog.Error("the tier above knows an epoch that is not known here: it has ended", "epoch", k.Epoch, "applied", k.Applied)
			s.end.before = append(s.end.before, e)
		}
	}
}

// hear asks the tier above until it says which epochs it knows of a stage that has
// begun without anything of its own: they have ended.
func (s *Stage) hear(ctx context.Context, e schemas.Epoch) {
	for {
		a, err := s.above(ctx, s.Producer, e)
		if err == nil {
			_ = s.Ask(ctx, func() { s.learn(a.Known) }) // fails only where the stage has ended
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-s.stop:
			return
		case <-time.After(aboveWithin):
		}
	}
}

// learn ends epochs that are not this one, with the next commit.
func (s *Stage) learn(known []schemas.LinkEpoch) {
	s.unheard = false
	for _, k := range known {
		if k.Epoch != s.pos.epoch.String() && !s.continued(k.Epoch) && len(s.pos.continues) < schemas.MaxContinued {
			s.slog.Error("the tier above knows an epoch of which nothing is here: it has ended", "epoch", k.Epoch, "applied", k.Applied)
			s.pos.continues = append(slices.Clone(s.pos.continues), unknown(k))
		}
	}
}
