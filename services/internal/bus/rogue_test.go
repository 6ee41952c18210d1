package bus

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"weir/schemas"
)

// rogue is a leaf that keeps to nothing that it is told: it speaks the protocol by
// hand, because a real server asks itself first whether it may.
type rogue struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	ok   bool // it was let in
}

// rogueLeaf connects with what it says about itself.
func rogueLeaf(t *testing.T, addr string, connect map[string]any) *rogue {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r := &rogue{t: t, conn: conn, in: bufio.NewReader(conn)}
	hello, err := json.Marshal(connect)
	if err != nil {
		t.Fatal(err)
	}
	r.ok = !r.refused("CONNECT " + string(hello))
	return r
}

// refused says something and reports whether the server has hung up over it.
func (r *rogue) refused(line string) bool {
	r.t.Helper()
	if _, err := fmt.Fprintf(r.conn, "%s\r\nPING\r\n", line); err != nil {
		return true
	}
	_, ok := r.until("PONG")
	return !ok
}

// until reads up to a line that begins so; ok is false if the server hangs up.
func (r *rogue) until(prefixes ...string) (line string, ok bool) {
	r.t.Helper()
	if err := r.conn.SetReadDeadline(time.Now().Add(busy * 10 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	for {
		line, err := r.in.ReadString('\n')
		switch {
		case err != nil && strings.Contains(err.Error(), "timeout"):
			r.t.Fatalf("waited for %q: %v", prefixes, err)
		case err != nil || strings.HasPrefix(line, "-ERR"):
			return line, false
		case slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(line, prefix) }):
			return line, true
		}
	}
}

// publish reports whether the server takes a message.
func (r *rogue) publish(subject, reply, data string) bool {
	r.t.Helper()
	return !r.refused(leafMessage(subject, reply, data))
}

func leafMessage(subject, reply, data string) string {
	return strings.Join(strings.Fields(fmt.Sprintf("LMSG %s %s %d", subject, reply, len(data))), " ") + "\r\n" + data
}

// subscribe reports whether the server takes a subscription.
func (r *rogue) subscribe(subject string) bool {
	r.t.Helper()
	return !r.refused("LS+ " + subject)
}

// hears reports whether what is published on a subject comes to the rogue before
// a command does that it may hear.
func (r *rogue) hears(e *Embedded, subject string) bool {
	r.t.Helper()
	if !r.subscribe("cmd.>") {
		r.t.Fatal("it may not hear commands")
	}
	for _, s := range []string{subject, "cmd.t.d"} {
		if err := e.Publish(s, []byte("x")); err != nil {
			r.t.Fatal(err)
		}
	}
	heard, _ := r.command()
	return heard != "cmd.t.d"
}

// command waits for the next message with a header, as commands are, or for one
// without.
func (r *rogue) command() (subject, reply string) {
	r.t.Helper()
	line, ok := r.until("LMSG ", "HMSG ")
	if !ok {
		r.t.Fatal("the server hung up")
	}
	fields := strings.Fields(line)
	return fields[1], fields[2]
}

// linkUsers are agents a1 and a2 of region r01, and a device.
func linkUsers(t *testing.T) []User {
	return []User{
		{Name: "link-a1", Hash: hash(t, "pw1"), Link: "a1", Region: "r01"},
		{Name: "link-a2", Hash: hash(t, "pw2"), Link: "a2", Region: "r01"},
		{Name: "dev", Hash: hash(t, "pwd"), Tenant: "t", Device: "d"},
	}
}

func TestWhoMayLink(t *testing.T) {
	f := func(what string, r *Embedded, user, password string, want bool) {
		t.Helper()
		connect := map[string]any{"name": "x", "domain": "x"}
		if user != "" {
			connect["user"], connect["pass"] = user, password
		}
		if got := rogueLeaf(t, r.LeafAddr(), connect).ok; got != want {
			t.Errorf("%s links: %v", what, got)
		}
	}
	r := region(t, Config{Users: linkUsers(t)})
	f("who has a link's password", r, "link-a1", "pw1", true)
	f("nobody", r, "", "", false) // not as the anonymous client
	f("a wrong password", r, "link-a1", "pw2", false)
	f("an empty password", r, "link-a1", "", false)
	f("an unknown user", r, "link-a9", "pw1", false)
	f("a device", r, "dev", "pwd", false)
	f("the operator", r, UserOperator, "secret", false)
	f("a service", r, UserService, "", false)
	f("the anonymous", r, userAnon, "", false)

	if rogueLeaf(t, r.LeafAddr(), map[string]any{"name": "a2", "user": "link-a1", "pass": "pw1"}).ok {
		t.Error("a1 comes under the name of a2, and would throw it out")
	}
	if !rogueLeaf(t, r.LeafAddr(), map[string]any{"name": "a1", "user": "link-a1", "pass": "pw1"}).ok {
		t.Error("a1 may not come under its own name")
	}

	open := region(t, Config{})
	f("nobody where there are no users", open, "", "", true)
	f("somebody where there are no users", open, "link-a1", "pw1", false)
	f("the operator where there are no users", open, UserOperator, "secret", false)
	f("the anonymous by name", open, userAnon, "", false)
}

