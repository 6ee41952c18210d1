package fold

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// remains are what a start finds of a stage's stores.
type remains struct {
	newest *schemas.Commit // of the outbox; nil: it is empty
	state  *checkpoint     // nil: there is none
	lost   bool            // the input does not hold what the state includes
	ahead  bool            // the state includes entries that the outbox does not hold
	input  bus.Usage
}

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

// firstHeld is the first entry of the outbox; nil: there is none.
func (s *Stage) firstHeld(ctx context.Context) (*schemas.Commit, error) {
	u, err := s.log.Usage(ctx, s.output, "")
	if err != nil {
		return nil, err
	}
	for seq := max(u.FirstSeq, 1); seq <= s.out.seq; seq++ { // 0: it is empty
		m, err := s.log.Get(ctx, s.output, seq)
		if errors.Is(err, bus.ErrNone) || err == nil && m.Subject != s.Outbox {
			continue
		}
		if err != nil {
			return nil, err
		}
		var d schemas.CommitDecoder
		c, err := d.Decode(m.Data, 0)
		if err != nil {
			return nil, fmt.Errorf("commit of %s at %d: %w", s.Producer, seq, err)
		}
		if c.Epoch == s.pos.epoch {
			s.held = c.First()
		}
		return c, s.findFolded(ctx)
	}
	return nil, nil
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
// input does not hold is better than none, and so is one that is ahead of the outbox.
func (s *Stage) findState(ctx context.Context, r *remains) (err error) {
	held := func(c *checkpoint) (bool, error) { return s.inputHolds(ctx, c.InLast, c.inHash) }
	both := func(of func(*checkpoint, *schemas.Commit) bool) func(*checkpoint) (bool, error) {
		return func(c *checkpoint) (bool, error) {
			ok, err := held(c)
			return ok && of(c, r.newest), err
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
		if c := r.state; c != nil {
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

// wholeBefore is the newest commit of which nothing is missing, its end.
func (s *Stage) wholeBefore(ctx context.Context, c *schemas.Commit) (*schemas.Commit, error) {
	for seq := s.out.seq; !c.End && seq > 1; {
		seq--
		m, err := s.log.Get(ctx, s.output, seq)
		if errors.Is(err, bus.ErrNone) || err == nil && m.Subject != s.Outbox {
			continue
		}
		if err != nil {
			return nil, err
		}
		var d schemas.CommitDecoder
		if c, err = d.Decode(m.Data, 0); err != nil {
			return nil, err
		}
	}
	if !c.End {
		return &schemas.Commit{Epoch: c.Epoch}, nil
	}
	return c, nil
}

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
	a, ok := s.ask(ctx, aboveWithin)
	for !ok && r.input.LastSeq > 0 && ctx.Err() == nil {
		s.slog.Error("outbox and checkpoints are lost: the input waits until the tier above says what it has")
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
