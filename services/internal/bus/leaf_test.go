package bus

import (
	"cmp"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"weir/schemas"
)

// hash is the bcrypt of a password, as cheap as can be.
func hash(t testing.TB, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

var testSizes = schemas.Sizes{
	Journal: 1 << 20, AgentOutbox: 1 << 20, Checkpoint: 1 << 20, Parked: 1 << 20,
	RegionOutbox: 1 << 20, CenterOutbox: 1 << 20, Inbox: 16 << 20,
}

// region starts a region's server that takes links.
func region(t testing.TB, cfg Config) *Embedded {
	t.Helper()
	cfg.Name, cfg.Domain, cfg.Leaf = "r01", "r01", cmp.Or(cfg.Leaf, "127.0.0.1:0")
	e := embed(t, cfg)
	if err := e.Ensure(t.Context(), schemas.Region(testSizes, "r01")); err != nil {
		t.Fatal(err)
	}
	return e
}

// agent starts an agent's server that links to where up says.
func agent(t testing.TB, name string, up Upstream) *Embedded {
	t.Helper()
	e := embed(t, Config{Name: name, Domain: name, Upstream: &up})
	if err := e.Ensure(t.Context(), schemas.Edge(testSizes)); err != nil {
		t.Fatal(err)
	}
	return e
}

// upstream is the plain way to a server.
func upstream(e *Embedded) Upstream { return Upstream{URL: "nats-leaf://" + e.LeafAddr()} }

// busy is how many times longer things may take on a machine that runs other tests
// at the same time. What waits ends as soon as it can.
const busy = 8

// await waits until something is so, which takes up to within.
func await(t testing.TB, what string, within time.Duration, so func() bool) {
	t.Helper()
	within *= busy
	for until := time.Now().Add(within); !so(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s: not within %v", what, within)
		}
	}
}

// inbox is where an agent's entries go.
func inbox(name string) string {
	return schemas.Inbox("r01", schemas.Partition(name), name, schemas.LaneLive)
}

// sender makes a sender of an agent that reaches its region.
func sender(t testing.TB, e *Embedded, name string) *Sender {
	t.Helper()
	s, err := e.Sender(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	await(t, name+" reaches its region", 10*time.Second, func() bool { return send(t, s, inbox(name), "hello") == nil })
	return s
}

// send sends a message and waits for what comes of it.
func send(t testing.TB, s *Sender, subject, data string) error {
	t.Helper()
	done := make(chan error, 1)
	if err := s.Send(t.Context(), subject, []byte(data), func(err error) { done <- err }); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-time.After(3 * sendSilence):
		t.Fatal("done was not called")
		return nil
	}
}

// messages is how many messages a stream holds.
func messages(t testing.TB, b *Bus, stream string) uint64 {
	t.Helper()
	u, err := b.Usage(t.Context(), stream, "")
	if err != nil {
		t.Fatal(err)
	}
	return u.Messages
}

// TestLink: a server with a domain of its own links to another one. Each works on
// its own streams, also on those that are named and fed alike, and what is sent
// up is stored above only.
func TestLink(t *testing.T) {
	r := region(t, Config{})
	a := agent(t, "a1", upstream(r))
	s := sender(t, a, "a1")
	if !a.LinkUp() || r.LinkUp() {
		t.Errorf("link up: agent %v, region %v", a.LinkUp(), r.LinkUp())
	}
	fill(t, a.Bus, "s.a", "s.b", "weir.outbox.a1.commit")
	fill(t, r.Bus, "s.c")
	if n, m := messages(t, a.Bus, "S"), messages(t, r.Bus, "S"); n != 2 || m != 1 {
		t.Errorf("%d messages in the agent's stream, %d in the region's of the same name", n, m)
	}
	if got := sequences(t, a.Bus, 0); len(got) != 2 {
		t.Errorf("the agent reads %v", got)
	}
	before := messages(t, r.Bus, schemas.StreamRegionInbox)
	if err := send(t, s, inbox("a1"), "x"); err != nil {
		t.Error(err)
	}
	if n := messages(t, r.Bus, schemas.StreamRegionInbox); n != before+1 {
		t.Errorf("%d messages in the inbox after one more than %d", n, before)
	}
	if n := messages(t, r.Bus, schemas.StreamRegionOutbox); n != 0 {
		t.Errorf("%d messages in the region's outbox", n)
	}
	k, err := a.Bucket(t.Context(), "POLICY", 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Put(t.Context(), "x", nil); err != nil {
		t.Error(err)
	}
	if _, err := r.Usage(t.Context(), "KV_T_POLICY", ""); err == nil {
		t.Error("the agent's bucket is at the region")
	}
}

// TestLinks: the region knows who is linked, and forgets who is not.
func TestLinks(t *testing.T) {
	r := region(t, Config{})
	began := time.Now().UnixNano()
	if l := r.Links(); len(l) != 0 {
		t.Errorf("links %+v before any", l)
	}
	b := agent(t, "b", upstream(r))
	agent(t, "a", upstream(r))
	await(t, "two links", 10*time.Second, func() bool { return len(r.Links()) == 2 })
	l := r.Links()
	if l[0].Name != "a" || l[1].Name != "b" || l[1].Since > l[0].Since || l[1].Since < began || l[0].Addr == "" {
		t.Errorf("links %+v, begun at %d", l, began)
	}
	b.Stop()
	await(t, "one link", 10*time.Second, func() bool { return len(r.Links()) == 1 })
	if l := r.Links(); l[0].Name != "a" {
		t.Errorf("links %+v", l)
	}
}

// TestOffline: a server starts and works while its upstream cannot be reached.
func TestOffline(t *testing.T) {
	began := time.Now()
	a := agent(t, "a1", Upstream{URL: "nats-leaf://127.0.0.1:9"})
	if d := time.Since(began); d > busy*5*time.Second {
		t.Errorf("it took %v to start", d)
	}
	if a.LinkUp() {
		t.Error("there is a link to nowhere")
	}
	fill(t, a.Bus, "s.a")
	s, err := a.Sender("a1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := send(t, s, inbox("a1"), "x"); !isNone(err) {
		t.Errorf("sent to nowhere: %v", err)
	}
}

// TestCommandsComeDown: a command given at the center reaches a device at an
// agent below the center's region.
func TestCommandsComeDown(t *testing.T) {
	c := embed(t, Config{Name: "center", Domain: "center", Leaf: "127.0.0.1:0"})
	up := upstream(c)
	r := region(t, Config{Upstream: &up})
	a := embed(t, Config{Name: "a1", Domain: "a1", Listen: "127.0.0.1:0", Upstream: &Upstream{URL: "nats-leaf://" + r.LeafAddr()}})
	device, _ := anon(t, a)
	sub, err := device.SubscribeSync("cmd.t.d")
	if err != nil {
		t.Fatal(err)
	}
	if err := device.Flush(); err != nil {
		t.Fatal(err)
	}
	var got string
	await(t, "the command", 10*time.Second, func() bool {
		if err := c.Publish("cmd.t.d", []byte("on")); err != nil {
			t.Fatal(err)
		}
		m, err := sub.NextMsg(50 * time.Millisecond)
		if err == nil {
			got = string(m.Data)
		}
		return err == nil
	})
	if got != "on" {
		t.Errorf("heard %q", got)
	}
}
