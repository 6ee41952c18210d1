package bus

import (
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// freePorts are three on which nobody listens now.
func freePorts(t *testing.T) (ports [3]int) {
	t.Helper()
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // when all of them are found
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// cluster starts three servers of somebody else that are one, and returns where
// they are.
func cluster(t *testing.T) (urls string) {
	t.Helper()
	ports := freePorts(t)
	var routes []*url.URL
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprint("127.0.0.1:", port)})
	}
	var all []*server.Server
	for i := range ports {
		o := &server.Options{
			ServerName: fmt.Sprint("s", i), NoSigs: true, NoLog: true, Host: "127.0.0.1", Port: server.RANDOM_PORT, MaxPayload: maxPayload,
			JetStream: true, StoreDir: t.TempDir(), Routes: routes,
			Cluster: server.ClusterOpts{Name: "site", Host: "127.0.0.1", Port: ports[i]},
		}
		srv, err := server.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		go srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		all = append(all, srv)
	}
	for _, srv := range all {
		if !srv.ReadyForConnections(20 * time.Second) {
			t.Fatal("a server is not ready")
		}
		urls += "," + srv.ClientURL()
	}
	return urls[1:]
}

// TestCluster: streams and buckets on a cluster keep the replicas that somebody
// has given them.
func TestCluster(t *testing.T) {
	t.Parallel()
	b, err := DialWith(t.Context(), DialConfig{URL: cluster(t), Prefix: "T_"})
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
	if err := ensure(); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if n := b.replicas(t.Context(), name); n != 3 {
			t.Errorf("%s has %d replicas, wanted 3", name, n)
		}
	}
}
