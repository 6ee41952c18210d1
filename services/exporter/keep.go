package exporter

import (
	"context"
	"errors"
	"fmt"

	"weir/schemas"
	"weir/services/internal/bus"
)

// store is the part of the bus that an exporter needs.
type store interface {
	Read(ctx context.Context, stream string, from uint64, stopAtEnd bool, handle func(bus.Message) error, subjects ...string) error
	Usage(ctx context.Context, stream, subjects string) (bus.Usage, error)
	Get(ctx context.Context, stream string, seq uint64) (bus.Message, error)
	Store(ctx context.Context, subject string, data []byte) (uint64, error)
	Purge(ctx context.Context, subject string, below uint64) error
}

// bucket is the part of a KV bucket that an exporter needs.
type bucket interface {
	Get(ctx context.Context, key string) (bus.Entry, error)
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

// keeper keeps the record and the state of one exporter. Writes have a fence: of
// two processes that keep the same one, the older finds out.
type keeper struct {
	store    store
	bucket   bucket
	key      string // of the record
	subject  string // of the state
	revision uint64 // of the record
}

func newKeeper(s store, b bucket, tier schemas.Tier, name string) *keeper {
	return &keeper{store: s, bucket: b, key: string(tier) + "." + name, subject: schemas.State(schemas.Exporting(tier, name))}
}

// load reads the record; known is false where there is none.
func (k *keeper) load(ctx context.Context) (r record, known bool, err error) {
	e, err := k.bucket.Get(ctx, k.key)
	if errors.Is(err, bus.ErrNone) {
		k.revision = 0
		return record{}, false, nil
	}
	if err != nil {
		return record{}, false, err
	}
	k.revision = e.Revision
	if r, err = decodeRecord(e.Value); err != nil {
		err = fmt.Errorf("record of exporter %s: %w", k.key, err)
	}
	return r, true, err
}

// write stores the record.
func (k *keeper) write(ctx context.Context, r *record) (err error) {
	revision, err := k.bucket.Update(ctx, k.key, r.encode(), k.revision)
	if err == nil {
		k.revision = revision
	}
	return err
}

// statePart bounds a message of a state.
const statePart = 512 << 10

// save stores a state, then the record that names it, then removes the one before.
func (k *keeper) save(ctx context.Context, r *record, at uint64, state []byte) error {
	s := &saved{At: at, Hash: schemas.Hash(state)}
	for first := true; first || len(state) > 0; first = false {
		n := min(len(state), statePart)
		seq, err := k.store.Store(ctx, k.subject, state[:n])
		if err != nil {
			return err
		}
		s.Seqs, state = append(s.Seqs, seq), state[n:]
	}
	was := r.State
	r.State = s
	if err := k.write(ctx, r); err != nil {
		r.State = was
		return err
	}
	return k.store.Purge(ctx, k.subject, s.Seqs[0])
}

// restore reads the state that a record names; nil: it is gone.
func (k *keeper) restore(ctx context.Context, s *saved) ([]byte, error) {
	if s == nil {
		return nil, nil
	}
	var state []byte
	for _, seq := range s.Seqs {
		m, err := k.store.Get(ctx, schemas.StreamCheckpoint, seq)
		if errors.Is(err, bus.ErrNone) || err == nil && m.Subject != k.subject {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		state = append(state, m.Data...)
	}
	if schemas.Hash(state) != s.Hash {
		return nil, nil
	}
	return state, nil
}
