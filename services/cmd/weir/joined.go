package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/datadir"
)

// This file is about a gateway that has no NATS server of its own but joins one
// that is there: --nats with a scheme is where it is, without one where to listen.

// joins reports whether the process joins a server.
func (o *serverOptions) joins() bool { return strings.Contains(o.nats.value, "://") }

// settleJoin takes back the defaults of flags that are for a server of its own, and
// refuses them where somebody has named them.
func (o *serverOptions) settleJoin(c *cobra.Command) error {
	if !o.joins() {
		return nil
	}
	for _, flag := range []string{"leaf", "users", "durability"} {
		if f := c.Flags().Lookup(flag); f != nil && f.Changed {
			return fmt.Errorf("--%s is for a server of its own: with --nats %s it is set there", flag, shownURL(o.nats.value))
		}
	}
	o.leaf.value = ""
	return nil
}

// checkJoin says what is wrong with the server to join.
func (o *serverOptions) checkJoin() error {
	if !o.joins() {
		return nil
	}
	if !isGateway(o.Role) {
		return fmt.Errorf("--nats %s: this command has a NATS server of its own, so name where to listen, as host:port; weir gateway and weir run join a server that is there", shownURL(o.nats.value))
	}
	return checkServer(o.nats.value, o.creds != "", o.tls.CA != "", o.insecure)
}

// checkServer says what is wrong with the URL of a server to connect to, and
// refuses to show a password to whoever listens on the way.
func checkServer(servers string, password, ca, insecure bool) error {
	for one := range strings.SplitSeq(servers, ",") {
		u, err := url.Parse(one)
		if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			return fmt.Errorf("--nats %s: use a URL like nats://host:4222 or tls://host:4222", shownURL(one))
		}
		if u.User != nil {
			return fmt.Errorf("--nats %s: passwords belong into the file of --creds, not into a command line", u.Redacted())
		}
		a := address{value: u.Host}
		if u.Port() == "" {
			a.value += ":4222"
		}
		if password && u.Scheme == "nats" && !ca && !insecure && !a.loopback() {
			return fmt.Errorf("--nats %s: the password of --creds would travel in the clear: use tls://%s, name --tls-ca, or --insecure on a network that you trust", one, u.Host)
		}
	}
	return nil
}

// shownURL is a URL without the password that somebody may have put into it.
func shownURL(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	return "URL"
}

// serverLogin is how to reach a server that is there.
func serverLogin(servers, creds, name string, tls bus.TLS) (bus.DialConfig, error) {
	c := bus.DialConfig{URL: servers, Prefix: schemas.DefaultPrefix, Name: name}
	if tls != (bus.TLS{}) {
		c.TLS = &tls
	}
	if creds == "" {
		return c, nil
	}
	if strings.HasSuffix(creds, ".creds") { // of the nats tools: a JWT and a seed
		c.Creds = creds
		return c, nil
	}
	who, err := datadir.ReadOperator(creds)
	if err != nil {
		return c, fmt.Errorf("--creds: %w", err)
	}
	c.User, c.Password = who.User, who.Password
	return c, nil
}

// join connects to the server, and links to the tier above where there is one.
func (in *instance) join(ctx context.Context) error {
	c, err := serverLogin(in.nats.value, in.creds, "weir-"+in.Name+"-"+in.member, in.tls)
	if err != nil {
		return err
	}
	c.Log = in.log
	if c.TLS != nil {
		c.TLS.Log = in.log
	}
	if in.bus, err = bus.DialWith(ctx, c); err != nil {
		return exitWith(exitUnreachable, err)
	}
	if in.upstream == "" {
		return nil
	}
	up, err := in.link()
	if err == nil {
		in.uplink, err = bus.DialUp(in.Name+"-"+in.member, up, in.log)
	}
	if c.User != bus.UserService {
		in.down = in.uplink
	}
	return err
}

// sender is a way to the tier above.
func (in *instance) sender(ctx context.Context) (up *bus.Sender, err error) {
	err = bus.Await(ctx, in.log, func() error {
		switch {
		case in.server != nil:
			up, err = in.server.Sender(in.Name)
		case in.uplink != nil:
			up, err = in.uplink.Sender(in.Name)
		default:
			err = errors.New("there is no link to a tier above")
		}
		return err
	})
	return up, err
}

// healthy says what is wrong with the server, or with the connection to it.
func (in *instance) healthy() error {
	if in.server != nil {
		return in.guard.healthy()
	}
	return in.bus.Connected()
}

// disconnect ends the links and the server, or the connection to it.
func (in *instance) disconnect() {
	if in.uplink != nil {
		in.uplink.Close()
	}
	switch {
	case in.server != nil:
		in.server.Stop()
	case in.bus != nil:
		in.bus.Close()
	}
}
