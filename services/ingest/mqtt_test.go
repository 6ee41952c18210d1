package ingest

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/strays"
)

func TestMain(m *testing.M) { strays.Main(m) }

// quick makes frames at once, so that tests in real time do not wait, and lets clients
// take their time.
func quick() Config {
	return Config{MQTT: "127.0.0.1:0", Prompt: time.Millisecond, Patient: time.Millisecond, ConnectWithin: slowest}
}

func startMQTT(t testing.TB, tune func(*Settings, *Deps)) *harness {
	t.Helper()
	return start(t, quick(), newMemLog(), tune)
}

func bothVersions(t *testing.T, f func(t *testing.T, v5 bool)) {
	t.Run("3.1.1", func(t *testing.T) { f(t, false) })
	t.Run("5", func(t *testing.T) { f(t, true) })
}

// rejected sums the records refused for a reason over the journal.
func (h *harness) rejected(t testing.TB, why schemas.Reason) (n uint64) {
	t.Helper()
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	frames := h.log.journal(t, "a1")
	balance(t, frames)
	for w, k := range sum(frames) {
		if w.Outcome == schemas.Rejected && w.Reason == why {
			n += k
		}
	}
	return n
}

func TestPublish(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		h := startMQTT(t, nil)
		c := connect(t, h.Addr(), v5, "c1", "")
		c.publish("tel/t/d/metrics", `{"temp":1,"seq":1}`, 0, 0, false)
		c.publish("tel/t/d/metrics", `{"temp":2,"seq":2}`, 1, 7, false)
		if code := c.acked(7); code != 0 {
			t.Fatalf("PUBACK code %#x", code)
		}
		if _, n := balance(t, h.log.journal(t, "a1")); n != 2 {
			t.Fatalf("%d records in the journal when the PUBACK came, want 2", n)
		}
	})
}

func TestPacketIdentifiesUnnumbered(t *testing.T) {
	h := startMQTT(t, nil)
	c := connect(t, h.Addr(), false, "c1", "")
	c.publish("tel/t/d/metrics", `[{"temp":1},{"temp":1},{"temp":1,"seq":4}]`, 1, 9, false)
	c.acked(9)
	c.publish("tel/t/d/metrics", `[{"temp":1},{"temp":1},{"temp":1,"seq":4}]`, 1, 9, true)
	c.acked(9)
	var p []schemas.PacketOf
	for _, f := range h.log.journal(t, "a1") {
		p = append(p, f.Packets...)
	}
	if len(p) != 4 || p[0].Hash == p[1].Hash || p[0].Hash != p[2].Hash || p[1].Hash != p[3].Hash || p[0].Dup || !p[2].Dup || p[0].ID != 9 {
		t.Fatalf("packets %+v", p)
	}
}

// A refused message is journaled as refused and acknowledged; MQTT 5 says why.
func TestRefusedPublish(t *testing.T) {
	cases := []struct {
		topic, payload string
		why            schemas.Reason
		code           byte
	}{
		{"tel/t/d/metrics", `{"temp":`, schemas.Undecodable, 0x99},
		{"tel/t/d/metrics", `{"temp":1,"ts":5}`, schemas.BadTime, 0x99},
		{"tel/t/d/traces", `{}`, schemas.NoValues, 0x99},
		{"tel/t/d/logs", `1`, schemas.Undecodable, 0x99},
		{"tel/t/metrics", `{"temp":1}`, schemas.BadSubject, 0x90},
		{"tel.t.d.metrics", `{"temp":1}`, schemas.BadSubject, 0x90},
		{"$SYS/broker/x", `{"temp":1}`, schemas.BadSubject, 0x90},
		{"weir/journal/a1", `{"temp":1}`, schemas.BadSubject, 0x90},
		{"tel/t/+/metrics", `{"temp":1}`, schemas.BadSubject, 0x90},
		{"tel/t/d/metrics", strings.Repeat("x", 70000), schemas.TooLarge, 0x97},
	}
	bothVersions(t, func(t *testing.T, v5 bool) {
		for _, c := range cases {
			h := startMQTT(t, nil)
			m := connect(t, h.Addr(), v5, "c1", "")
			m.publish(c.topic, c.payload, 1, 3, false)
			want := c.code
			if !v5 {
				want = 0
			}
			if got := m.acked(3); got != want {
				t.Errorf("%s %.20s: PUBACK code %#x, want %#x", c.topic, c.payload, got, want)
			}
			if n := h.rejected(t, c.why); n != 1 {
				t.Errorf("%s %.20s: %d rejected as %s, want 1", c.topic, c.payload, n, c.why)
			}
		}
	})
}

