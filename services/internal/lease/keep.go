package lease

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"weir/services/internal/bus"
)

// Store is the bucket that holds the leases.
type Store interface {
	Keys(ctx context.Context) ([]bus.Entry, error) // all that have a value
	Put(ctx context.Context, key string, value []byte) (uint64, error)
	// Update and Delete fail with bus.ErrWrongLast where the newest revision is not
	// after; for Update 0 means that the key is not there.
	Update(ctx context.Context, key string, value []byte, after uint64) (uint64, error)
	Delete(ctx context.Context, key string, after uint64) error
}

// Config of one member.
type Config struct {
	Store      Store
	Region     string // whose partitions they are
	Partitions int
	Name       string // of the member: unique among those that share, the same after a restart
	Times      Times  // zero: DefaultTimes
}

// keeper is the shell around one table.
type keeper struct {
	cfg   Config
	log   *slog.Logger
	table *Table
	start time.Time
	serve func(ctx context.Context, partition int) error

	work  []*work // by partition; nil: none
	ended chan *work
	wg    sync.WaitGroup
}

// work is what serves one partition.
type work struct {
	partition int
	cancel    context.CancelFunc
	stopping  bool
	err       error
}

// Keep holds the partitions that are this member's until ctx ends, and runs
// serve for each that it holds; it ends serve's context when the partition is to
// be given up. Where serve returns by itself the partition is left to others for a
// while. At the end Keep waits for all work, and deletes each lease when its work has
// ended.
func Keep(ctx context.Context, cfg Config, log *slog.Logger, serve func(ctx context.Context, partition int) error) error {
	if cfg.Times == (Times{}) {
		cfg.Times = DefaultTimes()
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails, as documented
	self := Member{Name: cfg.Name, ID: hex.EncodeToString(id[:])}
	k := &keeper{
		cfg: cfg, log: log, start: time.Now(), serve: serve,
		table: NewTable(cfg.Region+".", cfg.Partitions, self, cfg.Times),
		work:  make([]*work, cfg.Partitions), ended: make(chan *work),
	}
	k.keep(ctx)
	k.finish(ctx)
	return nil
}

func (k *keeper) now() int64 { return int64(time.Since(k.start)) }

// keep looks three times between two renewals.
func (k *keeper) keep(ctx context.Context) {
	tick := time.NewTicker(k.cfg.Times.Renew / 3)
	defer tick.Stop()
	for {
		k.look(ctx)
		k.reconcile(ctx)
		select {
		case <-ctx.Done():
			return
		case w := <-k.ended:
			k.end(w)
		case <-tick.C:
		}
	}
}

// look reads the keys and writes what the table decides. It takes half of the
// time between two renewals at the most, so that a lease that cannot be renewed is
// let go of in time.
func (k *keeper) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.Times.Renew/2)
	defer cancel()
	keys, err := k.read(ctx)
	if err != nil {
		if !errors.Is(ctx.Err(), context.Canceled) {
			k.log.Warn("leases not read", "region", k.cfg.Region, "err", err)
		}
		return
	}
	k.table.See(k.now(), keys)
	k.write(ctx, k.table.Decide(k.now()))
}

func (k *keeper) read(ctx context.Context) (map[string]Value, error) {
	entries, err := k.cfg.Store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]Value, len(entries))
	for _, e := range entries {
		keys[e.Key] = Value{e.Value, e.Revision}
	}
	return keys, nil
}

func (k *keeper) write(ctx context.Context, calls []Call) {
	for i := range calls {
		c := &calls[i]
		began := k.now()
		revision, err := k.do(ctx, c)
		outcome := Done
		switch {
		case errors.Is(err, bus.ErrWrongLast):
			outcome = Refused
		case err != nil:
			outcome = Unknown
			if !errors.Is(ctx.Err(), context.Canceled) {
				k.log.Warn("lease not written", "key", c.Key, "err", err)
			}
		}
		k.table.Result(c, began, outcome, revision)
	}
}

func (k *keeper) do(ctx context.Context, c *Call) (uint64, error) {
	switch c.Op {
	case Put:
		return k.cfg.Store.Put(ctx, c.Key, c.Data)
	case Update:
		return k.cfg.Store.Update(ctx, c.Key, c.Data, c.After)
	case Delete:
		return 0, k.cfg.Store.Delete(ctx, c.Key, c.After)
	}
	return 0, fmt.Errorf("lease: op %d on %s is unknown", c.Op, c.Key)
}

// reconcile starts work on what is held and ends work on what is not.
func (k *keeper) reconcile(ctx context.Context) {
	for p, w := range k.work {
		held := k.table.Held(k.now(), p)
		switch {
		case held && w == nil && ctx.Err() == nil:
			k.begin(ctx, p)
		case !held && w != nil && !w.stopping:
			k.log.Info("partition is given up", "region", k.cfg.Region, "partition", p)
			w.stopping = true
			w.cancel()
		}
	}
}

func (k *keeper) begin(ctx context.Context, partition int) {
	k.log.Info("partition is taken", "region", k.cfg.Region, "partition", partition)
	ctx, cancel := context.WithCancel(ctx)
	w := &work{partition: partition, cancel: cancel}
	k.work[partition] = w
	k.table.Started(partition)
	k.wg.Go(func() {
		w.err = k.serve(ctx, partition)
		k.ended <- w
	})
}

// end takes note of work that has ended, and looks at once whether there is a
// lease to give up.
func (k *keeper) end(w *work) {
	failed := !w.stopping
	if w.err != nil {
		k.log.Warn("partition is served no more", "region", k.cfg.Region, "partition", w.partition, "err", w.err)
	}
	w.cancel()
	k.work[w.partition] = nil
	k.table.Ended(k.now(), w.partition, failed)
}

// finishWithin bounds the deletion of leases at the end.
const finishWithin = 5 * time.Second

// finish joins the work, which ctx has ended, and deletes each lease when its work
// has ended.
func (k *keeper) finish(ctx context.Context) {
	for _, w := range k.work {
		if w != nil {
			w.stopping = true
			w.cancel()
		}
	}
	go func() {
		k.wg.Wait()
		close(k.ended)
	}()
	k.leave(ctx)
	for w := range k.ended {
		k.end(w)
		k.leave(ctx)
	}
}

func (k *keeper) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	k.write(ctx, k.table.Leave())
}
