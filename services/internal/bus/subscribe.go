package bus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
)

// Request is a message that came on a subscription. Data belongs to the receiver.
type Request struct {
	Subject string
	Data    []byte
	msg     *nats.Msg
	nc      *nats.Conn
}

// inboxes are where answers may go: those of devices and tools, of services, of
// processes that link to this tier, and what the server puts in their place.
var inboxes = []string{nats.InboxPrefix, serviceInbox + ".", upInboxes, serverInbox}

// serverInbox begins what the server puts in the place of an inbox where it keeps
// links apart.
const serverInbox = "_R_."

// WantsReply reports whether the sender waits for an answer. Only inboxes are
// answered, whose names nobody can guess: a reply subject that names anything
// else could make this process publish, with its own rights, where the sender
// may not.
func (r Request) WantsReply() bool {
	return slices.ContainsFunc(inboxes, func(prefix string) bool { return strings.HasPrefix(r.msg.Reply, prefix) })
}

// Header is a header of the message; empty: it has none of that name.
func (r Request) Header(name string) string { return r.msg.Header.Get(name) }

// Reply answers, with an optional header (key, value, key, value …).
func (r Request) Reply(data []byte, header ...string) error {
	if !r.WantsReply() {
		return nil
	}
	m := nats.NewMsg(r.msg.Reply)
	m.Data = data
	for i := 0; i+1 < len(header); i += 2 {
		m.Header.Set(header[i], header[i+1])
	}
	return r.nc.PublishMsg(m)
}

// Subscribe hands messages on a subject to handle, one at a time, until the
// returned func is called; one that is being handled then may still be.
// pendingBytes, at least 1, bounds what waits for handle; beyond it messages are
// dropped by the client and logged by it as a slow consumer. A server that is away hears
// of the subscription when it is back.
func (b *Bus) Subscribe(subject string, pendingBytes int, handle func(Request)) (stop func(), err error) {
	sub, err := b.nc.Subscribe(subject, func(m *nats.Msg) {
		handle(Request{Subject: m.Subject, Data: m.Data, msg: m, nc: b.nc})
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	stop = func() { _ = sub.Unsubscribe() }
	if err = sub.SetPendingLimits(-1, pendingBytes); err == nil {
		err = b.flush()
	}
	if err != nil && !Passing(class(err)) {
		stop()
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	return stop, nil
}

// flush waits until the server has what was sent.
func (b *Bus) flush() error { return b.once(context.Background(), askTimeout, b.nc.FlushWithContext) }
