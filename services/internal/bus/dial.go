package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// DialConfig says how to reach a server elsewhere.
type DialConfig struct {
	URL            string // nats://host:port or tls://host:port; several separated by comma
	User, Password string
	Creds          string // file with a NATS user's JWT and seed, instead of a password
	TLS            *TLS   // nil: as the URL and the server want
	Prefix         string // of stream and bucket names
	Name           string // of the connection, for whoever looks at the server; empty: weir
	Log            *slog.Logger
}

// A connection that has gone dead without a word, as to a server that is stopped, is
// given up after three of these; a lost one is tried again about every second, for ever.
const (
	dialPing  = 4 * time.Second
	dialAgain = 500 * time.Millisecond
)

// leastPayload is what a server must take in one message: entries and parts of
// checkpoints are cut at EntrySize, and have a head.
const leastPayload = 2 * EntrySize

// Dial is DialWith for a server that wants at most a password.
func Dial(ctx context.Context, url, user, password, prefix string) (*Bus, error) {
	return DialWith(ctx, DialConfig{URL: url, User: user, Password: password, Prefix: prefix})
}

// DialWith connects to a server elsewhere. Once connected, the bus survives
// restarts of the server: calls in between fail, and readers go on.
func DialWith(ctx context.Context, c DialConfig) (*Bus, error) {
	opts, err := c.options(ctx)
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(c.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", shown(c.URL), err)
	}
	if most := nc.MaxPayload(); most < leastPayload {
		nc.Close()
		return nil, fmt.Errorf("connect to NATS at %s: it takes messages of %d bytes, and %d are needed: set max_payload: 8MB in its configuration", shown(c.URL), most, leastPayload)
	}
	return newBus(nc, c.Prefix, "")
}

// Connected says what is wrong with the connection, or nil.
func (b *Bus) Connected() error {
	if !b.nc.IsConnected() {
		return fmt.Errorf("the connection to NATS is %s", strings.ToLower(b.nc.Status().String()))
	}
	return nil
}

// replicas is how many copies of a stream there are, where somebody has decided
// that on a cluster: it is theirs to say. 0: the stream is not there.
func (b *Bus) replicas(ctx context.Context, stream string) (int, error) {
	s, err := b.stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().Config.Replicas, nil
}

func (c DialConfig) options(ctx context.Context) ([]nats.Option, error) {
	timeout := askTimeout
	if until, bounded := ctx.Deadline(); bounded {
		timeout = min(timeout, time.Until(until))
	}
	name := c.Name
	if name == "" {
		name = "weir"
	}
	opts := []nats.Option{
		nats.Name(name), nats.Timeout(timeout), nats.PingInterval(dialPing),
		nats.MaxReconnects(-1), nats.ReconnectWait(dialAgain), nats.ReconnectJitter(dialAgain, dialAgain),
		// What is sent meanwhile fails at once: what waited here would be stored when
		// nobody expects it. A login that is refused may be good again soon.
		nats.ReconnectBufSize(-1), nats.IgnoreAuthErrorAbort(),
		warnings(c.Log, name),
	}
	if c.User != "" || c.Creds != "" {
		opts = append(opts, nats.CustomInboxPrefix(serviceInbox))
	}
	if c.User != "" {
		opts = append(opts, nats.UserInfo(c.User, c.Password))
	}
	if c.Creds != "" {
		opts = append(opts, nats.UserCredentials(c.Creds))
	}
	if c.TLS == nil {
		return opts, nil
	}
	secure, err := c.TLS.Dialer()
	if err != nil {
		return nil, err
	}
	opts = append(opts, nats.Secure(secure))
	if c.TLS.First {
		opts = append(opts, nats.TLSHandshakeFirst())
	}
	return opts, nil
}

// warnings logs what goes wrong on a connection without a caller to tell.
func warnings(log *slog.Logger, name string) nats.Option {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
		subject := ""
		if s != nil {
			subject = s.Subject
		}
		log.Warn("nats", "connection", name, "subject", subject, "err", err)
	})
}
