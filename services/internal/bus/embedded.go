package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/crypto/bcrypt"
)

// Config of an embedded server.
type Config struct {
	Dir    string // data folder; streams live in its jetstream subfolder
	Listen string // host:port for devices and tools; port 0 takes a free one; empty: none
	Prefix string // of stream and bucket names

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
	cfg      Config
	password string // of the services' own connections: random, in memory only
}

// Names of the server's users.
const (
	userService  = "service"
	UserOperator = "operator"
	userAnon     = "anon"
)

// Embed starts a server and connects to it.
func Embed(cfg Config) (*Embedded, error) {
	e := &Embedded{cfg: cfg, password: rand.Text()}
	opts, err := e.options()
	if err != nil {
		return nil, err
	}
	if e.srv, err = server.NewServer(opts); err != nil {
		return nil, fmt.Errorf("make NATS server on %s: %w", cfg.Listen, err)
	}
	if err := e.start(); err != nil {
		e.srv.Shutdown()
		e.srv.WaitForShutdown()
		return nil, fmt.Errorf("start NATS server on %q with data in %s: %w", cfg.Listen, cfg.Dir, err)
	}
	if err = e.connect(); err != nil {
		e.srv.Shutdown()
		e.srv.WaitForShutdown()
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

func (e *Embedded) options() (*server.Options, error) {
	service, err := hashed(e.password)
	if err != nil {
		return nil, err
	}
	o := &server.Options{
		ServerName: "weir", JetStream: true, StoreDir: filepath.Join(e.cfg.Dir, "jetstream"),
		NoSigs: true, DisableJetStreamBanner: true, MaxPayload: maxPayload, MaxPending: 64 << 20,
		SyncInterval: time.Second, DontListen: e.cfg.Listen == "", NoSystemAccount: false,
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 40, // the streams' own caps are what limits
		JetStreamLimits:       server.JSLimitOpts{DefaultMaxConsumers: -1},
		StreamMaxBufferedMsgs: 10_000, StreamMaxBufferedSize: 32 << 20,
		NoAuthUser: userAnon,
		Users: []*server.User{
			{Username: userService, Password: service},
			{Username: userAnon, Permissions: anonymous()},
		},
	}
	if e.cfg.OperatorPassword != "" {
		operator, err := hashed(e.cfg.OperatorPassword)
		if err != nil {
			return nil, err
		}
		o.Users = append(o.Users, &server.User{Username: UserOperator, Password: operator})
	}
	if e.cfg.Listen == "" {
		return o, nil
	}
	host, port, err := net.SplitHostPort(e.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("NATS address %q: %w; use host:port", e.cfg.Listen, err)
	}
	o.Host = host
	if o.Port, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("NATS address %q: port %q is no number", e.cfg.Listen, port)
	}
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	return o, nil
}

// hashed is what the server holds of a password. The passwords are random and
// long, so the least cost will do.
func hashed(password string) (string, error) {
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return "", fmt.Errorf("hash a password of %d bytes: %w", len(password), err)
	}
	return string(h), nil
}

// anonymous are the rights of a device or tool without credentials: publish
// telemetry, hear commands and answers, nothing else. Without this anyone could
// write into the journal.
func anonymous() *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{"tel.>"}},
		Subscribe: &server.SubjectPermission{Allow: []string{"cmd.>", "_INBOX.>"}},
	}
}

// serviceInbox is where answers to services come. Anyone may listen on _INBOX,
// and what readers get of a stream comes to an inbox.
const serviceInbox = "_WEIR"

// lanes is how many connections the embedded bus appends on.
const lanes = 4

// connect opens the bus of this process.
func (e *Embedded) connect() (err error) {
	if e.Bus, err = e.Connect("weir"); err != nil {
		return err
	}
	for i := range lanes {
		nc, err := e.dial(fmt.Sprintf("weir-append-%d", i))
		if err == nil {
			err = e.Bus.addLane(nc)
		}
		if err != nil {
			e.Bus.Close()
			return err
		}
	}
	return nil
}

// Connect opens another in-process bus with one connection.
func (e *Embedded) Connect(name string) (*Bus, error) {
	nc, err := e.dial(name)
	if err != nil {
		return nil, err
	}
	return newBus(nc, e.cfg.Prefix, e.cfg.Dir)
}

// dial opens an in-process connection with the services' rights.
func (e *Embedded) dial(name string) (*nats.Conn, error) {
	nc, err := nats.Connect("", nats.InProcessServer(e.srv), nats.UserInfo(userService, e.password),
		nats.Name(name), nats.CustomInboxPrefix(serviceInbox), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			e.cfg.Log.Warn("nats", "connection", name, "subject", subject, "err", err)
		}))
	if err != nil {
		return nil, fmt.Errorf("connect %s to the embedded server: %w", name, err)
	}
	return nc, nil
}

// Addr is where the server listens; empty if it does not.
func (e *Embedded) Addr() string {
	if e.cfg.Listen == "" {
		return ""
	}
	return e.srv.Addr().String()
}

// Healthy says what is wrong with the server's store, or nil.
func (e *Embedded) Healthy() error {
	if h := e.srv.Healthz(&server.HealthzOptions{}); h.Error != "" {
		return errors.New(h.Error)
	}
	return nil
}

// Stop closes the connection and the server, with its files flushed.
func (e *Embedded) Stop() {
	e.Bus.Close()
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
}

// Dial connects to a server elsewhere.
func Dial(ctx context.Context, url, user, password, prefix string) (*Bus, error) {
	opts := []nats.Option{nats.Name("weir"), nats.Timeout(askTimeout)}
	if user != "" {
		opts = append(opts, nats.UserInfo(user, password), nats.CustomInboxPrefix(serviceInbox))
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", url, err)
	}
	return newBus(nc, prefix, "")
}

// serverLog hands the server's log to slog. The server's Fatalf must not end
// the process: it becomes the reason why it did not start.
type serverLog struct {
	log   *slog.Logger
	fatal chan string
}

func (l *serverLog) Noticef(f string, v ...any) { l.log.Debug("nats-server: " + fmt.Sprintf(f, v...)) }

// Warnf leaves out one warning: anon has no password on purpose.
func (l *serverLog) Warnf(f string, v ...any) {
	if strings.HasPrefix(f, "Plaintext passwords") {
		return
	}
	l.log.Warn("nats-server: " + fmt.Sprintf(f, v...))
}

func (l *serverLog) Errorf(f string, v ...any) { l.log.Error("nats-server: " + fmt.Sprintf(f, v...)) }
func (l *serverLog) Debugf(string, ...any)     {}
func (l *serverLog) Tracef(string, ...any)     {}

func (l *serverLog) Fatalf(f string, v ...any) {
	why := fmt.Sprintf(f, v...)
	l.log.Error("nats-server: " + why)
	select {
	case l.fatal <- why:
	default:
	}
}
