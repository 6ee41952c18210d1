package main

import (
	"context"
	"log/slog"

	"weir/services/ingest"
	"weir/services/internal/bus"
	"weir/services/internal/commands"
	"weir/services/internal/run"
	"weir/services/internal/users"
)

// people reads the file of users; nil: there is none, and anybody may come.
func (o *serverOptions) people(log *slog.Logger) (*users.Users, error) {
	if o.users == "" {
		return nil, nil
	}
	u, warnings, err := users.Load(o.users)
	for _, w := range warnings {
		log.Warn(w)
	}
	return u, err
}

// known are users as the server knows them; nil where anybody may come.
func known(u *users.Users) []bus.User {
	if u == nil {
		return nil
	}
	all := []bus.User{}
	for _, one := range u.List() {
		all = append(all, bus.User(one))
	}
	return all
}

// follow has the server let in whoever the file names from now on, and cut off
// whoever it names no more.
func follow(u *users.Users, server *bus.Embedded, log *slog.Logger) run.Func {
	return func(ctx context.Context) error {
		return u.Follow(ctx, func() {
			if err := server.SetUsers(known(u)); err != nil {
				log.Error("the NATS server's users stay as they were", "err", err)
			}
		}, log)
	}
}

// authenticator is who MQTT devices are shown to; nil: nobody looks.
func (p *plant) authenticator() ingest.Authenticator {
	if p.people == nil {
		return nil
	}
	return p.people
}

// desk keeps commands for devices of this process that are away.
func (p *plant) desk(log *slog.Logger) *commands.Desk {
	var c commands.Config
	if p.people != nil {
		c.Named = p.people.Names
	}
	return commands.New(c, commands.NewStream(p.bus, p.agents()[0].Name, log), log)
}
