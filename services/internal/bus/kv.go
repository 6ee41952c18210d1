package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bucket is a KV bucket.
type Bucket struct {
	bus    *Bus
	kv     jetstream.KeyValue
	name   string
	stream jetstream.Stream // holds it
	prefix string           // of the subjects of its keys
}

// Entry is one revision of a key.
type Entry struct {
	Key      string
	Value    []byte // nil: the key was deleted
	Revision uint64
}

// Bucket opens a bucket, or makes it with the given history.
func (b *Bus) Bucket(ctx context.Context, name string, history uint8) (*Bucket, error) {
	k := &Bucket{bus: b, name: name, prefix: "$KV." + b.prefix + name + "."}
	stream := "KV_" + b.prefix + name
	replicas, err := b.replicas(ctx, stream)
	if err == nil {
		err = untilAnswered(ctx, func() (err error) {
			k.kv, err = b.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
				Bucket: b.prefix + name, History: history, Storage: jetstream.FileStorage, MaxBytes: 64 << 20, Replicas: replicas,
			})
			return err
		})
	}
	if err == nil {
		k.stream, err = b.stream(ctx, stream)
	}
	if err != nil {
		return nil, fmt.Errorf("open bucket %s%s: %w", b.prefix, name, class(err))
	}
	k.stream.CachedInfo().Config.AllowDirect = false // see leader: replicas may be added at any time
	return k, b.syncMetadata()
}

// Get is the newest revision of a key. ErrNone: it has none.
func (k *Bucket) Get(ctx context.Context, key string) (e Entry, err error) {
	err = k.bus.patiently(ctx, func(ctx context.Context) error {
		m, err := k.stream.GetLastMsgForSubject(ctx, k.prefix+key)
		if err == nil {
			e = k.entry(m.Subject, m.Data, m.Header, m.Sequence)
		}
		return err
	})
	if err == nil && e.Value == nil {
		err = jetstream.ErrKeyDeleted
	}
	if err != nil {
		return Entry{}, fmt.Errorf("read %s key %s: %w", k.name, key, class(err))
	}
	return e, nil
}

// entry is what a message of the stream says of a key.
func (k *Bucket) entry(subject string, data []byte, header nats.Header, seq uint64) Entry {
	e := Entry{Key: strings.TrimPrefix(subject, k.prefix), Revision: seq}
	if header.Get("KV-Operation") == "" && header.Get(jetstream.MarkerReasonHeader) == "" {
		e.Value = append([]byte{}, data...) // never nil
	}
	return e
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
	newest := map[string]Entry{}
	err := k.reader(func(e Entry) { newest[e.Key] = e }).toTheEnd(ctx)
	if err := errors.Join(err, ctx.Err()); err != nil {
		return nil, fmt.Errorf("list keys of %s: %w", k.name, err)
	}
	maps.DeleteFunc(newest, func(_ string, e Entry) bool { return e.Value == nil })
	return slices.SortedFunc(maps.Values(newest), func(a, b Entry) int { return strings.Compare(a.Key, b.Key) }), nil
}

// Watch hands the revisions that are kept of every key to handle, in the order
// in which they were written, then, after ready, each change, until ctx ends. It
// goes on by itself, behind what it has handed over, when the server was away, was
// slow or has forgotten it. An error means that there is no such bucket, or no
// connection any more.
func (k *Bucket) Watch(ctx context.Context, ready func(), handle func(Entry)) error {
	r := k.reader(handle)
	for {
		err := r.toTheEnd(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			ready()
			return r.through(ctx, endless)
		case lasting(err):
			return err
		case again(ctx) != nil:
			return nil
		}
	}
}

// reader reads the revisions that are kept.
func (k *Bucket) reader(handle func(Entry)) *reader {
	return k.bus.reader(k.stream.CachedInfo().Config.Name, 0, func(m Message) error {
		handle(k.entry(m.Subject, m.Data, m.header, m.Seq))
		return nil
	})
}
