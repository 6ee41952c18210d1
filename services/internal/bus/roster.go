package bus

import (
	"errors"
	"fmt"
	"math"

	"github.com/nats-io/nats-server/v2/server"
)

// roster is who may connect. It does not change; another one replaces it.
type roster struct {
	users map[string]User // nil: anyone may come, as an anonymous device or link
	links map[string]bool // names that users link as
}

func newRoster(users []User) (*roster, error) {
	if err := checkUsers(users); err != nil {
		return nil, err
	}
	if users == nil {
		return &roster{}, nil
	}
	r := &roster{users: map[string]User{}, links: map[string]bool{}}
	for _, u := range users {
		r.users[u.Name] = u
		if u.Link != "" {
			r.links[u.Link] = true
		}
	}
	return r, nil
}

// open reports whether anyone may come without a login.
func (r *roster) open() bool { return r.users == nil }

// changed are the names of users that are not in next as they were.
func (r *roster) changed(next *roster) (names []string) {
	for name, u := range r.users {
		if next.users[name] != u {
			names = append(names, name)
		}
	}
	return names
}

// SetUsers replaces the users of a server that was started with some. The
// connections and links of those who are gone or changed end at once.
func (e *Embedded) SetUsers(users []User) error {
	next, err := newRoster(users)
	if err != nil {
		return err
	}
	old := e.door.roster.Load()
	if old.open() || next.open() {
		return errors.New("replace users: a server is started with users or without; it does not change from one to the other")
	}
	e.door.roster.Store(next)
	e.door.passwords.forget(func(hash string) bool {
		for _, u := range next.users {
			if u.Hash == hash {
				return false
			}
		}
		return true
	})
	for _, name := range old.changed(next) {
		if err := e.disconnect(name); err != nil {
			return fmt.Errorf("end connections of user %q: %w", name, err)
		}
	}
	return nil
}

// disconnect ends the connections and links of a user.
func (e *Embedded) disconnect(user string) error {
	now := e.life.Load()
	z, err := now.srv.Connz(&server.ConnzOptions{User: user, Username: true, State: server.ConnOpen, Limit: math.MaxInt32})
	if err != nil {
		return err
	}
	ids := now.gate.joined.of(user)
	for _, c := range z.Conns {
		ids = append(ids, c.Cid)
	}
	for _, id := range ids {
		_ = now.srv.DisconnectClientByID(id) // one that has gone by itself is no error
	}
	return nil
}
