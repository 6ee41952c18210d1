package ingest

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/commands"
)

// withDesk is a service with commands, kept in store.
func withDesk(t testing.TB, store commands.Store, cfg commands.Config, tune func(*Settings, *Deps)) *harness {
	t.Helper()
	return startMQTT(t, func(s *Settings, d *Deps) {
		if d.Commands = commands.New(cfg, store, nil); tune != nil {
			tune(s, d)
		}
	})
}

// order sends a command and returns the reply.
func (h *harness) order(t testing.TB, device, payload string) string {
	t.Helper()
	reply := make(chan string, 1)
	h.nats.command(Message{Subject: "cmd.t." + device, Data: []byte(payload), Reply: func(b []byte, _ ...string) error {
		reply <- string(b)
		return nil
	}})
	select {
	case r := <-reply:
		return r
	case <-time.After(slowest):
		t.Fatalf("no reply to a command for %s", device)
		return ""
	}
}

// session connects with a session that outlives the connection, and says whether it
// was there.
func session(t testing.TB, h *harness, v5 bool, id string) (c *client, present bool) {
	t.Helper()
	c = dial(t, h.Addr(), v5)
	c.login(login{id: id, expiry: 3600})
	p := c.read()
	if p.kind() != connack || p.body[1] != 0 {
		t.Fatalf("connect %s: got %x %x", id, p.head, p.body)
	}
	return c, p.body[0] == 1
}

// command reads a PUBLISH packet: as text, and its identifier.
func (c *client) command() (text string, id uint16) {
	c.t.Helper()
	p := c.read()
	if p.kind() != publish {
		c.t.Fatalf("want a command, got %x %x", p.head, p.body)
	}
	qos := p.head >> 1 & 3
	n := binary.BigEndian.Uint16(p.body)
	topic, rest := p.body[2:2+n], p.body[2+n:]
	text = fmt.Sprintf("%s qos%d", topic, qos)
	if p.head&8 != 0 {
		text += " dup"
	}
	if qos > 0 {
		id, rest = binary.BigEndian.Uint16(rest), rest[2:]
	}
	if c.v5 {
		if n := rest[0]; n > 0 {
			text += fmt.Sprintf(" %x", rest[1:1+n])
		}
		rest = rest[1+rest[0]:]
	}
	return text + " " + string(rest), id
}

// expect wants one command, and returns its identifier.
func (c *client) expect(want string) uint16 {
	c.t.Helper()
	got, id := c.command()
	if got != want {
		c.t.Fatalf("got %q, want %q", got, want)
	}
	return id
}

// confirm sends a PUBACK.
func (c *client) confirm(id uint16) {
	c.t.Helper()
	c.send(0x40, binary.BigEndian.AppendUint16(nil, id))
}

// settled waits until no command waits.
func (h *harness) settled(t testing.TB) commands.Status {
	t.Helper()
	return h.commanded(t, func(st commands.Status) bool { return st.Waiting == 0 })
}

// commanded waits until the desk stands as wanted.
func (h *harness) commanded(t testing.TB, wanted func(commands.Status) bool) commands.Status {
	t.Helper()
	var st commands.Status
	h.until(t, "commands stand as wanted", func() bool {
		st = *h.Status().Commands
		return wanted(st)
	})
	return st
}

// delivered wants so many commands to have been confirmed.
func delivered(n uint64) func(commands.Status) bool {
	return func(st commands.Status) bool { return st.Delivered == n }
}

func TestCommand(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		h := withDesk(t, commands.NewMemory(), commands.Config{}, nil)
		c := connect(t, h.Addr(), v5, "c1", "")
		for i, device := range []string{"d0", "d1"} {
			if code := c.subscribeAt(uint16(i+1), "cmd/t/"+device, byte(i)); code != byte(i) {
				t.Fatalf("subscribe at QoS %d: code %#x", i, code)
			}
		}
		if got := h.order(t, "d0", "on"); got != `{"kept":false,"connected":1}` {
			t.Errorf("reply %s", got)
		}
		c.expect("cmd/t/d0 qos0 on")
		long := strings.Repeat("x", 60_000)
		h.order(t, "d1", long)
		c.confirm(c.expect("cmd/t/d1 qos1 " + long))
		h.nats.command(Message{Subject: "cmd.t.d1", Expires: time.Hour})
		want := "cmd/t/d1 qos1 "
		if v5 {
			want = "cmd/t/d1 qos1 0200000e0f "
		}
		c.confirm(c.expect(want))
		h.nats.command(Message{Subject: "cmd.t.d2"})
		h.commanded(t, func(st commands.Status) bool {
			return st.Waiting == 0 && st.Delivered == 3 && st.Dropped[commands.NoSession] == 1
		})
		c.ping()
	})
}