func TestQoS2IsRefused(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		h := startMQTT(t, nil)
		c := connect(t, h.Addr(), v5, "c1", "")
		c.publish("tel/t/d/metrics", `{"temp":1}`, 2, 3, false)
		c.gone()
		if n := h.rejected(t, schemas.Unsupported); n != 1 || h.Status().MQTT.QoS2 != 1 {
			t.Fatalf("%d rejected as unsupported, status %+v", n, h.Status().MQTT)
		}
	})
}

func TestOversizePacketEndsConnection(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		h := startMQTT(t, nil)
		c := connect(t, h.Addr(), v5, "c1", "")
		_, _ = c.c.Write([]byte{0x30, 0xff, 0xff, 0xff, 0x7f, 0, 3, 't', 'e', 'l'})
		c.gone()
		if n := h.rejected(t, schemas.TooLarge); n != 1 || h.Status().MQTT.Oversize != 1 {
			t.Fatalf("%d rejected as too large, status %+v", n, h.Status().MQTT)
		}
	})
}

// MQTT 5 clients are told the maximum QoS and what else there is not.
func TestConnackProperties(t *testing.T) {
	h := startMQTT(t, nil)
	c := dial(t, h.Addr(), true)
	c.hello("c1", "", 60, "")
	p := c.read()
	for name, want := range map[string]string{
		"maximum QoS 1": "\x24\x01", "no retain": "\x25\x00", "no wildcards": "\x28\x00",
		"receive maximum": "\x21\x01\x00", "maximum packet size": "\x27\x00\x04\x04\x00",
	} {
		if !strings.Contains(string(p.body), want) {
			t.Errorf("CONNACK %x does not say %s (%x)", p.body, name, want)
		}
	}
}

func TestClientIDTakeover(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		h := startMQTT(t, nil)
		first := connect(t, h.Addr(), v5, "c1", "alice")
		thief := dial(t, h.Addr(), v5)
		thief.hello("c1", "mallory", 60, "")
		if p := thief.read(); p.kind() != connack || p.body[1] == 0 {
			t.Fatalf("client id taken over: %x %x", p.head, p.body)
		}
		thief.gone()
		first.send(0xc0, nil)
		if p := first.read(); p.kind() != pingresp {
			t.Fatalf("the owner was disturbed: %x %x", p.head, p.body)
		}
		again := connect(t, h.Addr(), v5, "c1", "alice")
		first.gone()
		again.publish("tel/t/d/metrics", `{"temp":1}`, 1, 1, false)
		again.acked(1)
		_ = again.c.Close()
		for code := byte(1); code != 0; { // until the listener has noticed
			next := dial(t, h.Addr(), v5)
			next.hello("c1", "mallory", 60, "")
			code = next.read().body[1]
		}
	})
}

func TestSubscribe(t *testing.T) {
	h := startMQTT(t, nil)
	c := connect(t, h.Addr(), false, "c1", "")
	for i, f := range []string{"#", "+/+/+", "cmd/#", "cmd/t/+", "cmd/t", "cmd/t/d/x", "$SYS/#", "$share/g/cmd/t/d", "tel/t/d/metrics", "weir/#", "cmd/t/d\x01"} {
		if code := c.subscribe(uint16(i+1), f); code != 0x80 {
			t.Errorf("subscribed to %q: %#x", f, code)
		}
	}
	if code := c.subscribe(99, "cmd/t/d"); code > 1 {
		t.Errorf("own commands refused: %#x", code)
	}
	for i := range maxSubscriptions + 5 {
		c.subscribe(uint16(100+i), fmt.Sprintf("cmd/t/d%d", i))
	}
	if code := c.subscribe(200, "cmd/t/one-more"); code != 0x80 {
		t.Errorf("no bound on subscriptions")
	}
}

// Nothing is routed between devices: neither publishes nor wills nor retained
// messages.
func TestNothingIsRouted(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		h := startMQTT(t, nil)
		c := connect(t, h.Addr(), v5, "victim", "")
		c.subscribe(1, "cmd/t/d")
		m := dial(t, h.Addr(), v5)
		m.hello("mallory", "", 60, "cmd/t/d")
		if p := m.read(); p.kind() != connack || p.body[1] != 0 {
			t.Fatalf("a client with a will was refused: %x %x", p.head, p.body)
		}
		head, body := publishPacket("cmd/t/d", "off", 1, 1, false, v5)
		m.send(head|1, body) // retained
		m.acked(1)
		_ = m.c.Close() // not DISCONNECT: the will is due
		c.subscribe(2, "cmd/t/d")
		c.send(0xc0, nil)
		if p := c.read(); p.kind() != pingresp {
			t.Fatalf("got %x %q", p.head, p.body)
		}
	})
}

