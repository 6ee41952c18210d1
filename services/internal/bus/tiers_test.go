package bus

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"weir/schemas"
)

// TestRegionLinks: a region links to the center as its user, with the producers
// of all its partitions, and asks its questions there.
func TestRegionLinks(t *testing.T) {
	c := embed(t, Config{
		Name: schemas.Center, Domain: schemas.Center, Leaf: "127.0.0.1:0",
		Users: []User{{Name: "region", Hash: hash(t, "pw"), Link: "r01", Region: schemas.Center}},
	})
	if err := c.Ensure(t.Context(), schemas.CenterTier(testSizes)); err != nil {
		t.Fatal(err)
	}
	up := upstream(c)
	up.User, up.Password = "region", "pw"
	r := region(t, Config{Upstream: &up})
	s, err := r.Sender("r01")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	entry := func(producer string) error {
		return send(t, s, schemas.Inbox(schemas.Center, 0, producer, schemas.LaneLive), "x")
	}
	await(t, "the center", 10*time.Second, func() bool { return entry(schemas.Producer("r01", 0)) == nil })
	for p := range schemas.Partitions {
		if err := entry(schemas.Producer("r01", p)); err != nil {
			t.Error(err)
		}
	}
	if err := entry(schemas.Producer("r02", 0)); !isNone(err) {
		t.Errorf("r01 sends as r02: %v", err)
	}
	if n := messages(t, c.Bus, schemas.StreamCenterInbox); n < schemas.Partitions {
		t.Errorf("%d entries at the center", n)
	}
	if l := c.Links(); len(l) != 1 || l[0].Name != "r01" {
		t.Errorf("links %+v", l)
	}
	answered(t, c.Bus, s, schemas.LinkPartition(schemas.Center, 0), schemas.Link(schemas.Center, 0, schemas.Producer("r01", 3)))
	answered(t, c.Bus, s, schemas.DesiredAll(schemas.Center), schemas.Desired(schemas.Center, "r01"))
}

// answered lets b answer on a pattern and s ask on a subject.
func answered(t *testing.T, b *Bus, s *Sender, pattern, subject string) {
	t.Helper()
	stop, err := b.Answer(t.Context(), pattern, quietLog, func(_ context.Context, q []byte) (any, error) { return string(q) + "!", nil })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	await(t, "an answer on "+subject, 10*time.Second, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), askTimeout)
		defer cancel()
		a, err := s.Ask(ctx, subject, []byte("who"))
		if err == nil && string(a) != `"who!"` {
			t.Fatalf("answer %s", a)
		}
		return err == nil
	})
}

// TestManyLinks: links that come and go by the hundred are all let in.
func TestManyLinks(t *testing.T) {
	r := region(t, Config{})
	for i := range 150 {
		l := rogueLeaf(t, r.LeafAddr(), map[string]any{"name": fmt.Sprintf("a%d", i)})
		if !l.ok {
			t.Fatalf("link %d is refused", i)
		}
		if i%2 == 0 {
			_ = l.conn.Close()
		}
	}
	await(t, "those that went are gone", 5*time.Second, func() bool { return len(r.Links()) == 75 })
	for _, l := range r.Links() {
		if time.Since(time.Unix(0, l.Since)) > time.Minute {
			t.Errorf("link %+v", l)
		}
	}
}

// TestExternalServer: the tier above is a NATS server of somebody else's, where
// links are in the services' account, and the gateway has dialed in.
func TestExternalServer(t *testing.T) {
	o := &server.Options{
		ServerName: "theirs", JetStreamDomain: "theirs", Host: "127.0.0.1", Port: server.RANDOM_PORT,
		JetStream: true, StoreDir: t.TempDir(), NoSigs: true, DisableJetStreamBanner: true, NoLog: true,
		MaxPayload: maxPayload,
	}
	o.LeafNode.Host, o.LeafNode.Port = "127.0.0.1", server.RANDOM_PORT
	theirs, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	theirs.Start()
	t.Cleanup(func() {
		theirs.Shutdown()
		theirs.WaitForShutdown()
	})
	if !theirs.ReadyForConnections(busy * 10 * time.Second) {
		t.Fatal("not ready")
	}
	gateway, err := Dial(t.Context(), "nats://"+theirs.Addr().String(), "", "", "T_")
	if err != nil {
		t.Fatal(err)
	}
	defer gateway.Close()
	if err := gateway.Ensure(t.Context(), schemas.Region(testSizes, "r01")); err != nil {
		t.Fatal(err)
	}
	to := url.URL{Scheme: "nats-leaf", Host: fmt.Sprintf("127.0.0.1:%d", o.LeafNode.Port)}
	a := agent(t, "a1", Upstream{URL: to.String()})
	s := sender(t, a, "a1")
	fill(t, a.Bus, schemas.Journal("a1"), schemas.State("a1"), schemas.AgentOutbox("a1", schemas.KindCommit))
	if err := send(t, s, inbox("a1"), "x"); err != nil {
		t.Fatal(err)
	}
	answered(t, gateway, s, schemas.LinkPartition("r01", schemas.Partition("a1")), schemas.Link("r01", schemas.Partition("a1"), "a1"))
	if n := messages(t, gateway, schemas.StreamCheckpoint); n != 0 {
		t.Errorf("%d checkpoints of the agent are at the region too", n)
	}
	up, err := gateway.Sender("r01")
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	if err := send(t, up, inbox("a2"), "x"); err != nil {
		t.Errorf("a sender over the dialed server: %v", err)
	}
}