// A device that was away gets everything, once it is there, without subscribing
// again: over a lost connection, and over the death of the process.
func TestCommandsWait(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		store := commands.NewMemory()
		h := withDesk(t, store, commands.Config{}, nil)
		c, present := session(t, h, v5, "c1")
		if present {
			t.Error("a session out of nowhere")
		}
		c.subscribe(1, "cmd/t/d")
		h.order(t, "d", "1")
		h.order(t, "d", "2")
		c.confirm(c.expect("cmd/t/d qos1 1"))
		lost := c.expect("cmd/t/d qos1 2")
		_ = c.c.Close()
		h.away(t, 1)
		if got := h.order(t, "d", "3"); got != `{"kept":true,"connected":0}` {
			t.Errorf("reply %s", got)
		}
		c, present = session(t, h, v5, "c1")
		if id := c.expect("cmd/t/d qos1 dup 2"); !present || id != lost {
			t.Errorf("present %v, packet %d, want %d", present, id, lost)
		}
		c.expect("cmd/t/d qos1 3")
		h = withDesk(t, store, commands.Config{}, nil) // the first one still runs, as far as the store knows
		h.order(t, "d", "4")
		c, present = session(t, h, v5, "c1")
		first, id := c.command() // the first one has not told the store of its PUBACK, or just has
		if strings.HasSuffix(first, " 1") {
			c.confirm(id)
			first, id = c.command()
		}
		if !present || first != "cmd/t/d qos1 2" {
			t.Errorf("present %v, first %s", present, first)
		}
		c.confirm(id)
		c.confirm(c.expect("cmd/t/d qos1 3"))
		c.confirm(c.expect("cmd/t/d qos1 4"))
		h.settled(t)
		unsubscribe(c, "cmd/t/d")
		if got := h.order(t, "d 5", ""); got != `{"error":"bad_subject"}` {
			t.Errorf("reply %s", got)
		}
		h.nats.command(Message{Subject: "cmd.t.d"})
		c.ping()
	})
}

// away waits until so many sessions are without a connection.
func (h *harness) away(t testing.TB, n int) {
	t.Helper()
	h.commanded(t, func(st commands.Status) bool { return st.Away == n })
}

func unsubscribe(c *client, filter string) {
	c.t.Helper()
	b := []byte{0, 9}
	if c.v5 {
		b = append(b, 0)
	}
	c.send(0xa2, str(b, filter))
	p := c.read()
	if p.kind() != 11 || c.v5 && p.body[len(p.body)-1] != 0 {
		c.t.Errorf("unsubscribe %s: %x %x", filter, p.head, p.body)
	}
}

// A clean start, and a session that is said to end, forget what waits.
func TestSessionEnds(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		store := commands.NewMemory()
		h := withDesk(t, store, commands.Config{}, nil)
		c, _ := session(t, h, v5, "c1")
		c.subscribe(1, "cmd/t/d")
		h.order(t, "d", "1")
		c.expect("cmd/t/d qos1 1")
		if v5 {
			c.send(0xe0, []byte{0, 5, 0x11, 0, 0, 0, 0})
		} else {
			_ = c.c.Close()
			h.away(t, 1)
			connect(t, h.Addr(), v5, "c1", "")
		}
		if st := h.settled(t); st.Dropped[commands.SessionEnded] != 1 {
			t.Errorf("%+v", st)
		}
		c = connect(t, h.Addr(), v5, "c1", "")
		c.ping()
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		if n, s := store.Len(); n+s != 0 {
			t.Errorf("%d commands and %d sessions are kept", n, s)
		}
	})
}

