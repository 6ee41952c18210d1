package bus

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

func TestUpstreamAddresses(t *testing.T) {
	f := func(u Upstream, secure bool, want ...string) {
		t.Helper()
		var o server.Options
		if err := u.set(&o); err != nil {
			t.Errorf("%+v: %v", u, err)
			return
		}
		r := o.LeafNode.Remotes[0]
		var got []string
		for _, to := range r.URLs {
			got = append(got, to.String())
		}
		if strings.Join(got, " ") != strings.Join(want, " ") || r.TLS != secure || (r.TLSConfig != nil) != secure {
			t.Errorf("%+v: links to %q, TLS %v", u, got, r.TLS)
		}
	}
	p := newPKI(t)
	f(Upstream{URL: "nats-leaf://h:1"}, false, "nats-leaf://h:1")
	f(Upstream{URL: "nats://h"}, false, "nats://h:7422")
	f(Upstream{URL: "tls://h:1/"}, true, "tls://h:1")
	f(Upstream{URL: "nats-leaf://[::1]:1, nats://h:2"}, false, "nats-leaf://[::1]:1", "nats://h:2")
	f(Upstream{URL: "tls://h:1,tls://h:2"}, true, "tls://h:1", "tls://h:2")
	f(Upstream{URL: "nats-leaf://h:1", CA: p.ca}, true, "nats-leaf://h:1")
	f(Upstream{URL: "nats-leaf://h:1,nats-leaf://i:1", User: "u", Password: "p:@"}, false, "nats-leaf://u:p%3A%40@h:1", "nats-leaf://u:p%3A%40@i:1")
}

func TestBadUpstreams(t *testing.T) {
	f := func(u Upstream, want string) {
		t.Helper()
		err := u.set(&server.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "upstream") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v, want %s", u, err, want)
		}
	}
	f(Upstream{}, "scheme")
	f(Upstream{URL: "host:7422"}, "nats-leaf://host:port")
	f(Upstream{URL: "10.0.0.1:7422"}, "nats-leaf://host:port")
	f(Upstream{URL: "http://h:1"}, `scheme "http"`)
	f(Upstream{URL: "nats-leaf://"}, "no host")
	f(Upstream{URL: "nats-leaf://h:x"}, "port")
	f(Upstream{URL: "nats-leaf://h:70000"}, "port")
	f(Upstream{URL: "nats-leaf://h:0"}, "port")
	f(Upstream{URL: "nats-leaf://h:1,"}, "scheme")
	f(Upstream{URL: "nats-leaf://h:1/x"}, "more than host and port")
	f(Upstream{URL: "nats-leaf://h:1?x=y"}, "more than host and port")
	f(Upstream{URL: "nats-leaf://u:secret@h:1"}, "login")
	f(Upstream{URL: "nats-leaf://u:secret@h:x"}, "port")
	f(Upstream{URL: "tls://h:1,nats-leaf://h:2"}, "all or none")
	f(Upstream{URL: "nats-leaf://h:1", Password: "secret"}, "without a user")
	f(Upstream{URL: "nats-leaf://h:1", Creds: "/none/x.creds"}, "/none/x.creds")
	f(Upstream{URL: "nats-leaf://h:1", CA: "/none/ca.pem"}, "/none/ca.pem")
	f(Upstream{URL: "tls://h:1", Cert: "/none/c.pem", Key: "/none/k.pem"}, "/none/c.pem")
}

func TestBadServers(t *testing.T) {
	f := func(c Config, want string) {
		t.Helper()
		c.Dir, c.Log = t.TempDir(), quietLog
		if e, err := Embed(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", c, err, want)
			if err == nil {
				e.Stop()
			}
		}
	}
	f(Config{Leaf: "127.0.0.1"}, `leaf address "127.0.0.1"`)
	f(Config{Leaf: "127.0.0.1:x"}, `"x" is no number`)
	f(Config{Durability: "slow"}, `"slow"`)
	f(Config{Upstream: &Upstream{URL: "x"}}, "upstream")
	f(Config{TLS: &TLS{Cert: "/none/c.pem"}}, "/none/c.pem")
	f(Config{Name: "a b"}, "")
	e := embed(t, Config{Leaf: "127.0.0.1:0"})
	f(Config{Leaf: e.LeafAddr()}, "in use")
}

// TestDurability: both classes keep what was acknowledged; that the safe one
// syncs is the server's business.
func TestDurability(t *testing.T) {
	for _, d := range []Durability{"", Fast, Durable} {
		o, err := options(Config{Durability: d}, nil)
		if err != nil || o.SyncAlways != (d == Durable) || o.SyncInterval != fastSync {
			t.Errorf("%q: sync always %v, every %v, %v", d, o.SyncAlways, o.SyncInterval, err)
		}
	}
	e := embed(t, Config{Durability: Durable})
	fill(t, e.Bus, "s.a")
	if j, err := e.life.Load().srv.Jsz(nil); err != nil || !j.Config.SyncAlways {
		t.Errorf("the server does not sync always: %v", err)
	}
}
