package simulator

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"weir/schemas"
)

const (
	replyWithin = 10 * time.Second // a request without a reply is sent again
	flushEvery  = time.Second      // at QoS 0, for proof
)

// natsLink carries the devices of one player over one NATS connection: the
// subject says which device speaks.
type natsLink struct {
	url     string
	devices []*device
	wires   []natsWire
	clock   func() int64
	links   *links
	inbox   string // replies come on inbox.<device>.<id>
	conn    *nats.Conn
}

// natsWire is one device's share of a link.
type natsWire struct {
	link    *natsLink
	subject string
	reply   string // what precedes the id
}

func newNATSLink(url, tenant string, devices []*device, names []string, clock func() int64, l *links) *natsLink {
	link := &natsLink{url: url, devices: devices, clock: clock, links: l, inbox: nats.NewInbox() + "."}
	for i := range devices {
		reply := link.inbox + strconv.Itoa(i) + "."
		link.wires = append(link.wires, natsWire{link, schemas.Telemetry(tenant, names[i], schemas.Metrics), reply})
	}
	return link
}

// login is how to sign in and what to trust.
func (o Options) login() (options []nats.Option) {
	if o.User != "" {
		options = append(options, nats.UserInfo(o.User, o.Password))
	}
	if o.TLS != nil {
		options = append(options, nats.Secure(o.TLS.Clone()))
	}
	return options
}

// open connects, in the background where nobody answers yet.
func (l *natsLink) open(login ...nats.Option) error {
	backoff := func(attempt int) time.Duration {
		d := min(firstBackoff<<min(attempt, 10), longestRetry)
		return d/2 + rand.N(d/2)
	}
	up := func(*nats.Conn) { l.up() }
	conn, err := nats.Connect(l.url, append(
		login, nats.Name("weir sim"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), nats.CustomReconnectDelay(backoff), nats.Timeout(dialWithin),
		nats.ConnectHandler(up), nats.ReconnectHandler(up),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { l.down(err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { l.links.failed(err) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { l.links.last.Store(&err) }),
	)...)
	if err != nil {
		return err
	}
	sub, err := conn.Subscribe(l.inbox+"*.*", l.answer)
	if err != nil {
		conn.Close()
		return err
	}
	l.conn = conn
	return sub.SetPendingLimits(-1, -1)
}

func (l *natsLink) up() {
	for i, d := range l.devices {
		d.connected(&l.wires[i])
	}
}

func (l *natsLink) down(err error) {
	if err == nil {
		err = errors.New("the connection was closed")
	}
	l.links.failed(err)
	now := l.clock()
	for _, d := range l.devices {
		d.broken(now)
	}
}

// run collects proof at QoS 0 until ctx ends: a flush comes back when the
// server has read everything before it.
func (l *natsLink) run(ctx context.Context) {
	defer l.conn.Close()
	for ctx.Err() == nil {
		pause(ctx, flushEvery)
		for _, d := range l.devices {
			d.askProof(l.clock())
		}
		if l.conn.FlushTimeout(dialWithin) == nil {
			for _, d := range l.devices {
				d.proved(l.clock())
			}
		}
	}
}

// answer passes a reply on to its device.
func (l *natsLink) answer(m *nats.Msg) {
	device, id, _ := strings.Cut(strings.TrimPrefix(m.Subject, l.inbox), ".")
	i, err := strconv.Atoi(device)
	n, errID := strconv.ParseUint(id, 10, 16)
	if err != nil || errID != nil || i < 0 || i >= len(l.devices) {
		return // nobody was asked this
	}
	if refused, again := verdict(m.Header.Get("Status"), m.Header.Get("Weir-Error"), m.Data); again {
		l.devices[i].later(uint16(n), l.clock())
	} else {
		l.devices[i].answered(uint16(n), refused, l.clock())
	}
}

func (w *natsWire) ready() bool { return true }

func (w *natsWire) patience() int64 { return int64(replyWithin) }

func (w *natsWire) send(b *buffers, payload []byte, id uint16, _ bool) error {
	if id == 0 {
		return w.link.conn.Publish(w.subject, payload)
	}
	b.packet = strconv.AppendUint(append(b.packet[:0], w.reply...), uint64(id), 10)
	return w.link.conn.PublishRequest(w.subject, string(b.packet), payload)
}

func (w *natsWire) prove(*buffers) (bool, error) { return false, nil }

func (w *natsWire) drop() {}
