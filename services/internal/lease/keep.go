package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weir/services/internal/bus"
)

// Store is the bucket that holds the leases.
type Store interface {
	// Get fails with bus.ErrNone where the key is not there.
	Get(ctx context.Context, key string) (bus.Entry, error)
	// Update fails with bus.ErrWrongLast where the newest revision is not after; 0
	// means that the key is not there.
	Update(ctx context.Context, key string, value []byte, after uint64) (uint64, error)
}

// Config of one member.
type Config struct {
	Store      Store
	Region     string // whose partitions they are
	Partitions int
	Name       string // of the member: unique among those that share, the same after a restart
	// ID tells a process from all others that live. One that has it from the process
	// before it, which is surely dead, goes on with that one's leases at once. Empty:
	// a new one.
	ID    string
	Times Times // zero: DefaultTimes
}

// Keeper holds leases for one member: the shell around one table. Holds and State
// are safe for concurrent use.
type Keeper struct {
	cfg   Config
	log   *slog.Logger
	table *Table
	start time.Time
	serve func(ctx context.Context, partition int) error

	work  []*work // by partition; nil: none
	ended chan *work
	wg    sync.WaitGroup
	twin  bool // it was said
	lost  bool // it was said that the leases cannot be kept

	mu     sync.Mutex // guards what is shown
	until  []int64    // by partition: when it is let go of unless it is renewed
	state  State
	readAt int64 // when the key was read last
}

// State is what a member knows of all.
type State struct {
	Owners []string      // by partition; empty: nobody, as far as is known
	Age    time.Duration // since they were read; negative: they have not been yet
}

// work is what serves one partition.
type work struct {
	partition int
	cancel    context.CancelFunc
	stopping  bool
	err       error
}

// New makes a keeper that holds nothing until Keep.
func New(cfg Config, log *slog.Logger) *Keeper {
	if cfg.Times == (Times{}) {
		cfg.Times = DefaultTimes()
	}
	if cfg.ID == "" {
		cfg.ID = rand.Text()
	}
	k := &Keeper{
		cfg: cfg, log: log.With("region", cfg.Region, "member", cfg.Name), start: time.Now(),
		table: NewTable(cfg.Region+".", cfg.Partitions, Member{Name: cfg.Name, ID: cfg.ID}, cfg.Times),
		work:  make([]*work, cfg.Partitions), ended: make(chan *work),
		until: make([]int64, cfg.Partitions), state: State{Owners: make([]string, cfg.Partitions)}, readAt: never,
	}
	k.show()
	return k
}

// Keep holds the partitions that are this member's until ctx ends, and runs
// serve for each that it holds; it ends serve's context when the partition is to
// be given up. Where serve returns by itself the partition is left to others for a
// while. At the end Keep waits for all work, and gives up each lease when its work has
// ended. It is called once.
func (k *Keeper) Keep(ctx context.Context, serve func(ctx context.Context, partition int) error) error {
	k.serve = serve
	k.keep(ctx)
	k.finish(ctx)
	return nil
}

// Holds reports whether a partition is this member's at this moment. One that was
// stopped for a while hears at once that it is not, before it has read anything.
func (k *Keeper) Holds(partition int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now() < k.until[partition]
}

// State is what is known of all members.
func (k *Keeper) State() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := State{Owners: slices.Clone(k.state.Owners), Age: -1}
	if k.readAt != never {
		s.Age = time.Duration(k.now() - k.readAt)
	}
	return s
}

// show puts what the table knows where others can see it.
func (k *Keeper) show() {
	owners := k.table.Owners(k.now())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.Owners = owners
	for p := range k.until {
		k.until[p] = k.table.Until(p)
	}
}

func (k *Keeper) now() int64 { return int64(time.Since(k.start)) }

// keep looks three times between two signs of life.
func (k *Keeper) keep(ctx context.Context) {
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

// look reads the key and writes what the table decides. It takes half of the
// time between two signs of life at the most, so that leases that cannot be renewed
// are let go of in time.
func (k *Keeper) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.Times.Renew/2)
	defer cancel()
	err := k.see(ctx)
	if err == nil {
		if w, ok := k.table.Decide(k.now()); ok {
			err = k.write(ctx, &w)
		}
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		k.tell(err)
	}
}

// see reads the key.
func (k *Keeper) see(ctx context.Context) error {
	e, err := k.cfg.Store.Get(ctx, k.cfg.Region)
	if err != nil && !errors.Is(err, bus.ErrNone) {
		return err
	}
	k.table.See(k.now(), e.Value, e.Revision)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.readAt = k.now()
	return nil
}

func (k *Keeper) write(ctx context.Context, w *Write) error {
	began := k.now()
	revision, err := k.cfg.Store.Update(ctx, k.cfg.Region, w.Data, w.After)
	outcome := Done
	switch {
	case errors.Is(err, bus.ErrWrongLast):
		outcome, err = Refused, nil // somebody else was faster
	case err != nil:
		outcome = Unknown
	}
	k.table.Result(w, began, outcome, revision)
	return err
}

// tell says aloud, once, that the leases cannot be kept, that they can again, and
// that two processes have one name.
func (k *Keeper) tell(err error) {
	switch lost := err != nil; {
	case lost && !k.lost:
		k.log.Warn("leases cannot be kept: what is not renewed in time is given up", "err", err)
	case !lost && k.lost:
		k.log.Info("leases are kept again")
	}
	k.lost = err != nil
	if twin := k.table.Twin(k.now()); twin != k.twin {
		k.twin = twin
		if twin {
			k.log.Error("another process goes by the name of this member, so that one of them is idle: give each a name of its own")
		}
	}
}

// reconcile starts work on what is held and ends work on what is not.
func (k *Keeper) reconcile(ctx context.Context) {
	var taken, given []int
	for p, w := range k.work {
		held := k.table.Held(k.now(), p)
		switch {
		case held && w == nil && ctx.Err() == nil:
			taken = append(taken, p)
			k.begin(ctx, p)
		case !held && w != nil && !w.stopping:
			given = append(given, p)
			w.stopping = true
			w.cancel()
		}
	}
	k.show()
	if len(taken) > 0 {
		k.log.Info("partitions are taken", "partitions", taken)
	}
	if len(given) > 0 {
		k.log.Info("partitions are given up", "partitions", given)
	}
}

func (k *Keeper) begin(ctx context.Context, partition int) {
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
func (k *Keeper) end(w *work) {
	failed := !w.stopping
	if w.err != nil {
		k.log.Warn("partition is served no more", "partition", w.partition, "err", w.err)
	}
	w.cancel()
	k.work[w.partition] = nil
	k.table.Ended(k.now(), w.partition, failed)
}

// finishWithin bounds each giving up of leases at the end.
const finishWithin = 5 * time.Second

// finish joins the work, which ctx has ended, and gives up each lease when its work
// has ended.
func (k *Keeper) finish(ctx context.Context) {
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

// leaveTries is how often it is tried to leave while others write too.
const leaveTries = 10

func (k *Keeper) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	for range leaveTries {
		err := k.see(ctx)
		if err == nil {
			w, ok := k.table.Leave()
			if !ok {
				return
			}
			err = k.write(ctx, &w)
		}
		if err != nil {
			k.log.Warn("leases are not given up: others wait until they are stale", "err", err)
			return
		}
	}
}
