package bus

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"weir/schemas"
)

// linkAccount is the account of links from below. Nothing else is in it, so that
// a link meets neither JetStream nor anybody's subjects: only what comes up is
// passed on to the services' account, and commands come down. Answers go back
// the way the question or command came, never to a subject that a link names, so
// that it cannot have them stored as something else.
const linkAccount = "LINKS"

// openLinks makes the account and lets links in.
func (l *life) openLinks() error {
	defer l.gate.open()
	if l.opts.LeafNode.Port == 0 {
		return nil
	}
	links, err := l.srv.RegisterAccount(linkAccount)
	if err == nil {
		err = passOn(l.srv.GlobalAccount(), links)
	}
	if err != nil {
		return fmt.Errorf("make account %s for links: %w", linkAccount, err)
	}
	l.gate.links, l.gate.there = links, l.linked
	return nil
}

// passOn lets the links ask what comes up, and be asked what comes down.
func passOn(services, links *server.Account) error {
	for _, s := range upAll() {
		if err := pass(links, services, s); err != nil {
			return err
		}
	}
	return pass(services, links, schemas.CommandAll)
}

// pass has messages and questions on a subject of one account reach another, and
// the answers go back.
func pass(from, to *server.Account, subject string) error {
	err := to.AddServiceExport(subject, []*server.Account{from})
	if err == nil {
		err = from.AddServiceImport(to, subject, subject)
	}
	if err != nil {
		return fmt.Errorf("pass %s from account %s to %s: %w", subject, from.Name, to.Name, err)
	}
	return nil
}

// LinkInfo is a link from below.
type LinkInfo struct {
	Name  string        // of the agent or region; without credentials, of its server
	Addr  string        // where it comes from
	Since int64         // when it came, Unix ns
	RTT   time.Duration // as last measured
}

// Links are the links from below, by name.
func (e *Embedded) Links() []LinkInfo {
	now := e.life.Load()
	all := now.leafs(linkAccount)
	list := make([]LinkInfo, 0, len(all))
	for _, l := range all {
		j := now.gate.joined.get(l.ID)
		name := j.name
		if name == "" {
			name = l.Name
		}
		rtt, _ := time.ParseDuration(l.RTT)
		list = append(list, LinkInfo{
			Name: name, Addr: net.JoinHostPort(l.IP, strconv.Itoa(l.Port)), Since: j.at.UnixNano(), RTT: rtt,
		})
	}
	slices.SortFunc(list, func(a, b LinkInfo) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// linked are the connections of the links from below.
func (l *life) linked() map[uint64]bool {
	there := map[uint64]bool{}
	for _, leaf := range l.leafs(linkAccount) {
		there[leaf.ID] = true
	}
	return there
}

// leafs are the server's leaf links of one account.
func (l *life) leafs(account string) []*server.LeafInfo {
	z, err := l.srv.Leafz(&server.LeafzOptions{Account: account})
	if err != nil {
		return nil // it never fails
	}
	return z.Leafs
}
