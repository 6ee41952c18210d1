package bus

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// desk has an agent answer commands for one device and take note of all that it hears.
func desk(t *testing.T, a *Embedded, device string) (heard chan string) {
	t.Helper()
	heard = make(chan string, 100)
	_, err := a.Subscribe("cmd.>", 1<<20, func(r Request) {
		heard <- r.Subject + " " + string(r.Data)
		if r.Subject == "cmd.t."+device {
			if err := r.Reply([]byte("done by "+device), "Weir-Error", "none"); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return heard
}

// ask sends a command as an operator and waits up to a while for its answer.
func ask(nc *nats.Conn, subject, data string, within time.Duration) string {
	m, err := nc.Request(subject, []byte(data), within)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return "nobody"
	case err != nil:
		return "no answer"
	}
	return string(m.Data) + " " + m.Header.Get("Weir-Error")
}

// awaitAnswer wants a command to be answered as soon as the links stand.
func awaitAnswer(t *testing.T, nc *nats.Conn, subject, want string) {
	t.Helper()
	await(t, "an answer to "+subject, 10*time.Second, func() bool { return ask(nc, subject, "try", askTimeout) == want })
}

// operator connects as one.
func operator(t *testing.T, e *Embedded) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://"+e.Addr(), nats.UserInfo(UserOperator, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// once wants what was said last to come to each, and to come once.
func once(t *testing.T, say func(data string), desks ...chan string) {
	t.Helper()
	say("once")
	say("end")
	for _, heard := range desks {
		var n int
		for {
			select {
			case line := <-heard:
				if strings.HasSuffix(line, " once") {
					n++
				}
				if !strings.HasSuffix(line, " end") {
					continue
				}
			case <-time.After(busy * 10 * time.Second):
				t.Fatal("the last command does not come")
			}
			break
		}
		if n != 1 {
			t.Errorf("a command comes %d times", n)
		}
	}
}

// TestAnswersToCommands: a command of the center or the region reaches the desk of
// each agent once, and the answer of the one that knows the device comes back.
func TestAnswersToCommands(t *testing.T) {
	c := embed(t, Config{Name: "center", Domain: "center", Listen: "127.0.0.1:0", Leaf: "127.0.0.1:0"})
	up := upstream(c)
	r := region(t, Config{Upstream: &up, Listen: "127.0.0.1:0", Users: linkUsers(t)})
	atCenter, atRegion := operator(t, c), operator(t, r)
	if got := ask(atRegion, "cmd.t.d1", "on", busy*10*time.Second); got != "nobody" {
		t.Errorf("without agents: %s", got)
	}
	agentOf := func(name, password string) *Embedded {
		up := upstream(r)
		up.User, up.Password = "link-"+name, password
		return agent(t, name, up)
	}
	a1, a2 := agentOf("a1", "pw1"), agentOf("a2", "pw2")
	d1, d2 := desk(t, a1, "d1"), desk(t, a2, "d2")
	for _, nc := range []*nats.Conn{atRegion, atCenter} {
		awaitAnswer(t, nc, "cmd.t.d1", "done by d1 none")
		awaitAnswer(t, nc, "cmd.t.d2", "done by d2 none")
		once(t, func(data string) {
			if err := nc.Publish("cmd.t.d1", []byte(data)); err != nil {
				t.Fatal(err)
			}
		}, d1, d2)
	}
	once(t, func(data string) { // what is said at an agent stays there
		if err := a1.Publish("cmd.t.d1", []byte(data)); err != nil {
			t.Fatal(err)
		}
	}, d1)
	if err := errors.Join(atRegion.Publish("cmd.t.d2", []byte("after it")), atRegion.Flush()); err != nil {
		t.Fatal(err)
	}
	if line := <-d2; line != "cmd.t.d2 after it" {
		t.Errorf("the other agent hears %q", line)
	}
}

// TestAnswersOfARogue: a link hears no answers of another, and its own reach nobody who
// has not asked.
func TestAnswersOfARogue(t *testing.T) {
	r := region(t, Config{Users: linkUsers(t), Listen: "127.0.0.1:0"})
	l := asLink(t, r)
	for _, subscription := range []string{"_R_.>", "_R_.*.*", "_INBOX.>"} {
		l.subscribe(subscription)
	}
	up := upstream(r)
	up.User, up.Password = "link-a2", "pw2"
	desk(t, agent(t, "a2", up), "d2")
	nc := operator(t, r)
	awaitAnswer(t, nc, "cmd.t.d2", "done by d2 none")
	if l.hears(r, "weir.journal.a1") {
		t.Error("a1 has heard something before the command")
	}

	inbox := nats.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishRequest("cmd.t.d1", inbox, []byte("x")); err != nil {
		t.Fatal(err)
	}
	subject, reply := l.command()
	if subject != "cmd.t.d1" || !strings.HasPrefix(reply, "_R_.") {
		t.Fatalf("a1 hears %s, reply %s", subject, reply)
	}
	for _, to := range []string{reply[:len(reply)-1] + "?", reply, reply} {
		if !l.publish(to, "", "evil") {
			t.Fatalf("the server hung up over an answer to %s", to)
		}
	}
	asLink(t, r).publish(inbox, "", "evil")
	if m, err := sub.NextMsg(busy * 10 * time.Second); err != nil || string(m.Data) != "evil" {
		t.Errorf("the answer to a question: %v, %v", m, err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if n, _, _ := sub.Pending(); n != 0 {
		t.Errorf("%d answers too many", n)
	}
}

// stranger is a server of somebody else with a door for links.
func stranger(t *testing.T) (s *server.Server, links string) {
	t.Helper()
	o := &server.Options{
		ServerName: "site", NoSigs: true, NoLog: true, Host: "127.0.0.1", Port: server.RANDOM_PORT, MaxPayload: maxPayload,
		JetStream: true, StoreDir: t.TempDir(), LeafNode: server.LeafNodeOpts{Host: "127.0.0.1", Port: server.RANDOM_PORT},
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(busy * 10 * time.Second) {
		t.Fatal("the server does not start")
	}
	return s, fmt.Sprint("nats-leaf://127.0.0.1:", o.LeafNode.Port)
}

// TestHandDown: commands of the center reach an agent whose region is a server of
// somebody else, through one of the gateways that have a link up.
func TestHandDown(t *testing.T) {
	c := embed(t, Config{Name: "center", Domain: "center", Listen: "127.0.0.1:0", Leaf: "127.0.0.1:0"})
	s, links := stranger(t)
	heard := desk(t, agent(t, "a1", Upstream{URL: links}), "d1")
	for _, holds := range []bool{true, false} {
		u, err := DialUp(fmt.Sprint("r01-", holds), upstream(c), quietLog)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(u.Close)
		b, err := Dial(t.Context(), s.ClientURL(), "", "", "T_")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		ended := make(chan error)
		t.Cleanup(func() {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		go func() { ended <- u.HandDown(t.Context(), b, func() bool { return holds }) }()
	}
	atCenter := operator(t, c)
	awaitAnswer(t, atCenter, "cmd.t.d1", "done by d1 none")
	once(t, func(data string) {
		if err := atCenter.Publish("cmd.t.d1", []byte(data)); err != nil {
			t.Fatal(err)
		}
	}, heard)
}

// TestCourierForgets: of too many commands that nobody answers the oldest are
// forgotten, and each is answered once.
func TestCourierForgets(t *testing.T) {
	var c courier
	commands := make([]*nats.Msg, mostAsked+2)
	for i := range commands {
		commands[i] = &nats.Msg{Reply: fmt.Sprint(i)}
		c.expect(commands[i])
	}
	f := func(number string, want *nats.Msg) {
		t.Helper()
		if got := c.take(number); got != want {
			t.Errorf("number %s is %v, want %v", number, got, want)
		}
	}
	f("0", nil)
	f("1", nil)
	f("2", commands[2])
	f("2", nil)
	f(fmt.Sprint(mostAsked+1), commands[mostAsked+1])
	f(fmt.Sprint(mostAsked+2), nil)
	f("x", nil)
	f("", nil)
}
