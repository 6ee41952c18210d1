package fold

import (
	"context"
	"errors"
	"fmt"

	"weir/schemas"
	"weir/services/internal/bus"
)

// stateLog keeps the two newest whole checkpoints of one stage.
type stateLog struct {
	log      Log
	subject  string
	producer string

	manifest     uint64 // sequence of the newest manifest
	firstSeq     uint64 // sequence of the newest checkpoint's first part
	newestInLast uint64
	olderInLast  uint64
	buf          []byte
}

// save writes the core's state in parts, the manifest last, then removes what
// is older than the checkpoint before it.
func (l *stateLog) save(ctx context.Context, c *schemas.Checkpoint, core Core) error {
	l.buf = core.Append(l.buf[:0])
	c.Hash, c.Prev = schemas.Hash(l.buf), l.manifest
	c.Parts = max(1, (len(l.buf)+bus.EntrySize-1)/bus.EntrySize)
	rest := l.buf
	var seq uint64
	for c.Part = 0; c.Part < c.Parts; c.Part++ {
		n := min(len(rest), bus.EntrySize)
		c.Payload, rest = rest[:n], rest[n:]
		var err error
		if seq, err = l.log.Store(ctx, l.subject, c.Append(nil)); err != nil {
			return err
		}
		if !c.Manifest() {
			c.Seqs = append(c.Seqs, seq)
		}
	}
	keepFrom := l.firstSeq
	l.firstSeq = seq
	if len(c.Seqs) > 0 {
		l.firstSeq = c.Seqs[0]
	}
	l.manifest = seq
	l.olderInLast, l.newestInLast = l.newestInLast, c.InLast
	if keepFrom == 0 {
		return nil
	}
	return l.log.Purge(ctx, l.subject, keepFrom)
}

// load is the newest whole checkpoint whose commit the outbox holds, or nil.
func (l *stateLog) load(ctx context.Context, durable uint64) (*schemas.Checkpoint, error) {
	seq, data, err := l.log.Last(ctx, l.subject)
	for found := 0; ; {
		if errors.Is(err, bus.ErrNone) {
			if found == 0 || durable == 0 {
				return nil, nil
			}
			return nil, fmt.Errorf("checkpoints of %s are newer than its outbox, whose newest entry is %d: the outbox has lost its end; restore the data folder from a backup or start with a new one", l.producer, durable)
		}
		if err != nil {
			return nil, err
		}
		c, err2 := schemas.DecodeCheckpoint(data)
		if err2 != nil {
			return nil, fmt.Errorf("checkpoint of %s at %d: %w", l.producer, seq, err2)
		}
		if c.Manifest() && c.N <= durable {
			whole, err := l.assemble(ctx, c, seq)
			if err != nil {
				return nil, err
			}
			if whole {
				return c, nil
			}
		}
		found++
		if c.Prev == 0 {
			err = bus.ErrNone
			continue
		}
		var m bus.Message
		m, err = l.log.Get(ctx, schemas.StreamCheckpoint, c.Prev)
		seq, data = c.Prev, m.Data
	}
}

// assemble joins the parts of a checkpoint into its payload. It reports false
// where a part is missing or the hash differs.
func (l *stateLog) assemble(ctx context.Context, c *schemas.Checkpoint, seq uint64) (bool, error) {
	var state []byte
	first := seq
	for i, s := range c.Seqs {
		m, err := l.log.Get(ctx, schemas.StreamCheckpoint, s)
		if errors.Is(err, bus.ErrNone) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		p, err := schemas.DecodeCheckpoint(m.Data)
		if err != nil || p.Part != i || p.Hash != c.Hash {
			return false, nil
		}
		if i == 0 {
			first = s
		}
		state = append(state, p.Payload...)
	}
	c.Payload = append(state, c.Payload...)
	if schemas.Hash(c.Payload) != c.Hash {
		return false, nil
	}
	l.manifest, l.firstSeq, l.newestInLast = seq, first, c.InLast
	return true, nil
}
