package bus

import (
	"crypto/subtle"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// gate decides who may connect to an embedded server and what for. It looks at
// what connects, a client or a link, before it looks at the password: the
// server's own tables would let a link in as the anonymous client, and give a
// link without a login no limits at all.
type gate struct {
	*door
	opened   chan struct{} // closed when links can be let in
	openOnce sync.Once
	links    *server.Account        // theirs; nil: none can be let in. Set before opened is closed
	there    func() map[uint64]bool // the links that there are. Set before opened is closed
	joined   joined
}

// door is what gates know that outlives a server: who may come.
type door struct {
	service, operator string // passwords; operator empty: there is none
	roster            atomic.Pointer[roster]
	passwords         *passwords
}

func newDoor(cfg Config, service string) (*door, error) {
	r, err := newRoster(cfg.Users)
	if err != nil {
		return nil, err
	}
	d := &door{service: service, operator: cfg.OperatorPassword, passwords: newPasswords()}
	d.roster.Store(r)
	return d, nil
}

// gate makes the gate of one server.
func (d *door) gate() *gate { return &gate{door: d, opened: make(chan struct{})} }

// open lets links in from now on, if their account is there.
func (g *gate) open() { g.openOnce.Do(func() { close(g.opened) }) }

// Check is called by the server for everybody who connects.
func (g *gate) Check(c server.ClientAuthentication) bool {
	o := c.GetOpts()
	l := login{o.Username, o.Password + o.Token}
	var u *server.User
	switch c.Kind() {
	case server.CLIENT:
		u = g.client(l)
	case server.LEAF:
		u = g.leaf(c.GetID(), l, o.Name)
	}
	if u != nil {
		c.RegisterUser(u)
	}
	return u != nil
}

// leaf lets a link in, in the account of links, when there is one.
func (g *gate) leaf(id uint64, l login, from string) *server.User {
	<-g.opened
	r := g.roster.Load()
	u, name := g.link(r, l, from)
	if u == nil || g.links == nil {
		return nil
	}
	u.Account = g.links
	if now := time.Now(); g.joined.add(id, l.user, name, now) {
		g.joined.keep(g.there(), now)
	}
	if g.roster.Load().users[l.user] != r.users[l.user] {
		return nil // replaced while the password was looked at
	}
	return u
}

// login is what somebody says to be let in.
type login struct{ user, password string }

// client is what a client may do; nil: it may not connect.
func (g *gate) client(l login) *server.User {
	r := g.roster.Load()
	switch {
	case l == login{} && r.open():
		return &server.User{Username: userAnon, Permissions: anonymous()}
	case l.user == UserService && equal(l.password, g.service),
		l.user == UserOperator && equal(l.password, g.operator):
		return &server.User{Username: l.user}
	}
	if u, ok := r.users[l.user]; ok && u.Link == "" && g.passwords.match(u.Hash, l.password) {
		return &server.User{Username: u.Name, Permissions: u.permissions()}
	}
	return nil
}

// link is what a link from the server named from may do, and the name that it
// links as; nil: it may not come in. A server under the name of another's link
// would throw that one out.
func (g *gate) link(r *roster, l login, from string) (*server.User, string) {
	if r.open() {
		if l != (login{}) {
			return nil, ""
		}
		return &server.User{Username: userAnon, Permissions: anyLink()}, ""
	}
	u, ok := r.users[l.user]
	if !ok || u.Link == "" || r.links[from] && u.Link != from || !g.passwords.match(u.Hash, l.password) {
		return nil, ""
	}
	return &server.User{Username: u.Name, Permissions: u.permissions()}, u.Link
}

// equal compares random passwords. Nobody has the empty one.
func equal(got, want string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}
