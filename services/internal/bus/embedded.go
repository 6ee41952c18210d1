package bus

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Config of an embedded server.
type Config struct {
	Dir    string // data folder; streams live in its jetstream subfolder
	Listen string // host:port for devices and tools; port 0 takes a free one; empty: none
	Prefix string // of stream and bucket names

	Name       string     // of the server, unlike any other that links to the same place; empty: weir
	Domain     string     // of JetStream: needed where a link goes up or comes in; empty: none
	Durability Durability // empty: Fast
	Users      []User     // who may connect; nil: anyone, as an anonymous device or link; empty but not nil: nobody from outside
	TLS        *TLS       // of both listeners; nil: none
	Leaf       string     // host:port for links from below; port 0 takes a free one; empty: none
	Upstream   *Upstream  // where this server links to; nil: nowhere

	// ServicePassword is for processes that join this server with the services'
	// rights, as user service; empty: a random one, which nobody knows.
	ServicePassword  string
	OperatorPassword string // for the command line and nats kv put; from the data folder; empty: there is no operator
	Log              *slog.Logger
}

// maxPayload bounds one message: a commit entry or a checkpoint part stays far below.
const maxPayload = 8 << 20

// EntrySize is the size at which writers cut a commit entry or a checkpoint part.
const EntrySize = 1 << 20

// Embedded is a NATS server with JetStream inside this process. The server can be
// stopped and started again (life.go); connections and subscriptions live on.
type Embedded struct {
	*Bus
	cfg            Config
	door           *door
	addr, leafAddr string // where it listens, in every life; empty: it does not

	life     atomic.Pointer[life] // the newest
	halted   atomic.Bool          // the newest has ended
	turn     sync.Mutex           // held by who ends a life or begins one
	stopped  bool                 // by Stop: no more lives. Under turn
	die      context.CancelFunc   // ends calls that wait for the life's answer. Under turn
	restarts atomic.Uint64
	fails    chan struct{} // see Fails
	damage   []Damage      // found at the start

	stopSync context.CancelFunc // no more changes of streams are made durable
	synced   chan struct{}      // closed: none is any more
}

// Embed starts a server and connects to it. It does not wait for the upstream.
func Embed(cfg Config) (*Embedded, error) {
	e := &Embedded{cfg: cfg, fails: make(chan struct{}, 1)}
	var err error
	if e.door, err = newDoor(cfg, cmp.Or(cfg.ServicePassword, rand.Text())); err != nil {
		return nil, err
	}
	if e.damage, err = repair(cfg.Dir, cfg.Prefix, time.Now(), cfg.Log); err != nil {
		return nil, err
	}
	l, err := begin(cfg, e.door)
	if err != nil {
		return nil, err
	}
	e.life.Store(l)
	e.keepAddresses(l)
	if err = e.connect(); err == nil {
		e.live()
		if err = e.syncChanges(); err != nil {
			e.Bus.Close()
		}
	}
	if err != nil {
		l.end()
		return nil, err
	}
	return e, nil
}

// keepAddresses notes where a server listens, so that the next one does too.
func (e *Embedded) keepAddresses(l *life) {
	if e.cfg.Listen != "" {
		e.addr = l.srv.Addr().String()
		e.cfg.Listen = e.addr
	}
	if e.cfg.Leaf != "" {
		e.leafAddr = net.JoinHostPort(l.opts.LeafNode.Host, strconv.Itoa(l.opts.LeafNode.Port))
		e.cfg.Leaf = e.leafAddr
	}
}

// Addr is where the server listens; empty if it does not.
func (e *Embedded) Addr() string { return e.addr }

// LeafAddr is where the server takes links from below; empty if it does not.
func (e *Embedded) LeafAddr() string { return e.leafAddr }

// Stop closes the connections and the server, with its files flushed.
func (e *Embedded) Stop() {
	e.Bus.Close()
	e.stopSyncing()
	e.turn.Lock()
	defer e.turn.Unlock()
	e.stopped = true
	e.halted.Store(true)
	e.die()
	e.life.Load().end()
}