// TestWrongDoor: what is no link is not let in there, and links are
// not let in where devices are.
func TestWrongDoor(t *testing.T) {
	r := region(t, Config{Listen: "127.0.0.1:0"})
	if nc, err := nats.Connect("nats://"+r.LeafAddr(), nats.Timeout(2*time.Second)); err == nil {
		nc.Close()
		t.Error("a client comes in by the links' door")
	}
	l := rogueLeaf(t, r.Addr(), map[string]any{"name": "x"})
	if l.ok && l.subscribe("cmd.>") {
		t.Error("a link comes in by the devices' door")
	}
}

// asLink connects as a1 where there are users, else without a login.
func asLink(t *testing.T, e *Embedded, extra ...string) *rogue {
	t.Helper()
	connect := map[string]any{"name": "x", "domain": "x", "headers": true}
	if e.cfg.Users != nil {
		connect["user"], connect["pass"] = "link-a1", "pw1"
	}
	for _, flag := range extra {
		connect[flag] = true
	}
	l := rogueLeaf(t, e.LeafAddr(), connect)
	if !l.ok {
		t.Fatal("the link was refused")
	}
	return l
}

// TestLinkMayPublish: what of a link that keeps to nothing comes to the services,
// also where it says that it is the hub, which makes the server take it for a
// tier above.
func TestLinkMayPublish(t *testing.T) {
	users, open := region(t, Config{Users: linkUsers(t)}), region(t, Config{})
	p1, p2 := schemas.Partition("a1"), schemas.Partition("a2")
	for _, e := range []*Embedded{users, open} {
		heard, err := e.nc.SubscribeSync(">")
		if err != nil {
			t.Fatal(err)
		}
		reaches := func(subject string, extra ...string) bool {
			t.Helper()
			asLink(t, e, extra...).publish(subject, "", "rogue")
			if err := e.nc.Flush(); err != nil {
				t.Fatal(err)
			}
			for {
				m, err := heard.NextMsg(time.Millisecond)
				if err != nil || string(m.Data) == "rogue" {
					return err == nil
				}
			}
		}
		f := func(subject string, asA1, asAnyone bool) {
			t.Helper()
			want, who := asAnyone, "anyone's link"
			if e == users {
				want, who = asA1, "a1"
			}
			for _, extra := range [][]string{nil, {"is_hub"}} {
				if got := reaches(subject, extra...); got != want {
					t.Errorf("%s %v publishes %s: %v", who, extra, subject, got)
				}
			}
		}
		f("tel.t.d.metrics", false, false)
		f("cmd.t.d", false, false)
		f("weir.journal.a1", false, false)
		f("weir.state.a1", false, false)
		f("weir.outbox.r01.1.commit", false, false)
		f("weir.parked.a1.t", false, false)
		f("weir.ask.gateway.x", false, false)
		f("$JS.API.STREAM.PURGE.T_REGION_INBOX", false, false)
		f("$JS.r01.API.STREAM.PURGE.T_REGION_INBOX", false, false)
		f("$JS.ACK.T_REGION_INBOX.c.1.1.1.1.1", false, false)
		f("$KV.T_POLICY.default", false, false)
		f("$SYS.REQ.SERVER.PING", false, false)
		f("_INBOX.x", false, false)
		f(serviceInbox+".x", false, false)
		f("_R_.x.y", false, false)
		f("_UP.a1.x", false, false)
		f("_UP.a2.x", false, false)
		f("s.a", false, false)
		f("weir.>", false, false)
		f("weir.*.*", false, false)
		f(inbox("a1"), true, true)
		f(schemas.Link("r01", p1, "a1"), true, true)
		f(schemas.Desired("r01", "a1"), true, true)
		f(inbox("a2"), false, true)
		f(schemas.Link("r01", p2, "a2"), false, true)
		f(schemas.Desired("r01", "a2"), false, true)
		f(schemas.Inbox("r02", p1, "a1", schemas.LaneLive), false, true)
		f(schemas.Inbox("r01", (p1+1)%schemas.Partitions, "a1", schemas.LaneLive), false, true)
	}
}

