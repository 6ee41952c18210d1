package fold

import (
	"context"
	"encoding/binary"

	"weir/schemas"
)

// A power cut may take the end of the input and leave the commits made from it.
// The sequences are then given to other messages, and those commits cannot be
// made again. They stand: their windows keep their parts, and what follows is
// numbered behind them.

// unmade reports whether the commit after s.pos.n, which the outbox holds, was
// made from another message than m.
func (s *Stage) unmade(m Message) bool {
	if s.pos.n >= s.out.durable {
		return false
	}
	if was, known := s.out.written[s.pos.n+1]; known && was.end {
		return was.inLast != m.Seq || was.inHash != schemas.Hash(m.Data)
	}
	return s.out.through > 0 && m.Seq > s.out.through
}

// goOnBehind lets the commits after s.pos.n stand as they are and goes on
// behind them. A window that began in one of them is the same part when the
// core puts it again, so that nothing counts twice.
func (s *Stage) goOnBehind(ctx context.Context) error {
	s.out.mismatches.Add(1)
	s.slog.Error("the input has lost its end, which commits were made from; they stand", "from_n", s.pos.n+1, "to_n", s.out.durable)
	s.out.stands = map[string]uint64{}
	for _, w := range s.out.written {
		for _, seq := range w.seqs {
			if err := s.stand(ctx, seq); err != nil {
				return err
			}
		}
	}
	clear(s.out.written)
	s.pos.n = s.out.durable
	return nil
}

// stand notes the parts that began in an entry.
func (s *Stage) stand(ctx context.Context, seq uint64) error {
	c, err := s.commitAt(ctx, seq, schemas.WithWindows|schemas.WithLocal)
	if err != nil {
		return err
	}
	for _, list := range [...][]schemas.Window{c.Windows, c.Local} {
		for i := range list {
			if w := &list[i]; w.FirstN > s.pos.n {
				s.out.stands[WindowName(w)] = w.FirstN
			}
		}
	}
	return nil
}

// firstN is the number that names a new part of entry n.
func (o *outbox) firstN(w *schemas.Window, n uint64) uint64 {
	if len(o.stands) == 0 {
		return n
	}
	name := WindowName(w)
	if stands, ok := o.stands[name]; ok {
		delete(o.stands, name)
		return stands
	}
	return n
}

// WindowName is one string per view, key and bounds.
func WindowName(w *schemas.Window) string {
	b := AppendString(nil, w.View)
	b = AppendString(b, w.Key.Tenant)
	for _, v := range w.Key.Values {
		b = AppendString(b, v)
	}
	b = binary.AppendVarint(b, w.Start)
	return string(binary.AppendVarint(b, w.End))
}
