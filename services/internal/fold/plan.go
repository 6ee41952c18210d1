package fold

import (
	"context"
	"slices"

	"weir/schemas"
)

// ending says when and how the epoch of a stage ends: once entry n has been made and
// the input through a sequence is folded.
type ending struct {
	n, input uint64
	from     uint64 // see schemas.Continuation
	last     uint64 // likewise N; 0: the newest that was made
	folded   int64  // and what was written through this agent time; 0: nothing more
	nothing  bool   // there is no such epoch: the stage has never had one
	drop     bool   // what is open is not put out: nobody can say whether it stands elsewhere
	rewound  bool   // the input has lost messages that the state includes
	before   []schemas.Continuation
}

// plan finds out whether the epoch must end; nil: it goes on.
func (s *Stage) plan(ctx context.Context, r *remains) (*ending, error) {
	switch c := r.newest; {
	case r.ahead:
		s.slog.Error("the outbox has lost its end: entries through the checkpoint that the tier above lacks are lost with it, and a new epoch begins", "n", c.N, "state_n", r.state.N)
		return s.planAhead(r), nil
	case r.state != nil && c != nil && c.Epoch != r.state.Epoch:
		return s.planAgain(r), nil
	case r.lost:
		s.slog.Error("the input has lost messages that were folded; what was made from them stands, and a new epoch begins", "folded_through", r.state.InLast)
		if c == nil {
			return &ending{from: r.state.N + 1, last: r.state.N, rewound: true}, nil
		}
		return &ending{from: s.gone + 1, last: max(c.N, s.gone), rewound: true}, nil
	case r.state == nil && c == nil:
		return s.planAnew(ctx, r)
	case r.state == nil && (r.input.FirstSeq > 1 || len(c.Continues) > 0):
		return s.planWithoutState(ctx, r)
	case s.gone > 0:
		s.slog.Error("the outbox is lost: entries through the checkpoint that the tier above lacks are lost with it, and a new epoch begins", "n", s.gone)
		return s.planWithoutOutbox(ctx, r)
	}
	return s.confirm(ctx)
}

// planWithoutOutbox makes the entries behind the checkpoint again before the epoch
// ends, where the input is sure to be what they were made from.
func (s *Stage) planWithoutOutbox(ctx context.Context, r *remains) (*ending, error) {
	e := &ending{n: s.out.durable, input: r.input.LastSeq, from: s.gone + 1}
	if s.above == nil {
		return e, nil
	}
	a, ok := s.ask(ctx, aboveWithin)
	s.unheard = !ok
	sure := ok && !a.Ended
	for _, k := range a.Known {
		switch {
		case k.Epoch != s.pos.epoch.String():
			if !s.continued(k.Epoch) {
				e.before = append(e.before, unknown(k))
			}
		case k.Applied > s.gone:
			held, err := s.inputHolds(ctx, k.InLast, k.InHash)
			if err != nil {
				return nil, err
			}
			sure = sure && held && k.N == k.Applied
		}
	}
	if !sure {
		e.input = 0
	}
	return e, nil
}

// planAhead goes on from a state that includes entries which the outbox has lost.
func (s *Stage) planAhead(r *remains) *ending {
	s.out.durable, s.out.through = 0, 0 // nothing is made again
	c := r.newest
	if c.Epoch == r.state.Epoch {
		return &ending{from: s.gone + 1, last: max(c.N, s.gone), rewound: r.lost}
	}
	s.pos.continues = slices.Clone(s.pos.continues)
	for i := range s.pos.continues {
		k := &s.pos.continues[i]
		if k.Epoch == c.Epoch {
			k.N = min(k.N, c.N)
			break
		}
		k.From = k.N + 1
	}
	return &ending{from: r.state.N + 1, last: r.state.N, rewound: r.lost}
}

