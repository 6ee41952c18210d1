package bus

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

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
	b, err := newBus(nc, e.cfg.Prefix, e.cfg.Dir)
	if err == nil {
		b.sound, b.fails = e.sound, e.fails
	}
	return b, err
}

// dial opens an in-process connection with the services' rights. It outlives the
// server: it comes back by itself when the next one is there.
func (e *Embedded) dial(name string) (*nats.Conn, error) {
	nc, err := nats.Connect("", nats.InProcessServer(e), nats.UserInfo(UserService, e.door.service),
		nats.Name(name), nats.CustomInboxPrefix(serviceInbox),
		// The server may come again at any time (life.go). Until then what is sent
		// fails at once: what waited here would be stored when nobody expects it.
		nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.ReconnectBufSize(-1), nats.IgnoreAuthErrorAbort(),
		warnings(e.cfg.Log, name))
	if err != nil {
		return nil, fmt.Errorf("connect %s to the embedded server: %w", name, err)
	}
	return nc, nil
}
