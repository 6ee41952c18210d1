package forwarder

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/widen"
)

// An outbox that fills up while the link is down gets room in two steps: the oldest
// entries that were never sent are folded, in windows that get wider from one time to
// the next; where that gives nothing more, the oldest are shed, and counted.

// Bounds of making room.
const (
	foldAbove = 0.80    // of the outbox's cap
	foldMost  = 256     // entries that are folded into one
	foldBytes = 4 << 20 // of these
	foldLeast = 8       // fewer are not worth it
	foldAge   = 120     // s: younger ones are left alone, since their producer may still look at them
	foldGain  = 0.8     // of their bytes: what folded entries come to that are not worth folding again
	rounds    = 64      // at a time
)

// wider are how many windows of a view go into one, from one time to the next.
var wider = []int64{6, 60, 360}

// anySent, as backlog.unsent, says that any entry may have been sent.
const anySent = math.MaxUint64

// makeRoom folds or sheds while the link is down and the outbox is nearly full.
func (s *Service) makeRoom(ctx context.Context) error {
	for range rounds {
		u, err := s.out.Usage(ctx, s.cfg.Stream, "")
		if err != nil || float64(u.Bytes) < foldAbove*float64(u.MaxBytes) {
			return err
		}
		if more, err := s.makeSomeRoom(ctx); !more || err != nil {
			return err
		}
	}
	return nil
}

// makeSomeRoom does so once, if the link is down. It reports whether it found anything.
func (s *Service) makeSomeRoom(ctx context.Context) (more bool, err error) {
	s.folding.Lock()
	defer s.folding.Unlock()
	for _, src := range s.foldable() {
		more, err := s.foldOldest(ctx, src)
		if more || err != nil {
			return more, err
		}
	}
	return false, nil
}

// foldable are the sources to take from, those first that were not folded yet.
func (s *Service) foldable() (out []*source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cycle != nil || s.core.unsent == anySent || !s.cfg.folds() {
		return nil
	}
	for _, folded := range [...]bool{false, true} {
		for _, src := range s.core.sources {
			if !src.alert && src.folded == folded {
				out = append(out, src)
			}
		}
	}
	return out
}

// stored is an entry as it is in the outbox.
type stored struct {
	seq   uint64
	bytes int
	*schemas.Commit
}

// foldOldest puts one entry in the place of the oldest of a source.
func (s *Service) foldOldest(ctx context.Context, src *source) (bool, error) {
	old, err := s.oldest(ctx, src)
	if err != nil || len(old) == 0 || !src.folded && len(old) < foldLeast {
		return false, err
	}
	c, size, err := s.replacement(src, old)
	if err != nil || c == nil {
		return false, err
	}
	if _, err := s.out.Store(ctx, schemas.AgentOutbox(src.producer, schemas.KindFolded), s.buf); err != nil {
		return false, err
	}
	for _, m := range old {
		if err := s.out.Delete(ctx, s.cfg.Stream, m.seq); err != nil {
			return false, err
		}
	}
	s.countFolded(c, len(old))
	s.tell(c, sizeOf(old), size)
	return true, nil
}

// oldest are the oldest whole commits of a source that were never sent, in a row.
func (s *Service) oldest(ctx context.Context, src *source) (out []stored, err error) {
	s.mu.Lock()
	seqs := src.unsent(s.core.unsent)
	s.mu.Unlock()
	total := 0
	for _, seq := range seqs {
		m, err := s.out.Get(ctx, s.cfg.Stream, seq)
		if errors.Is(err, bus.ErrNone) {
			break
		}
		if err != nil {
			return nil, err
		}
		var d schemas.CommitDecoder
		c, err := d.Decode(m.Data, schemas.WithWindows|schemas.WithFindings|schemas.WithLogs)
		if err != nil {
			break // damaged, or of a newer version
		}
		if c.Estate || len(out) > 0 && (c.First() != out[len(out)-1].N+1 || c.Epoch != out[0].Epoch) || total+len(m.Data) > foldBytes {
			break
		}
		total += len(m.Data)
		out = append(out, stored{seq, len(m.Data), c})
	}
	for len(out) > 0 && !out[len(out)-1].End {
		out = out[:len(out)-1]
	}
	return out, nil
}

