package bus

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// loginWithin is how long a login may take: when many come at once, their
// passwords are checked one after the other.
const loginWithin = 10 * time.Second

// A link that goes dead without a word is given up after mostOut to mostOut+1 times
// pingEvery, 8 to 12 s, so that an agent is with another server of its region well
// within half a minute. An answer may wait for as long as mostOut times behind what fills
// a slow link. Whoever links pings, the other side only where it hears nothing: a
// thousand agents are 250 pings a second, and 4 MB a day each, a fraction of their reports.
const (
	pingEvery = 4 * time.Second
	mostOut   = 2
)

// options are those of the server that cfg describes, with g at its door.
func options(cfg Config, g *gate) (*server.Options, error) {
	o := &server.Options{
		ServerName: serverName(cfg), JetStreamDomain: cfg.Domain,
		JetStream: true, StoreDir: filepath.Join(cfg.Dir, storeDir),
		NoSigs: true, DisableJetStreamBanner: true, MaxPayload: maxPayload, MaxPending: 64 << 20,
		DontListen:         cfg.Listen == "",
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 40, // the streams' own caps are what limits
		JetStreamLimits:       server.JSLimitOpts{DefaultMaxConsumers: -1},
		StreamMaxBufferedMsgs: 10_000, StreamMaxBufferedSize: 32 << 20,
		CustomClientAuthentication: g, AuthTimeout: loginWithin.Seconds(),
	}
	if cfg.Users == nil {
		// The gate decides. This only makes the server's greeting say that no login
		// is needed.
		o.NoAuthUser, o.Users = userAnon, []*server.User{{Username: userAnon}}
	}
	if cfg.Leaf != "" || cfg.Upstream != nil {
		o.PingInterval, o.MaxPingsOut = pingEvery, mostOut
	}
	for _, set := range []func(*server.Options) error{
		cfg.Durability.set, cfg.listen, cfg.leaf, cfg.Upstream.set, cfg.TLS.set,
	} {
		if err := set(o); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func serverName(cfg Config) string {
	if cfg.Name == "" {
		return "weir"
	}
	return cfg.Name
}

func (c Config) listen(o *server.Options) (err error) {
	if c.Listen != "" {
		o.Host, o.Port, err = hostPort("NATS address", c.Listen)
	}
	return err
}

// leaf opens the door for links from below. They hear of no other address of this
// server than the one they came by.
func (c Config) leaf(o *server.Options) (err error) {
	if c.Leaf == "" {
		return nil
	}
	o.LeafNode.NoAdvertise, o.LeafNode.AuthTimeout = true, loginWithin.Seconds()
	o.LeafNode.Host, o.LeafNode.Port, err = hostPort("leaf address", c.Leaf)
	return err
}

// hostPort splits an address to listen on; what names it in errors.
func hostPort(what, addr string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("%s %q: %w; use host:port", what, addr, err)
	}
	if port, err = strconv.Atoi(p); err != nil {
		return "", 0, fmt.Errorf("%s %q: port %q is no number", what, addr, p)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}