// MQTT 5 clients are told how long their session lasts, and it does.
func TestSessionExpiry(t *testing.T) {
	h := withDesk(t, commands.NewMemory(), commands.Config{KeepFor: time.Hour}, nil)
	for _, c := range []struct {
		expiry uint32
		want   string
	}{
		{0, ""}, {60, ""}, {3600, ""}, {3601, "\x11\x00\x00\x0e\x10"}, {1<<32 - 1, "\x11\x00\x00\x0e\x10"},
	} {
		m := dial(t, h.Addr(), true)
		m.login(login{id: fmt.Sprint("c", c.expiry), expiry: c.expiry, clean: true})
		p := m.read()
		if said := strings.Contains(string(p.body), "\x11\x00\x00"); said != (c.want != "") || !strings.Contains(string(p.body), c.want) {
			t.Errorf("asked for %d s: CONNACK %x", c.expiry, p.body)
		}
	}
	m := dial(t, h.Addr(), false)
	m.login(login{})
	if p := m.read(); p.kind() != connack || p.body[1] != 2 {
		t.Errorf("a session of a client without a name: %x %x", p.head, p.body)
	}
}

// Without commands there are no sessions, whatever clients ask for.
func TestNoDesk(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		h := startMQTT(t, nil)
		for range 2 {
			c, present := session(t, h, v5, "c1")
			if present {
				t.Error("a session is present")
			}
			c.subscribe(1, "cmd/t/d")
			_ = c.c.Close()
		}
		if h.Status().Commands != nil {
			t.Error("commands are counted")
		}
	})
}

// A client is sent what it says that it takes.
func TestClientLimits(t *testing.T) {
	h := withDesk(t, commands.NewMemory(), commands.Config{}, nil)
	c := dial(t, h.Addr(), true)
	c.login(login{id: "c1", receive: 2, largest: 1000, clean: true})
	c.read()
	c.subscribe(1, "cmd/t/d")
	h.order(t, "d", strings.Repeat("x", 1000))
	for i := range 4 {
		h.order(t, "d", fmt.Sprint(i))
	}
	first := c.expect("cmd/t/d qos1 0")
	c.expect("cmd/t/d qos1 1")
	c.ping() // not a third one
	c.confirm(first)
	c.expect("cmd/t/d qos1 2")
	if st := h.Status().Commands; st.Dropped[commands.TooLarge] != 1 {
		t.Errorf("%+v", st)
	}
}

