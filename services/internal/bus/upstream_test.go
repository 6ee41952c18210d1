package bus

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"weir/schemas"
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

// TestLinkTimes: the times of a link leave room for what they are for. A link that is
// refused is tried again within a second, so that backlog comes within two of a heal. A
// server that is paused is left for another of its region within half a minute: it
// takes the next call, too, and says nothing.
func TestLinkTimes(t *testing.T) {
	o, err := options(Config{Name: "a1", Upstream: &Upstream{URL: "nats-leaf://h:1,nats-leaf://i:1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	again := 2 * o.LeafNode.ReconnectInterval
	if again > time.Second {
		t.Errorf("a link that is refused is tried again after up to %v", again)
	}
	r := o.LeafNode.Remotes[0]
	noticed := time.Duration(o.MaxPingsOut+1) * o.PingInterval
	if left := noticed + again + r.DialTimeout + r.FirstInfoTimeout + again; noticed > 12*time.Second || left > 25*time.Second {
		t.Errorf("a server that is paused is noticed after up to %v and left after up to %v", noticed, left)
	}
}

// TestAskWithoutLink: where there is no link a question fails at once, and not as one
// that nobody above hears.
func TestAskWithoutLink(t *testing.T) {
	t.Parallel()
	e := embed(t, Config{Name: "a1", Domain: "a1", Upstream: &Upstream{URL: "nats-leaf://127.0.0.1:1"}})
	s, err := e.Sender("a1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.Ask(t.Context(), schemas.Link("r01", 0, "a1"), nil); !errors.Is(err, ErrLost) || errors.Is(err, ErrNone) {
		t.Errorf("asked without a link: %v", err)
	}
}
