package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bucket is a KV bucket.
type Bucket struct {
	kv   jetstream.KeyValue
	nc   *nats.Conn
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
	cfg := jetstream.KeyValueConfig{
		Bucket: b.prefix + name, History: history, Storage: jetstream.FileStorage, MaxBytes: 64 << 20,
		Replicas: b.replicas(ctx, "KV_"+b.prefix+name),
	}
	var kv jetstream.KeyValue
	err := untilAnswered(ctx, func() (err error) {
		kv, err = b.js.CreateOrUpdateKeyValue(ctx, cfg)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open bucket %s%s: %w", b.prefix, name, class(err))
	}
	return &Bucket{kv: kv, nc: b.nc, name: name}, b.syncMetadata()
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

// Update stores a value if the key's newest revision is the one given; 0: if it
// has none, or was deleted. ErrWrongLast: somebody else wrote.
func (k *Bucket) Update(ctx context.Context, key string, value []byte, revision uint64) (rev uint64, err error) {
	if revision == 0 {
		rev, err = k.kv.Create(ctx, key, value)
	} else {
		rev, err = k.kv.Update(ctx, key, value, revision)
	}
	if err != nil {
		return 0, fmt.Errorf("write %s key %s after revision %d: %w", k.name, key, revision, class(err))
	}
	return rev, nil
}

// Delete deletes a key if its newest revision is the one given; 0: whatever it
// is. ErrWrongLast: somebody else wrote.
func (k *Bucket) Delete(ctx context.Context, key string, revision uint64) error {
	var opts []jetstream.KVDeleteOpt
	if revision != 0 {
		opts = append(opts, jetstream.LastRevision(revision))
	}
	if err := k.kv.Delete(ctx, key, opts...); err != nil {
		return fmt.Errorf("delete %s key %s at revision %d: %w", k.name, key, revision, class(err))
	}
	return nil
}

// Keys are all keys that have a value, with their newest revision, by key.
func (k *Bucket) Keys(ctx context.Context) ([]Entry, error) {
	w, err := k.kv.WatchAll(ctx)
	if err != nil {
		return nil, fmt.Errorf("list keys of %s: %w", k.name, class(err))
	}
	defer func() { _ = w.Stop() }()
	newest := map[string]Entry{}
	for e := range w.Updates() {
		switch {
		case e == nil:
			return slices.SortedFunc(maps.Values(newest), func(a, b Entry) int { return strings.Compare(a.Key, b.Key) }), nil
		case e.Operation() == jetstream.KeyValuePut:
			newest[e.Key()] = Entry{Key: e.Key(), Value: e.Value(), Revision: e.Revision()}
		default:
			delete(newest, e.Key())
		}
	}
	return nil, fmt.Errorf("list keys of %s: %w", k.name, errors.Join(errors.New("ended by the server"), ctx.Err()))
}

// Watch hands the revisions that are kept of every key to handle, in the order
// in which they were written, then, after ready, each change, until ctx ends. It
// goes on by itself, behind what it has handed over, when the server was away, was
// slow or has ended the watch. An error means that there is no such bucket, or no
// connection any more.
func (k *Bucket) Watch(ctx context.Context, ready func(), handle func(Entry)) error {
	back := k.nc.StatusChanged(nats.CONNECTED)
	defer k.nc.RemoveStatusListener(back)
	var last uint64 // revision handed over
	once := sync.OnceFunc(ready)
	for {
		opts := []jetstream.WatchOpt{jetstream.IncludeHistory()}
		if last > 0 {
			opts = append(opts, jetstream.ResumeFromRevision(last+1))
		}
		w, err := k.kv.WatchAll(ctx, opts...)
		if err == nil {
			err = follow(ctx, w, back, once, func(e Entry) { handle(e); last = e.Revision })
			_ = w.Stop()
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case lasting(err):
			return fmt.Errorf("watch bucket %s: %w", k.name, class(err))
		case err != nil && again(ctx) != nil:
			return nil
		}
	}
}

// follow hands over what a watch brings until the connection has come back from
// somewhere, where the server no longer knows of the watch.
func follow(ctx context.Context, w jetstream.KeyWatcher, back <-chan nats.Status, ready func(), handle func(Entry)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-back:
			return nil
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return errors.New("ended by the server")
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