// planAgain ends an epoch whose ending was interrupted: what was written of the new
// one ends with it.
func (s *Stage) planAgain(r *remains) *ending {
	c := r.newest
	k := c.Continues[0]
	s.out.durable, s.out.through = k.N, 0
	s.pos.continues, s.pos.past = c.Continues[1:], nil
	e := &ending{n: k.N, from: k.From, before: []schemas.Continuation{{Epoch: c.Epoch, From: 1, N: c.N, State: c.N}}}
	if r.lost {
		e.n, e.last, e.rewound = 0, k.N, true
	}
	return e
}

// planWithoutState goes on behind the newest whole commit, of whose state nothing is
// left. The input before it is read for what the core remembers of it.
func (s *Stage) planWithoutState(ctx context.Context, r *remains) (*ending, error) {
	c, err := s.wholeBefore(ctx, r.newest)
	if err != nil {
		return nil, err
	}
	s.slog.Error("no checkpoint is left: what was open is lost, and a new epoch begins", "n", c.N)
	s.out.durable, s.out.through = 0, 0 // nothing is made again
	s.pos.continues = slices.Clone(s.pos.continues)
	for i := range s.pos.continues {
		s.pos.continues[i].State = 0 // nobody knows any more what devices have sent
	}
	e := &ending{from: 1, last: c.N, drop: true, input: c.InLast}
	held, err := s.inputHolds(ctx, c.InLast, c.InHash)
	if !held || c.InLast == 0 {
		e.input, e.rewound = r.input.LastSeq, true
	}
	return e, err
}

// planAnew begins where neither a commit nor a checkpoint is left, or was ever made.
// Whether the input has been folded before the tier above can tell.
func (s *Stage) planAnew(ctx context.Context, r *remains) (*ending, error) {
	folded := r.input.FirstSeq > 1
	if s.above == nil {
		if folded {
			s.slog.Error("outbox and checkpoints are lost, and nobody can tell what of the input was folded: it is passed by", "through", r.input.LastSeq)
			return &ending{input: r.input.LastSeq, nothing: true, drop: true}, nil
		}
		return nil, nil
	}
	begins := r.input.LastSeq == 0 || r.begins && !folded
	a, ok := s.ask(ctx, aboveWithin)
	for !ok && !begins && ctx.Err() == nil {
		s.slog.Warn("there is input, but neither outbox nor checkpoints: it waits until the tier above says what it has")
		a, ok = s.ask(ctx, 10*aboveWithin)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.unheard = !ok
	if len(a.Known) == 0 && !folded {
		return nil, nil
	}
	if len(a.Known) == 1 && !folded && !a.Known[0].Heir {
		s.pos.epoch, _ = schemas.ParseEpoch(a.Known[0].Epoch)
		if made, err := s.makes(ctx, a.Known[0], 0); made || err != nil {
			return nil, err // all of it is made again, from the beginning
		}
	}
	return s.planFrom(ctx, a.Known, r.input.LastSeq)
}

// planFrom goes on behind what the tier above has applied. An input that has lost its
// end may hold newer messages behind it already: what was written by the time of what
// is applied has been folded.
func (s *Stage) planFrom(ctx context.Context, known []schemas.LinkEpoch, last uint64) (*ending, error) {
	e := &ending{nothing: true}
	for _, k := range known {
		c := unknown(k)
		held, err := s.inputHolds(ctx, k.InLast, k.InHash)
		if err != nil {
			return nil, err
		}
		switch {
		case held && k.InLast > 0:
			c.From, c.N = k.N+1, k.N
			e.input, e.drop = max(e.input, k.InLast), true
		case last > 0 && k.InLast > 0:
			e.folded, e.drop, e.rewound = max(e.folded, k.Time), true, true
		}
		e.before = append(e.before, c)
		s.slog.Error("outbox and checkpoints are lost: a new epoch begins behind what the tier above has applied",
			"epoch", k.Epoch, "applied", k.Applied, "input_held", held)
	}
	return e, nil
}
