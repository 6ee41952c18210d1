package bus

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"weir/schemas"
)

// HandDown has the commands that come down the link handed to a server that has no
// link of its own, until ctx ends, and answers to them handed up. While holds says no,
// somebody else does. A command is handed down once or, where a connection is lost
// in that moment, not at all: nobody answers then.
func (u *Uplink) HandDown(ctx context.Context, to *Bus, holds func() bool) error {
	up, err := nats.Connect("", nats.InProcessServer(u.srv), nats.Name("weir-commands"), nats.MaxReconnects(-1), warnings(u.log, "commands"))
	if err != nil {
		return fmt.Errorf("connect to the link for commands: %w", err)
	}
	defer up.Close()
	c := &courier{up: up, down: to.nc, inbox: nats.InboxPrefix + rand.Text() + ".", holds: holds}
	answers, err := c.down.Subscribe(c.inbox+"*", c.handUp)
	if err == nil {
		defer func() { _ = answers.Unsubscribe() }()
		_, err = up.Subscribe(schemas.CommandAll, c.handDown)
	}
	if err != nil {
		return fmt.Errorf("listen to commands of the tier above: %w", err)
	}
	<-ctx.Done()
	return nil
}

// mostAsked is how many commands may wait for an answer; one more forgets the oldest.
const mostAsked = 4096

// courier hands commands down and their answers up. Its two handlers run in
// goroutines of their connections.
type courier struct {
	up, down *nats.Conn
	inbox    string // prefix of reply subjects below; a command's number follows
	holds    func() bool

	mu    sync.Mutex
	asked [mostAsked]*nats.Msg // by number; nil: answered, or nobody wants to know
	n     uint64               // of the next
}

// handDown hands a command down.
func (c *courier) handDown(command *nats.Msg) {
	if !c.holds() {
		return
	}
	m := &nats.Msg{Subject: command.Subject, Header: command.Header, Data: command.Data}
	if command.Reply != "" {
		m.Reply = c.inbox + strconv.FormatUint(c.expect(command), 10)
	}
	_ = c.down.PublishMsg(m) // nobody answers one that is lost
}

// expect notes a command that wants an answer and numbers it.
func (c *courier) expect(command *nats.Msg) (n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, c.n = c.n, c.n+1
	c.asked[n%mostAsked] = command
	return n
}

// handUp hands the first answer to a command up.
func (c *courier) handUp(answer *nats.Msg) {
	if command := c.take(strings.TrimPrefix(answer.Subject, c.inbox)); command != nil && !nobody(answer) {
		_ = command.RespondMsg(&nats.Msg{Header: answer.Header, Data: answer.Data}) // as one that nobody answers
	}
}

// take is the command of a number, once; nil: it is answered, or forgotten.
func (c *courier) take(number string) (command *nats.Msg) {
	n, err := strconv.ParseUint(number, 10, 64)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || n >= c.n || c.n-n > mostAsked {
		return nil
	}
	command, c.asked[n%mostAsked] = c.asked[n%mostAsked], nil
	return command
}