// TestLinkMayHear: what comes to a link that keeps to nothing.
func TestLinkMayHear(t *testing.T) {
	users, open := region(t, Config{Users: linkUsers(t)}), region(t, Config{})
	for _, e := range []*Embedded{users, open} {
		for _, subscription := range []string{">", "*.*.*", "*.*.>", "weir.>", "$JS.>", "$KV.>", "tel.>", "_UP.>"} {
			l := asLink(t, e)
			if !l.subscribe(subscription) {
				continue
			}
			for _, subject := range []string{
				"weir.journal.a1", "weir.state.a1", "weir.outbox.r01.0.commit", "$JS.API.x.y", "$KV.T_POLICY.x",
				"tel.t.d.metrics", "_INBOX.x.y", serviceInbox + ".x.y", "_UP.a1.x", "s.a",
			} {
				if l.hears(e, subject) {
					t.Errorf("by %s a link hears %s of the services' account", subscription, subject)
				}
			}
		}
	}
	for _, subscription := range []string{"weir.journal.a1", "_UP.a2.x", "$JS.API.INFO", "tel.t.d.metrics", serviceInbox + ".x"} {
		if asLink(t, users).subscribe(subscription) {
			t.Errorf("a1 may subscribe to %s", subscription)
		}
	}
}

// TestLinksDoNotHearEachOther: what one agent sends up, and what it is answered,
// does not come to another.
func TestLinksDoNotHearEachOther(t *testing.T) {
	r := region(t, Config{Users: linkUsers(t)})
	l := asLink(t, r)
	for _, subscription := range []string{">", "_UP.>", "weir.>", "_UP.*.>", "weir.inbox.>", "_UP.> q 1", "weir.inbox.> q 1"} {
		l.subscribe(subscription)
	}
	up := upstream(r)
	up.User, up.Password = "link-a2", "pw2"
	s := sender(t, agent(t, "a2", up), "a2")
	if err := send(t, s, inbox("a2"), "secret"); err != nil {
		t.Fatal(err)
	}
	if l.hears(r, "weir.journal.a1") {
		t.Error("a1 has heard something before the command")
	}
}

// TestAnswersGoBackToTheLink: who may write into a stream names where the
// stream's answer goes. It must not name another stream, or the server itself.
func TestAnswersGoBackToTheLink(t *testing.T) {
	r := region(t, Config{Users: linkUsers(t)})
	l := rogueLeaf(t, r.LeafAddr(), map[string]any{"name": "a1", "user": "link-a1", "pass": "pw1"})
	for _, reply := range []string{
		"weir.state.a1", "weir.outbox.r01.0.commit", inbox("a2"), "$JS.API.STREAM.PURGE.T_REGION_INBOX",
		"$JS.API.STREAM.MSG.DELETE.T_REGION_INBOX", "$KV.T_POLICY.default", "_UP.a2.x",
	} {
		if !l.publish(inbox("a1"), reply, "evil") {
			t.Fatalf("an answer to %s: the server hung up", reply)
		}
	}
	if !l.subscribe("_UP.a1.>") {
		t.Fatal("a subscription to its own inbox: the server hung up")
	}
	if _, err := fmt.Fprintf(l.conn, "%s\r\n", leafMessage(inbox("a1"), "_UP.a1.x", "good")); err != nil { // no PING: the answer may come before its PONG
		t.Fatal(err)
	}
	if _, ok := l.until("LMSG _UP.a1.x "); !ok {
		t.Error("no answer came")
	}
	var subjects []string
	for _, stream := range []string{schemas.StreamRegionInbox, schemas.StreamRegionOutbox, schemas.StreamCheckpoint} {
		err := r.Read(t.Context(), stream, 0, true, func(m Message) error {
			subjects = append(subjects, m.Subject)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := slices.Repeat([]string{inbox("a1")}, 8); !slices.Equal(subjects, want) {
		t.Errorf("stored %q", subjects)
	}
}

// TestRogueUpstream: what comes down a link that no link carries is not stored.
func TestRogueUpstream(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	a := agent(t, "a1", Upstream{URL: "nats-leaf://" + listener.Addr().String()})
	var up *rogue
	await(t, "the link", 10*time.Second, func() bool { // an agent that was not greeted within a second has hung up
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		up = &rogue{t: t, conn: conn, in: bufio.NewReader(conn)}
		return !up.refused(`INFO {"server_id":"X","server_name":"x","version":"2.15.2","proto":1,"client_id":7,"headers":true,"max_payload":1048576,"leafnode_urls":["127.0.0.1:1"]}`)
	})
	await(t, "the agent knows of the link", 5*time.Second, a.LinkUp)
	before := messages(t, a.Bus, schemas.StreamJournal) + messages(t, a.Bus, schemas.StreamCheckpoint)
	for _, subject := range []string{"weir.journal.a1", "weir.state.a1", "weir.outbox.a1.commit", "$KV.T_POLICY.x", "tel.t.d.metrics"} {
		if !up.publish(subject, "", "x") {
			t.Errorf("the agent hung up over %s", subject)
		}
	}
	after := messages(t, a.Bus, schemas.StreamJournal) + messages(t, a.Bus, schemas.StreamCheckpoint)
	if n := messages(t, a.Bus, schemas.StreamAgentOutbox); before != after || n != 0 {
		t.Errorf("%d messages in journal and checkpoints, were %d; %d in the outbox", after, before, n)
	}
}
