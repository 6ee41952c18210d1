package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Bucket is a KV bucket.
type Bucket struct {
	kv   jetstream.KeyValue
	name string
}

// Entry is one revision of a key.
type Entry struct {
	Key      string
	Value    []byte // nil: the key was deleted
	Revision uint64
}

// Bucket opens a bucket, or makes it with the given history.
func (b *Bus) Bucket(ctx context.Context, name string, history uint8) (*Bucket, error) {
	kv, err := b.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: b.prefix + name, History: history, Storage: jetstream.FileStorage, MaxBytes: 64 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("open bucket %s%s: %w", b.prefix, name, err)
	}
	return &Bucket{kv: kv, name: name}, b.syncMetadata()
}

// Get is the newest revision of a key. ErrNone: it has none.
func (k *Bucket) Get(ctx context.Context, key string) (Entry, error) {
	e, err := k.kv.Get(ctx, key)
	if err != nil {
		return Entry{}, fmt.Errorf("read %s key %s: %w", k.name, key, class(err))
	}
	return Entry{Key: key, Value: e.Value(), Revision: e.Revision()}, nil
}

// Put stores a value whatever was there.
func (k *Bucket) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	rev, err := k.kv.Put(ctx, key, value)
	if err != nil {
		return 0, fmt.Errorf("write %s key %s: %w", k.name, key, class(err))
	}
	return rev, nil
}

// Watch hands the revisions that are kept of every key to handle, in the order
// in which they were written, then, after ready, each change, until ctx ends.
func (k *Bucket) Watch(ctx context.Context, ready func(), handle func(Entry)) error {
	w, err := k.kv.WatchAll(ctx, jetstream.IncludeHistory())
	if err != nil {
		return fmt.Errorf("watch bucket %s: %w", k.name, err)
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Updates():
			switch {
			case !ok && ctx.Err() != nil:
				return nil
			case !ok:
				return fmt.Errorf("watch bucket %s: ended by the server", k.name)
			case e == nil:
				ready()
			case e.Operation() == jetstream.KeyValuePut:
				handle(Entry{Key: e.Key(), Value: e.Value(), Revision: e.Revision()})
			default:
				handle(Entry{Key: e.Key(), Revision: e.Revision()})
			}
		}
	}
}
