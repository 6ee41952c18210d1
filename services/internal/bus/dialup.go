package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Uplink is a link to the tier above for a process that has no server of its own
// which could link: a small server inside this process that holds the link, stores
// nothing, and listens nowhere.
type Uplink struct {
	srv *server.Server
	log *slog.Logger
}

// DialUp links to the tier above, for ever trying, and waits for nothing. name is
// that of the server, unlike any other that links to the same place: the other side
// would throw the older of two out.
func DialUp(name string, up Upstream, log *slog.Logger) (*Uplink, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	o := &server.Options{ServerName: name, DontListen: true, NoSigs: true, MaxPayload: maxPayload, MaxPending: 64 << 20, PingInterval: pingEvery, MaxPingsOut: mostOut}
	if err := up.set(o); err != nil {
		return nil, err
	}
	srv, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("make link to %s: %w", shown(up.URL), err)
	}
	fatal := make(chan string, 1)
	srv.SetLoggerV2(&serverLog{log: log, fatal: fatal}, false, false, false)
	go srv.Start()
	u := &Uplink{srv: srv, log: log}
	if !srv.ReadyForConnections(upWithin) {
		u.Close()
		err := errors.New("its server did not start")
		select {
		case why := <-fatal:
			err = errors.New(why)
		default:
		}
		return nil, fmt.Errorf("make link to %s: %w", shown(up.URL), err)
	}
	return u, nil
}

// upWithin bounds the start of a server without files.
const upWithin = 10 * time.Second

// Sender makes a sender for a process that is known above as name. It is to be
// closed before the link.
func (u *Uplink) Sender(name string) (*Sender, error) {
	nc, err := nats.Connect("", nats.InProcessServer(u.srv), nats.Name("weir-up-"+name), nats.MaxReconnects(-1), warnings(u.log, name))
	if err != nil {
		return nil, fmt.Errorf("connect %s to its link: %w", name, err)
	}
	s, err := newSender(nc, name, u.link, nc.Close)
	if err != nil {
		nc.Close()
	}
	return s, err
}

// link tells this link from the next; 0: there is none.
func (u *Uplink) link() uint64 {
	z, err := u.srv.Leafz(nil)
	if err != nil {
		return 0 // it never fails
	}
	for _, l := range z.Leafs {
		if l.IsSpoke {
			return l.ID
		}
	}
	return 0
}

// Up reports whether the link stands.
func (u *Uplink) Up() bool { return u.link() != 0 }

// Close ends the link.
func (u *Uplink) Close() {
	u.srv.Shutdown()
	u.srv.WaitForShutdown()
}
