package fold

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// outbox is what a stage knows of its own commits.
type outbox struct {
	seq     uint64 // sequence of the newest entry: the fence
	durable uint64 // newest entry number held at start: up to it entries are made again, not written
	through uint64 // input sequence that entry durable covers; 0: it is no end
	from    uint64 // sequence at which the entries begin that will be made again
	written map[uint64]run
	stands  map[string]uint64 // see goOnBehind

	enc        schemas.CommitEncoder
	buf        []byte
	mismatches atomic.Uint64
}

// run is a commit that the outbox held at start.
type run struct {
	seqs                   []uint64 // of its entries
	n                      uint64   // number of its newest entry
	end                    bool     // it is whole; else the rest of it must be written
	inLast, inHash, digest uint64   // of its end
	time                   int64    // likewise
}

// errStopped ends a stage that was waiting for room in its outbox.
var errStopped = errors.New("stopped")

// openOutbox reads the newest entry, which is nil if there is none.
func (s *Stage) openOutbox(ctx context.Context) (*schemas.Commit, error) {
	seq, data, err := s.log.Last(ctx, s.Outbox)
	if errors.Is(err, bus.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := s.commitIn(bus.Message{Seq: seq, Data: data}, 0)
	if err != nil {
		return nil, err
	}
	s.out.durable, s.out.seq, s.out.through = c.N, seq, c.InLast
	return c, nil
}

// commitAt is the entry at a sequence of the output.
func (s *Stage) commitAt(ctx context.Context, seq uint64, parts schemas.Parts) (*schemas.Commit, error) {
	m, err := s.log.Get(ctx, s.output, seq)
	if err != nil {
		return nil, err
	}
	return s.commitIn(m, parts)
}

// commitIn is the entry in a message of the outbox.
func (s *Stage) commitIn(m bus.Message, parts schemas.Parts) (*schemas.Commit, error) {
	var d schemas.CommitDecoder
	c, err := d.Decode(m.Data, parts)
	if err != nil {
		return nil, fmt.Errorf("commit of %s at %d: %w", s.Producer, m.Seq, err)
	}
	return c, nil
}

// existing notes an entry that the outbox holds, so that it is compared when it
// is made again.
func (s *Stage) existing(c *schemas.Commit, seq uint64) {
	if c.Epoch != s.pos.epoch || c.N <= s.pos.n {
		return
	}
	if s.out.written == nil {
		s.out.written = map[uint64]run{}
	}
	w := s.out.written[c.RunFirst]
	w.seqs, w.n = append(w.seqs, seq), c.N
	if c.End {
		w.end, w.inLast, w.inHash, w.digest, w.time = true, c.InLast, c.InHash, c.Digest, c.Time
	}
	s.out.written[c.RunFirst] = w
}

// commit writes the results of message m as a run of entries, but for those
// that the outbox holds already.
func (s *Stage) commit(ctx context.Context, m Message, r *Results) error {
	if s.unmade(m) {
		if s.unsure {
			return s.beheaded()
		}
		if err := s.goOnBehind(ctx); err != nil {
			return err
		}
	}
	was, known := s.out.written[s.pos.n+1]
	delete(s.out.written, s.pos.n+1)
	entries := entries(s.Producer, s.pos, m, r, s.size, s.out.firstN)
	newest := entries[len(entries)-1]
	if known && !s.compare(was, newest) && s.unsure {
		return s.beheaded()
	}
	s.unsure = false
	for _, c := range entries {
		if c.N <= s.out.durable || was.end {
			continue
		}
		if err := s.write(ctx, c); err != nil {
			return err
		}
	}
	if s.committed != nil && newest.N > s.out.durable && !was.end {
		s.committed(s, r)
	}
	s.pos.n, s.pos.inFirst = newest.N, m.Seq+1
	if known && (was.end || was.n > newest.N) {
		s.pos.n = was.n // what is written stands, with its numbers
	}
	return nil
}

// compare reports whether a commit is what it was when it was written, and says so if
// it is not.
func (s *Stage) compare(was run, c *schemas.Commit) (same bool) {
	if was.end && was.n == c.N && was.digest == c.Digest || !was.end && was.n < c.N {
		return true
	}
	s.out.mismatches.Add(1)
	s.slog.Error("commit made again differs from the one written; the written one stands",
		"n", c.N, "was_n", was.n, "digest", c.Digest, "was_digest", was.digest, "was_whole", was.end)
	return false
}

// Mismatches counts commits that were made again and differed. It must stay 0.
func (s *Stage) Mismatches() uint64 { return s.out.mismatches.Load() }

// write appends an entry to the outbox. It waits while there is no room, and
// finds out what became of an append whose answer was lost.
func (s *Stage) write(ctx context.Context, c *schemas.Commit) error {
	s.out.buf = s.out.enc.Append(s.out.buf[:0], c)
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		seq, err := s.log.Append(context.WithoutCancel(ctx), s.Outbox, s.out.buf, s.out.seq)
		if err != nil && !errors.Is(err, bus.ErrFull) {
			seq, err = s.resolve(ctx, err)
		}
		if err == nil {
			s.out.seq = seq
			return nil
		}
		if errors.Is(err, errIntruder) {
			return fmt.Errorf("commit %d: %w", c.N, err)
		}
		s.slog.Warn("commit waits", "n", c.N, "bytes", len(s.out.buf), "err", err)
		select {
		case <-ctx.Done():
			return errStopped
		case <-s.stop:
			return errStopped
		case <-time.After(wait):
		}
	}
}

// Waits between two tries of an append.
const (
	firstWait   = 50 * time.Millisecond
	longestWait = 2 * time.Second
)

// errIntruder: the fence was passed by an entry that is not ours.
var errIntruder = errors.New("somebody else writes or purges this outbox; let one process own it")

// resolve reads what became of the append of s.out.buf that failed with cause: it
// returns the sequence if it was stored, else the error. An append that is refused
// though nothing is behind the fence waits for one before it, whose answer was lost
// and on which the servers have not agreed yet.
func (s *Stage) resolve(ctx context.Context, cause error) (uint64, error) {
	seq, data, err := s.log.Last(context.WithoutCancel(ctx), s.Outbox)
	switch {
	case err == nil && string(data) == string(s.out.buf):
		return seq, nil
	case err != nil && !errors.Is(err, bus.ErrNone):
		return 0, cause // unknown still
	case errors.Is(cause, bus.ErrWrongLast) && seq != s.out.seq:
		return 0, fmt.Errorf("%s: %w: %w", s.Outbox, errIntruder, cause)
	}
	return 0, cause
}
