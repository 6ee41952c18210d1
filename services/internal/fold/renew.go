package fold

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"weir/schemas"
)

// The numbers of an epoch name entries for good, so they must not be used twice. A
// stage whose stores may be older than what the tier above has seen goes on in a new
// epoch. Its first entries are the estate: what was open in the old one. Whoever
// applies them knows what a lost copy has brought of the old one, and leaves out what
// is in it.

// due reports whether the epoch ends before a message.
func (s *Stage) due(m Message) bool {
	if s.end == nil || s.pos.n < s.end.n || m.Seq <= s.end.input {
		return false
	}
	if s.end.folded == 0 {
		return true
	}
	at, _ := s.Core.(Renewer).Written(m)
	return at > s.end.folded
}

// cutOff reports whether a message is the first behind a lost end of the input, from
// which commits had been made that stand.
func (s *Stage) cutOff(ctx context.Context, m Message) (bool, error) {
	r, ok := s.Core.(Renewer)
	if !ok || s.pos.n >= s.out.durable || s.end != nil && s.end.drop {
		return false, nil
	}
	at, resumed := r.Written(m)
	if !resumed {
		return false, nil
	}
	was, next := s.nextStanding()
	if !was.end || !next && at <= was.time {
		return m.Seq > s.inputEnd, nil
	}
	held, err := s.inputHolds(ctx, was.inLast, was.inHash)
	return !held, err
}

// nextStanding is the first whole commit after those made again that the outbox holds,
// and whether it is the very next.
func (s *Stage) nextStanding() (was run, next bool) {
	if was = s.out.written[s.pos.n+1]; was.end {
		return was, true
	}
	for _, w := range s.out.written {
		if w.end && (!was.end || w.n < was.n) {
			was = w
		}
	}
	return was, false
}

// turn ends the epoch before a message, where it must.
func (s *Stage) turn(ctx context.Context, m Message) error {
	cut, err := s.cutOff(ctx, m)
	if err != nil {
		return err
	}
	if cut {
		s.slog.Error("the input has lost its end, which commits were made from; they stand, and a new epoch begins", "from_n", s.pos.n+1, "to_n", s.out.durable)
		e := &ending{from: s.gone + 1, rewound: true, last: max(s.pos.n, s.gone)}
		for _, w := range s.out.written {
			if w.end {
				e.last = max(e.last, w.n)
			}
		}
		if s.end != nil {
			e.before = s.end.before
		}
		s.end = e
	}
	if cut || s.due(m) {
		return s.renew(ctx)
	}
	return nil
}

// renew ends the epoch and begins another: the estate is written, and then the
// checkpoint that the new epoch starts from.
func (s *Stage) renew(ctx context.Context) error {
	e := s.end
	s.end = nil
	last := s.pos.n
	if e.last > 0 {
		last = e.last
	}
	r, err := s.leave(ctx, e)
	if err != nil {
		return err
	}
	p := position{inFirst: s.pos.inFirst, inLast: s.pos.inLast, continues: e.continues(s.pos, last)}
	p.past = e.past(s.pos, r.Totals, len(p.continues))
	r.Totals = lost(r.Totals)
	_, _ = rand.Read(p.epoch[:]) // never fails, as documented
	s.out.durable, s.out.through, s.gone = 0, 0, 0
	clear(s.out.written)
	if !e.nothing {
		if err := s.bequeath(ctx, &p, r, last); err != nil {
			return err
		}
	}
	s.pos = p
	s.slog.Info("a new epoch has begun", "epoch", p.epoch, "open", len(r.Outputs))
	return s.saveSurely(ctx)
}

// leave ends what the core has put out in the epoch.
func (s *Stage) leave(ctx context.Context, e *ending) (*Results, error) {
	core := s.Core.(Renewer)
	if e.drop {
		r := core.Renew(Cut{Rewound: e.rewound, Anew: true})
		r.Outputs, r.Totals = nil, nil
		return r, nil
	}
	stand, err := s.standing(ctx)
	if err != nil {
		return nil, err
	}
	return core.Renew(Cut{Stand: stand, Rewound: e.rewound}), nil
}

// bequeath writes the estate of an epoch as the first entries of the one at p.
func (s *Stage) bequeath(ctx context.Context, p *position, r *Results, last uint64) error {
	run := s.estate(*p, r, last)
	for _, c := range run {
		if err := s.write(ctx, c); err != nil {
			return err
		}
	}
	p.n, p.inFirst = run[len(run)-1].N, p.inLast+1
	return nil
}

// continues are the epochs before the next one, each followed by the one it continued.
func (e *ending) continues(p position, last uint64) (out []schemas.Continuation) {
	if !e.nothing {
		k := schemas.Continuation{Epoch: p.epoch, From: min(e.from, last+1), N: last, State: p.n}
		out = append(out, k)
	}
	out = append(append(out, p.continues...), e.before...)
	return out[:min(len(out), schemas.MaxContinued)]
}

// past are the totals of the epochs before the next one.
func (e *ending) past(p position, totals []schemas.Total, epochs int) (out []schemas.Past) {
	if e.nothing {
		return nil
	}
	for _, t := range totals {
		out = append(out, schemas.Past{Total: t})
	}
	for _, t := range p.past {
		if t.Of++; t.Of < epochs {
			out = append(out, t)
		}
	}
	return out
}

// estate are the first entries of an epoch: what was open in the one before.
func (s *Stage) estate(p position, r *Results, last uint64) []*schemas.Commit {
	next := max(last, s.pos.n) + 1
	run := entries(s.Producer, p, Message{Seq: p.inLast}, r, s.size, func(*schemas.Window, uint64) uint64 { return next })
	end := run[len(run)-1]
	end.InHash, end.Past = s.hash(), p.past
	p.continues[0].Estate = uint64(len(run))
	for _, c := range run {
		c.Estate = true
	}
	return run
}

// standing are the windows of commits that were not made again, by name.
func (s *Stage) standing(ctx context.Context) (Standing, error) {
	out := Standing{}
	for _, w := range s.out.written {
		for _, seq := range w.seqs {
			c, err := s.commitAt(ctx, seq, schemas.WithWindows|schemas.WithLocal)
			if err != nil {
				return nil, err
			}
			for _, list := range [...][]schemas.Window{c.Windows, c.Local} {
				for i := range list {
					out[WindowName(&list[i])] = list[i].End
				}
			}
		}
	}
	return out, nil
}

// hash is that of the newest message applied.
func (s *Stage) hash() uint64 {
	if s.newest == nil {
		return s.restored
	}
	return schemas.Hash(s.newest)
}

// saveSurely writes a checkpoint, however long it takes: without it a restart would
// make the estate again, with what has been put out since.
func (s *Stage) saveSurely(ctx context.Context) error {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := s.put(context.WithoutCancel(ctx))
		if err == nil || errors.Is(err, errOvertaken) {
			return err
		}
		s.slog.Warn("checkpoint of a new epoch waits", "err", err)
		select {
		case <-ctx.Done():
			return errStopped
		case <-s.stop:
			return errStopped
		case <-time.After(wait):
		}
	}
}
