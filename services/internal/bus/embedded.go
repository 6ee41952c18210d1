package bus

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
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

	OperatorPassword string // for the command line and nats kv put; from the data folder; empty: there is no operator
	Log              *slog.Logger
}

// maxPayload bounds one message: a commit entry or a checkpoint part stays far below.
const maxPayload = 8 << 20

// EntrySize is the size at which writers cut a commit entry or a checkpoint part.
const EntrySize = 1 << 20

// Embedded is a NATS server with JetStream inside this process.
type Embedded struct {
	*Bus
	srv      *server.Server
	opts     *server.Options // the server writes the ports it took into them before it is ready
	cfg      Config
	gate     *gate
	password string // of the services' own connections: random, in memory only
}

// Embed starts a server and connects to it. It does not wait for the upstream.
func Embed(cfg Config) (*Embedded, error) {
	e := &Embedded{cfg: cfg, password: rand.Text()}
	var err error
	if e.gate, err = newGate(cfg, e.password); err != nil {
		return nil, err
	}
	if e.opts, err = options(cfg, e.gate); err != nil {
		return nil, err
	}
	if e.srv, err = server.NewServer(e.opts); err != nil {
		return nil, fmt.Errorf("make NATS server on %s: %w", cfg.Listen, err)
	}
	if err := e.start(); err != nil {
		e.halt()
		return nil, fmt.Errorf("start NATS server on %q with data in %s: %w", cfg.Listen, cfg.Dir, err)
	}
	if err = e.openLinks(); err == nil {
		err = e.connect()
	}
	if err != nil {
		e.halt()
		return nil, err
	}
	return e, nil
}

// readyWithin bounds the start of a server, which reads its files.
const readyWithin = 30 * time.Second

// start waits until the server takes connections, or says why it cannot.
func (e *Embedded) start() error {
	fatal := make(chan string, 1)
	e.srv.SetLoggerV2(&serverLog{log: e.cfg.Log, fatal: fatal}, false, false, false)
	go e.srv.Start()
	for began := time.Now(); !e.srv.ReadyForConnections(10 * time.Millisecond); {
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

// Addr is where the server listens; empty if it does not.
func (e *Embedded) Addr() string {
	if e.cfg.Listen == "" {
		return ""
	}
	return e.srv.Addr().String()
}

// LeafAddr is where the server takes links from below; empty if it does not.
func (e *Embedded) LeafAddr() string {
	if e.cfg.Leaf == "" {
		return ""
	}
	return net.JoinHostPort(e.opts.LeafNode.Host, strconv.Itoa(e.opts.LeafNode.Port))
}

// Healthy says what is wrong with the server's store, or nil.
func (e *Embedded) Healthy() error {
	if h := e.srv.Healthz(&server.HealthzOptions{}); h.Error != "" {
		return errors.New(h.Error)
	}
	return nil
}

// Stop closes the connections and the server, with its files flushed.
func (e *Embedded) Stop() {
	e.Bus.Close()
	e.halt()
}

func (e *Embedded) halt() {
	e.gate.open() // a link that waits at the gate would hold up the shutdown
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
}
