package bus

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"weir/schemas"
)

// freePort is one on which nobody listens now, and that the system gives to nobody who
// asks for any: those begin at 32,768.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.IntN(10_000)
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// freeAddr is where somebody can listen, and again later.
func freeAddr(t testing.TB) string {
	t.Helper()
	return fmt.Sprint("127.0.0.1:", freePort(t))
}

// site is three servers of somebody else that are one.
type site struct {
	urls    string // where they are
	options []*server.Options
	servers []*server.Server // nil: it is stopped
}

// startCluster starts a site that ends with the test.
func startCluster(t *testing.T) *site {
	t.Helper()
	var routes, clients [3]int
	for i := range routes {
		routes[i], clients[i] = freePort(t), freePort(t)
	}
	c := new(site)
	var urls []string
	for i := range routes {
		o := &server.Options{
			ServerName: fmt.Sprint("s", i), NoSigs: true, NoLog: true, Host: "127.0.0.1", Port: clients[i], MaxPayload: maxPayload,
			JetStream: true, StoreDir: t.TempDir(), Cluster: server.ClusterOpts{Name: "site", Host: "127.0.0.1", Port: routes[i]},
		}
		for _, port := range routes {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprint("127.0.0.1:", port)})
		}
		c.options, c.servers = append(c.options, o), append(c.servers, nil)
		urls = append(urls, fmt.Sprint("nats://127.0.0.1:", clients[i]))
	}
	c.urls = strings.Join(urls, ",")
	t.Cleanup(func() {
		for _, o := range c.options {
			c.stop(t, o.ServerName)
		}
	})
	for _, o := range c.options {
		c.start(t, o.ServerName)
	}
	for _, srv := range c.servers {
		if !srv.ReadyForConnections(20 * busy * time.Second) {
			t.Fatal("a server is not ready")
		}
	}
	return c
}

// index is the place of a server.
func (c *site) index(name string) int {
	return slices.IndexFunc(c.options, func(o *server.Options) bool { return o.ServerName == name })
}

// start starts a server, again if it was stopped.
func (c *site) start(t *testing.T, name string) {
	t.Helper()
	i := c.index(name)
	srv, err := server.NewServer(c.options[i].Clone())
	if err != nil {
		t.Fatal(err)
	}
	c.servers[i] = srv
	go srv.Start()
}

// stop ends a server without a word to its clients.
func (c *site) stop(t *testing.T, name string) {
	t.Helper()
	if i := c.index(name); c.servers[i] != nil {
		c.servers[i].Shutdown()
		c.servers[i].WaitForShutdown()
		c.servers[i] = nil
	}
}

// replicate makes a stream and gives it three replicas, as an operator does.
func (c *site) replicate(t *testing.T, b *Bus, s schemas.Stream) {
	t.Helper()
	await(t, "the cluster makes a stream", 20*time.Second, func() bool { return b.Ensure(t.Context(), []schemas.Stream{s}) == nil })
	giveReplicas(t, b, b.prefix+s.Name)
	await(t, "its replicas are there", 60*time.Second, func() bool {
		i, err := b.js.Stream(t.Context(), b.prefix+s.Name)
		if err != nil || i.CachedInfo().Cluster == nil || len(i.CachedInfo().Cluster.Replicas) != 2 {
			return false
		}
		return !slices.ContainsFunc(i.CachedInfo().Cluster.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current })
	})
}

func giveReplicas(t *testing.T, b *Bus, name string) {
	t.Helper()
	s, err := b.js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.Replicas = 3
	if _, err := b.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// leaders are the servers that lead a stream and hold one of its consumers.
func (c *site) leaders(t *testing.T, b *Bus, stream string) (leader, consumer string) {
	t.Helper()
	await(t, "the stream has a leader and a consumer", 60*time.Second, func() bool {
		s, err := b.js.Stream(t.Context(), b.prefix+stream)
		if err != nil || s.CachedInfo().Cluster == nil {
			return false
		}
		leader = s.CachedInfo().Cluster.Leader
		consumers := s.ListConsumers(t.Context())
		for i := range consumers.Info() {
			if i.Cluster != nil {
				consumer = i.Cluster.Leader
			}
		}
		return leader != "" && consumer != ""
	})
	return leader, consumer
}

// TestCluster: streams and buckets on a cluster keep the replicas that somebody
// has given them.
func TestCluster(t *testing.T) {
	t.Parallel()
	b, err := DialWith(t.Context(), DialConfig{URL: startCluster(t).urls, Prefix: "T_"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ensure := func() error {
		err := b.Ensure(t.Context(), testStreams[:1])
		if err == nil {
			_, err = b.Bucket(t.Context(), "B", 1)
		}
		return err
	}
	await(t, "the cluster makes streams", 20*time.Second, func() bool { return ensure() == nil })
	names := []string{"T_" + testStreams[0].Name, "KV_T_B"}
	for _, name := range names {
		giveReplicas(t, b, name)
	}
	if err := ensure(); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if n, err := b.replicas(t.Context(), name); n != 3 || err != nil {
			t.Errorf("%s has %d replicas, %v; wanted 3", name, n, err)
		}
	}
}