// replacement is the entry for the place of others, in s.buf, and its size; nil: they
// stay as they are. Log records go before windows get wider, and windows are shed when no
// width makes them smaller.
func (s *Service) replacement(src *source, old []stored) (*schemas.Commit, int, error) {
	commits := make([]*schemas.Commit, len(old))
	for i := range old {
		commits[i] = old[i].Commit
	}
	for _, times := range wider {
		c, err := widen.Fold(commits, times)
		if err != nil {
			return nil, 0, fmt.Errorf("make room in the outbox: %w", err)
		}
		if s.gains(c, old) || widen.HoldBack(c) && s.gains(c, old) {
			return c, len(s.buf), nil
		}
	}
	c, err := widen.Shed(commits)
	if err != nil {
		return nil, 0, fmt.Errorf("make room in the outbox: %w", err)
	}
	s.buf = s.enc.Append(s.buf[:0], c)
	if len(s.buf) >= sizeOf(old) || len(s.buf) > bus.EntrySize {
		return nil, 0, nil
	}
	return c, len(s.buf), nil
}

// gains reports whether an entry, which it puts in s.buf, is worth the place of others.
func (s *Service) gains(c *schemas.Commit, old []stored) bool {
	s.buf = s.enc.Append(s.buf[:0], c)
	return len(s.buf) <= bus.EntrySize && float64(len(s.buf)) <= foldGain*float64(sizeOf(old))
}

// tell tells of an entry in the place of others, of which so many bytes are left.
func (s *Service) tell(c *schemas.Commit, before, now int) {
	log := s.log.With("producer", c.Producer, "from_n", c.First(), "to_n", c.N, "bytes", before, "now", now)
	if n := recordsOf(c.Shed, schemas.DeviceView); n > 0 {
		log.Warn("the outbox is nearly full, and its windows are as wide as they get: records were shed", "shed", n)
		return
	}
	if n := recordsOf(c.Shed, schemas.PassedView); n > 0 {
		log.Warn("the outbox is nearly full: log records are counted and not passed through", "held_back", n)
		return
	}
	log.Info("the outbox is nearly full: entries were folded into one")
}

func sizeOf(old []stored) (n int) {
	for i := range old {
		n += old[i].bytes
	}
	return n
}

// recordsOf are the records of a view in what was shed. The ledger follows schemas.DeviceView.
func recordsOf(rows []schemas.ShedRecords, view string) (n uint64) {
	for i := range rows {
		if rows[i].View == view {
			n += rows[i].N
		}
	}
	return n
}

func (s *Service) countFolded(c *schemas.Commit, entries int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.folded += uint64(entries)
	s.shed += recordsOf(c.Shed, schemas.DeviceView)
}

// unsent are the sequences of the oldest entries of a source that were never sent, no
// more than are folded into one.
func (s *source) unsent(after uint64) (seqs []uint64) {
	for _, sp := range s.spaces {
		for i := range sp.owed {
			e := &sp.owed[i]
			if e.seq > after && e.claimed == 0 && e.wall+foldAge <= s.wall && len(seqs) < foldMost {
				seqs = append(seqs, e.seq)
			}
		}
		if len(seqs) > 0 {
			break
		}
	}
	slices.Sort(seqs)
	return seqs
}

// folds reports whether entries may be folded: those of an agent are sent by its own
// process alone.
func (c *Config) folds() bool { return c.Tier == schemas.TierAgent }

// mark notes, for this process and the next, that nothing was sent of what is stored
// from now on.
func (s *Service) mark(ctx context.Context) {
	if !s.cfg.folds() {
		return
	}
	seq, err := s.out.Store(ctx, schemas.AgentOutbox(s.cfg.Name, schemas.KindMark), []byte{0})
	if err != nil {
		s.log.Warn("a restart will not know which entries were never sent", "err", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cycle == nil {
		s.core.unsent, s.core.marked = seq, seq
	}
}

// unmark notes that anything may be sent from now on.
func (s *Service) unmark(ctx context.Context) error {
	s.folding.Lock()
	defer s.folding.Unlock()
	s.mu.Lock()
	marked := s.core.marked
	s.core.unsent = anySent
	s.mu.Unlock()
	if marked == 0 {
		return nil
	}
	if err := s.out.Purge(ctx, schemas.AgentOutbox(s.cfg.Name, schemas.KindMark), marked+1); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.core.marked = 0
	return nil
}