// Users get no commands of others: not by client identifier, and nothing is kept
// for one who is gone.
func TestCommandsOfUsers(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		h, u, file := withUsers(t, func(_ *Settings, d *Deps) {
			names := func(tenant, device string) bool { return tenant == "t" && device == "d2" }
			d.Commands = commands.New(commands.Config{Named: names}, commands.NewMemory(), nil)
		})
		in := func(user string) (c *client, present bool) {
			t.Helper()
			c = dial(t, h.Addr(), v5)
			c.login(login{id: "same", user: user, password: user, expiry: 3600})
			p := c.read()
			if p.kind() != connack || p.body[1] != 0 {
				t.Fatalf("%s: %x %x", user, p.head, p.body)
			}
			return c, p.body[0] == 1
		}
		c, _ := in("d1")
		c.subscribe(1, "cmd/t/d1")
		h.leave(t, c)
		h.order(t, "d1", "secret")
		c, present := in("d2")
		if c.ping(); present {
			t.Error("d2 has d1's session")
		}
		h.leave(t, c)
		c, present = in("d1")
		if c.expect("cmd/t/d1 qos1 secret"); !present {
			t.Error("d1's session is gone")
		}
		h.leave(t, c)
		if got := h.order(t, "d2", "named"); got != `{"kept":true,"connected":0}` {
			t.Errorf("for a device that the file names: %s", got)
		}
		c, _ = in("d2")
		c.subscribe(1, "cmd/t/d2")
		c.confirm(c.expect("cmd/t/d2 qos1 named"))
		h.commanded(t, delivered(1)) // the new file ends the session of d2 too: its password has another salt
		if err := os.WriteFile(file, []byte(hashed(t, "d2", ", tenant: t, device: d2")), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := u.Reload(); err != nil {
			t.Fatal(err)
		}
		if st := h.settled(t); st.Dropped[commands.SessionEnded] != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// leave closes the only connection and waits until that is noticed.
func (h *harness) leave(t testing.TB, c *client) {
	t.Helper()
	_ = c.c.Close()
	h.left(t, 0)
}

// left waits until there are so many connections.
func (h *harness) left(t testing.TB, n int64) {
	t.Helper()
	h.until(t, fmt.Sprint("connections are ", n), func() bool { return h.Status().MQTT.Connections == n })
}

// A device that reads nothing holds up neither the readings of others nor their
// commands, nor the end.
func TestSlowSubscriber(t *testing.T) {
	h := withDesk(t, commands.NewMemory(), commands.Config{Bytes: 256 << 20}, nil)
	const slow = postmen + 2 // more than there are postmen
	for i := range slow {
		c := connect(t, h.Addr(), false, fmt.Sprint("slow", i), "")
		c.subscribeAt(1, fmt.Sprint("cmd/t/slow", i), 0)
		for n := range 10 { // PUBACKs that it will not read either
			c.publish("tel/t/slow/metrics", "1", 1, uint16(n+1), false)
		}
	}
	quick := connect(t, h.Addr(), false, "quick", "")
	quick.subscribe(1, "cmd/t/quick")
	big := strings.Repeat("x", 64<<10)
	begin, worst := time.Now(), time.Duration(0)
	for i := range 100 {
		for d := range slow {
			h.nats.command(Message{Subject: fmt.Sprint("cmd.t.slow", d), Data: []byte(big)})
		}
		at := time.Now()
		h.nats.command(Message{Subject: "cmd.t.quick", Data: []byte(fmt.Sprint(i))})
		quick.confirm(quick.expect(fmt.Sprintf("cmd/t/quick qos1 %d", i)))
		quick.publish("tel/t/quick/metrics", "1", 1, uint16(i+1), false)
		quick.acked(uint16(i + 1))
		worst = max(worst, time.Since(at))
	}
	if worst > slowWrite/4 {
		t.Errorf("a quick device waited for %v beside slow ones", worst)
	}
	if st := h.Status().Commands; st.Waiting == 0 && time.Since(begin) < slowWrite {
		t.Errorf("nobody was slow: %+v", st)
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	balance(t, h.log.journal(t, "a1"))
}

// Commands and PUBACKs share a connection, each whole.
func TestCommandsBesideReadings(t *testing.T) {
	h := withDesk(t, commands.NewMemory(), commands.Config{PerDevice: 1000}, nil)
	c := connect(t, h.Addr(), true, "c1", "")
	c.subscribe(1, "cmd/t/d")
	const n = 300
	go func() {
		for i := range n {
			h.nats.command(Message{Subject: "cmd.t.d", Data: []byte(strings.Repeat("y", i*10))})
		}
	}()
	got, acks := 0, 0
	for i := range n {
		c.publish("tel/t/d/metrics", `{"x":1}`, 1, uint16(i+1), false)
	}
	for got < n || acks < n {
		switch p := c.read(); p.kind() {
		case puback:
			acks++
		case publish:
			at := 2 + binary.BigEndian.Uint16(p.body)
			if payload := string(p.body[at+3:]); payload != strings.Repeat("y", got*10) {
				t.Fatalf("command %d: %d bytes", got, len(payload))
			}
			c.confirm(binary.BigEndian.Uint16(p.body[at:]))
			got++
		default:
			t.Fatalf("got %x %x", p.head, p.body)
		}
	}
	if st := h.settled(t); st.Delivered != n {
		t.Errorf("%+v", st)
	}
	if _, records := balance(t, h.mustStop(t)); records != n {
		t.Errorf("%d records, want %d", records, n)
	}
}

func TestDeskNeedsASubscriber(t *testing.T) {
	_, err := New(Config{Agents: []string{"a1"}}, Deps{Log: newMemLog(), Commands: commands.New(commands.Config{}, commands.NewMemory(), nil)})
	if err == nil {
		t.Error("commands from nowhere are taken")
	}
	if schemas.CommandAll != "cmd.>" {
		t.Error("devices subscribe to another subject")
	}
}
