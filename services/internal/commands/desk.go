package commands

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"
)

// Config is fixed for the life of a Desk. Zero values take the default named
// with the field.
type Config struct {
	// PerDevice is how many commands may wait for a device; the oldest goes where
	// one more comes. Default 100.
	PerDevice int
	// Largest is the size of a command in bytes. Default 64 KiB.
	Largest int
	// Bytes is what all commands together may take in memory, and those of one
	// device an eighth of it. Default 8 MiB.
	Bytes int64
	// Sessions is how many may outlive their connections; one more is as if it had
	// asked to be clean. Default 20,000.
	Sessions int
	// KeepFor is how long a session may outlive its connection, and a command wait.
	// Default 7 days.
	KeepFor time.Duration
	// Named reports whether commands are kept for a device though it has no
	// session. nil: for none.
	Named func(tenant, device string) bool
}

func (c Config) withDefaults() Config {
	orDefault(&c.PerDevice, 100)
	orDefault(&c.Largest, 64<<10)
	orDefault(&c.Bytes, 8<<20)
	orDefault(&c.Sessions, 20_000)
	orDefault(&c.KeepFor, 7*24*time.Hour)
	return c
}

func orDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Desk is where commands come in and sessions get them. It is safe for concurrent
// use.
type Desk struct {
	cfg   Config
	store Store
	log   *slog.Logger
	wake  chan struct{} // the inbox is not empty; size 1
	pumps sync.WaitGroup

	mu       sync.Mutex
	inbox    []Message // to be looked at
	inBytes  int       // of these
	closed   bool      // nothing more is taken or delivered
	boxes    map[Device]*box
	dirty    map[*box]struct{}   // of which the store can forget something
	sessions map[string]*session // by key
	lasting  int                 // of these, those that outlive their connection
	forget   map[string]uint64   // keys of sessions whose records below a number can go
	bytes    int64               // that all letters take
	counts   Status
}

// New makes a desk that has nothing yet. log may be nil.
func New(cfg Config, store Store, log *slog.Logger) *Desk {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Desk{
		cfg: cfg.withDefaults(), store: store, log: log, wake: make(chan struct{}, 1),
		boxes: map[Device]*box{}, dirty: map[*box]struct{}{}, sessions: map[string]*session{},
		forget: map[string]uint64{}, counts: Status{Dropped: map[Reason]uint64{}},
	}
}

// loaded is what the store has.
type loaded struct {
	commands []numbered[Stored]
	sessions map[string]numbered[Record]
}

// Load takes over what an earlier process has kept. It comes before everything
// else.
func (d *Desk) Load(ctx context.Context) error {
	all := loaded{sessions: map[string]numbered[Record]{}}
	err := d.store.Load(ctx,
		func(seq uint64, c Stored) { all.commands = append(all.commands, numbered[Stored]{seq, c}) },
		func(seq uint64, key string, r Record) { all.sessions[key] = numbered[Record]{seq, r} })
	if err != nil {
		return fmt.Errorf("take over kept commands: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for key, s := range all.sessions {
		d.restore(key, s, now)
	}
	for _, c := range all.commands {
		d.counts.Loaded++
		d.place(d.letterOf(c.seq, c.of, now))
	}
	return nil
}

// restore makes a session that is away since now.
func (d *Desk) restore(key string, r numbered[Record], now time.Time) {
	s := &session{key: key, client: r.of.Client, user: r.of.User, away: now, stored: r.seq, told: r.of.Keep}
	d.sessions[key] = s
	d.setKeep(s, min(r.of.Keep, d.cfg.KeepFor))
	for dev, qos := range r.of.Subscriptions {
		d.subscribe(s, dev, qos)
	}
}

// year2000 is before any clock that is right.
var year2000 = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// letterOf makes a letter of a stored command. A clock that was wrong when it
// came tells nothing of its age.
func (d *Desk) letterOf(seq uint64, c Stored, now time.Time) *letter {
	came := c.Came
	if came.Before(year2000) || came.After(now) {
		came = now
	}
	l := &letter{box: d.box(c.Device), payload: c.Payload, seq: seq, until: came.Add(d.cfg.KeepFor), expires: !c.Expires.IsZero()}
	if l.expires && c.Expires.Before(l.until) {
		l.until = c.Expires
	}
	return l
}

// place hands a letter out to the sessions that subscribe, and says how many of
// them are connected, or why it is dropped. One that is in the store may wait for
// a session.
func (d *Desk) place(l *letter) (connected int, why Reason) {
	b := l.box
	if d.add(l); l.done {
		return 0, QueueFull
	}
	for s, qos := range b.sessions {
		if s.link != nil {
			connected++
		}
		if qos > 0 && (s.link != nil || s.keep > 0) {
			d.give(l, s, qos)
		}
	}
	for s, qos := range b.sessions {
		if qos == 0 && s.link != nil && (l.seq == 0 || len(l.owners) > 0) {
			d.give(l, s, qos)
		}
	}
	if len(l.owners) == 0 {
		if why = d.lost(l); why != "" {
			d.discard(l, why)
		}
	}
	return connected, why
}

// lost says why a letter that nobody gets now is dropped, if it is.
func (d *Desk) lost(l *letter) Reason {
	switch {
	case !d.named(l.box.device):
		return l.box.absence()
	case l.seq == 0:
		return NotStored
	}
	return ""
}

// absence is why nobody gets a command now.
func (b *box) absence() Reason {
	if len(b.sessions) > 0 {
		return Away
	}
	return NoSession
}

// Run takes messages until ctx ends, and then finishes what it has. Connections
// are closed before. It returns nil.
func (d *Desk) Run(ctx context.Context) error {
	working := context.WithoutCancel(ctx)
	var joined sync.WaitGroup
	joined.Go(func() { d.clerk(ctx, working) })
	joined.Go(func() { d.keeper(ctx, working) })
	joined.Wait()
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.pumps.Wait()
	last, cancel := context.WithTimeout(working, storeWithin)
	defer cancel()
	d.purge(last, math.MaxInt)
	return nil
}
