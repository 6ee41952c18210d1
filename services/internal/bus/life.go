package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// life is one run of the embedded server, from its start until its shutdown. A
// server whose store has met a full disk or an error of the disk takes nothing
// any more, whatever becomes of the disk: only the next life does.
type life struct {
	srv  *server.Server
	opts *server.Options // the server writes the ports it took into them before it is ready
	gate *gate
}

// begin starts a server that takes connections, and links where cfg wants some.
func begin(cfg Config, d *door) (*life, error) {
	l := &life{gate: d.gate()}
	var err error
	if l.opts, err = options(cfg, l.gate); err != nil {
		return nil, err
	}
	if l.srv, err = server.NewServer(l.opts); err != nil {
		return nil, fmt.Errorf("make NATS server on %s: %w", cfg.Listen, err)
	}
	if err = l.start(cfg.Log); err != nil {
		err = fmt.Errorf("start NATS server on %q with data in %s: %w", cfg.Listen, cfg.Dir, err)
	} else {
		err = l.openLinks()
	}
	if err != nil {
		l.end()
		return nil, err
	}
	l.bound(cfg.Log)
	return l, nil
}

// bound bounds what the server keeps in memory of the streams that there are.
func (l *life) bound(log *slog.Logger) {
	if err := boundBlocks(l.srv); err != nil {
		log.Warn("more memory is used than need be", "err", err)
	}
}

// readyWithin bounds the start of a server. After a crash it reads all its files,
// which may take minutes on a slow disk.
const readyWithin = 10 * time.Minute

// start waits until the server takes connections, or says why it cannot.
func (l *life) start(log *slog.Logger) error {
	fatal := make(chan string, 1)
	l.srv.SetLoggerV2(&serverLog{log: log, fatal: fatal}, false, false, false)
	go l.srv.Start()
	for began := time.Now(); !l.srv.ReadyForConnections(10 * time.Millisecond); {
		select {
		case why := <-fatal:
			return errors.New(why)
		default:
		}
		if time.Since(began) > readyWithin {
			return fmt.Errorf("not ready after %v", readyWithin)
		}
	}
	return nil
}

// end shuts the server down, with its files flushed.
func (l *life) end() {
	l.gate.open() // a link that waits at the gate would hold up the shutdown
	l.srv.Shutdown()
	l.srv.WaitForShutdown()
}

// ErrHalted: the server is down for a while.
var ErrHalted = errors.New("the NATS server is down for now")

// InProcessConn is a connection to the server as it is now.
func (e *Embedded) InProcessConn() (net.Conn, error) {
	if e.halted.Load() {
		return nil, ErrHalted
	}
	return e.life.Load().srv.InProcessConn()
}

// Halt shuts the server down until Resume. Connections of this process wait, and
// what is sent on them fails meanwhile; those from outside are closed.
func (e *Embedded) Halt() {
	e.turn.Lock()
	defer e.turn.Unlock()
	if !e.halted.Swap(true) {
		e.die()
		e.life.Load().end()
	}
}

// Resume starts the server again, at the same addresses and with the users that
// there are now.
func (e *Embedded) Resume() error {
	e.turn.Lock()
	defer e.turn.Unlock()
	if e.stopped || !e.halted.Load() {
		return nil
	}
	l, err := begin(e.cfg, e.door)
	if err != nil {
		return err
	}
	e.life.Store(l)
	e.restarts.Add(1)
	e.answered()
	e.live()
	e.halted.Store(false)
	return nil
}

// live makes calls of this bus end with this life of the server: die ends them.
func (e *Embedded) live() {
	var alive context.Context
	alive, e.die = context.WithCancel(context.Background())
	e.alive.Store(&alive)
}

// Restarts is how often the server was started again.
func (e *Embedded) Restarts() uint64 { return e.restarts.Load() }

// Durability is the class of the server.
func (e *Embedded) Durability() Durability {
	if e.cfg.Durability == "" {
		return Fast
	}
	return e.cfg.Durability
}