func TestStrangers(t *testing.T) {
	h := startMQTT(t, nil)
	for name, b := range map[string]string{
		"HTTP":          "GET / HTTP/1.1\r\n\r\n",
		"not CONNECT":   "\xc0\x00",
		"MQTT 3.1":      "\x10\x10\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x02c1",
		"huge CONNECT":  "\x10\xff\xff\xff\x7f",
		"second hello":  string(frame(frame(nil, 0x10, []byte("\x00\x04MQTT\x04\x02\x00\x3c\x00\x02c2")), 0x10, []byte("\x00\x04MQTT\x04\x02\x00\x3c\x00\x02c2"))),
		"empty packets": "\x00\x00\x00\x00",
	} {
		c := dial(t, h.Addr(), false)
		_, _ = c.c.Write([]byte(b))
		for {
			p, err := c.tryRead(slowest / 2)
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Errorf("%s: the connection stays open", name)
			}
			if err != nil {
				break
			}
			if p.kind() == connack && name == "MQTT 3.1" && p.body[1] == 0 {
				t.Errorf("%s was let in", name)
			}
		}
	}
	c := connect(t, h.Addr(), false, "c9", "")
	c.publish("tel/t/d/metrics", "1", 1, 1, false)
	c.acked(1)
}

// Who does not say who it is, or does so byte by byte, is closed.
func TestSlowConnect(t *testing.T) {
	cfg := quick()
	cfg.ConnectWithin = 50 * time.Millisecond
	h := start(t, cfg, newMemLog(), nil)
	silent, slow := dial(t, h.Addr(), false), dial(t, h.Addr(), false)
	_, _ = slow.c.Write([]byte("\x10\x0e\x00\x04MQ"))
	silent.gone()
	slow.gone()
}

func TestConnectionLimit(t *testing.T) {
	for _, c := range []struct{ process, policy int }{{2, 20_000}, {20_000, 2}} {
		cfg := quick()
		cfg.MaxConnections = c.process
		h := start(t, cfg, newMemLog(), func(s *Settings, _ *Deps) { s.Connections = c.policy })
		connect(t, h.Addr(), false, "c1", "")
		connect(t, h.Addr(), false, "c2", "")
		dial(t, h.Addr(), false).gone()
		if h.Status().MQTT.Refused != 1 {
			t.Fatalf("process %d, policy %d: status %+v", c.process, c.policy, h.Status().MQTT)
		}
	}
}

// While the journal takes nothing, no QoS 1 message is acknowledged, the
// connection is not read on after a window of them, and all of it is made good.
func TestFullJournalHoldsConnections(t *testing.T) {
	cfg := quick()
	cfg.JournalShare = 1 << 20
	h := start(t, cfg, newMemLog(), nil)
	c := connect(t, h.Addr(), false, "c1", "")
	c.publish("tel/t/d/metrics", "1", 1, 1, false)
	c.acked(1)
	h.fill(t)
	for i := range 2 * window {
		c.publish("tel/t/d/metrics", `{"x":1,"seq":`+fmt.Sprint(i)+`}`, 1, uint16(i+2), false)
	}
	if p, err := c.tryRead(50 * time.Millisecond); err == nil {
		t.Fatalf("acknowledged while the journal is full: %x %x", p.head, p.body)
	}
	h.log.holds(1 << 10)
	for i := range 2 * window {
		c.acked(uint16(i + 2))
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	if _, n := balance(t, h.log.journal(t, "a1")); n != 2*window+1 {
		t.Fatalf("%d records journaled, want %d", n, 2*window+1)
	}
}

// A client that reads nothing is closed, and others get their PUBACKs meanwhile.
func TestClientThatDoesNotRead(t *testing.T) {
	h := startMQTT(t, nil)
	a, b := net.Pipe()
	defer b.Close()
	deaf := newConn(a, h.mqtt.post)
	for i := range uint16(10) {
		deaf.answer(&answer{id: i})
	}
	c := connect(t, h.Addr(), false, "c1", "")
	c.publish("tel/t/d/metrics", "1", 1, 1, false)
	c.acked(1)
	<-deaf.closed
	if h.Status().MQTT.Dropped != 1 {
		t.Fatalf("status %+v", h.Status().MQTT)
	}
}
