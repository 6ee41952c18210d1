package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"weir/lab/harness"
	"weir/schemas"
	"weir/simulator/mqtt"
)

// TestResend wants a message with DUP and the same packet identifier and payload
// to count once, though its reading has no number.
func TestResend(t *testing.T) {
	t.Parallel()
	p := patient(t)
	payload := fmt.Appendf(nil, `{"temp":1,"ts":%d}`, second().UnixMilli())
	send := func(packets ...mqtt.Publish) {
		t.Helper()
		d := p.Connect("pump-1")
		for _, packet := range packets {
			if err := d.SendPacket(packet, payload); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	send(mqtt.Publish{Topic: pump, ID: 7})
	send(mqtt.Publish{Topic: pump, ID: 7, Again: true}) // over a reconnect: the same
	send(mqtt.Publish{Topic: pump, ID: 8, Again: true}) // whose first try never came
	send(mqtt.Publish{Topic: pump, ID: 9}, mqtt.Publish{Topic: pump, ID: 9, Again: true})
	p.Settle(tenant, schemas.Account{Received: 5, Counted: 3, Duplicate: 2})
	closed(t, p)
}

// TestRepeats sends the same numbers again, over other connections and protocols.
func TestRepeats(t *testing.T) {
	t.Parallel()
	p := patient(t, "--agents", "4")
	from := second()
	reading := func(boot string, seq int) string {
		return fmt.Sprintf(`{"temp":%d,"hum":1,"seq":%d,"boot":"%s","ts":%d}`, seq, seq, boot, from.UnixMilli()+int64(seq))
	}
	for range 2 {
		d := p.Connect("pump-1")
		for seq := range 10 {
			if err := d.SendAcknowledged(pump, []byte(reading("a", seq))); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	nc := dial(t, p)
	for seq := 5; seq < 15; seq++ {
		reply, _ := request(t, nc, "tel.acme.pump-1.metrics", reading("a", seq))
		wantJSON(t, "the reply to a reading, new or not", reply, `{"records":2,"journaled":2}`)
	}
	request(t, nc, "tel.acme.pump-1.metrics", reading("b", 5)) // another boot
	p.Kill()
	p.Launch()
	p.Ready()
	request(t, dial(t, p), "tel.acme.pump-1.metrics", reading("a", 5))
	p.Settle(tenant, schemas.Account{Received: 64, Counted: 32, Duplicate: 32})
	closed(t, p)
}

// mqtt5 is an MQTT 5 connection of bytes.
type mqtt5 struct {
	net.Conn
	in *bufio.Reader
}

// connect5 connects and returns what the CONNACK says.
func connect5(t *testing.T, p *harness.Product, client string) (c mqtt5, connack []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", p.MQTT)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	c = mqtt5{conn, bufio.NewReader(conn)}
	body := append([]byte("\x00\x04MQTT\x05\x02\x00\x3c\x00\x00"), byte(len(client)))
	c.send(t, 0x10, append(body, client...))
	return c, c.receive(t, 0x20)
}

func (c mqtt5) send(t *testing.T, first byte, body []byte) {
	t.Helper()
	packet := binary.AppendUvarint([]byte{first}, uint64(len(body)))
	if _, err := c.Write(append(packet, body...)); err != nil {
		t.Fatal(err)
	}
}

// publish sends a PUBLISH without properties.
func (c mqtt5) publish(t *testing.T, qos byte, topic string, id uint16, payload string) {
	t.Helper()
	body := append(binary.BigEndian.AppendUint16(nil, uint16(len(topic))), topic...)
	body = append(binary.BigEndian.AppendUint16(body, id), 0)
	c.send(t, 0x30|qos<<1, append(body, payload...))
}

// receive reads a packet that begins with first and returns its body.
func (c mqtt5) receive(t *testing.T, first byte) []byte {
	t.Helper()
	got, err := c.in.ReadByte()
	if err != nil {
		t.Fatalf("read packet %#x: %v", first, err)
	}
	n, err := binary.ReadUvarint(c.in)
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.in, body); err != nil || got != first {
		t.Fatalf("packet %#x with body %q, %v; wanted packet %#x", got, body, err, first)
	}
	return body
}

// TestMQTT5 wants an MQTT 5 client to be told what it may do and why it is refused.
func TestMQTT5(t *testing.T) {
	t.Parallel()
	p := start(t)
	c, connack := connect5(t, p, "pump-1")
	if len(connack) < 3 || connack[1] != 0 || !bytes.Contains(connack[3:], []byte{0x24, 1}) {
		t.Errorf("CONNACK %x does not say that QoS 1 is the most", connack)
	}
	for _, property := range []byte{0x25, 0x28, 0x2a} { // retain, wildcards, shared subscriptions
		if !bytes.Contains(connack[3:], []byte{property, 0}) {
			t.Errorf("CONNACK %x does not say that property %#x is not there", connack, property)
		}
	}
	for _, x := range []struct {
		topic, payload string
		puback         string
	}{
		{pump, "1", ""},
		{pump, "no reading", "\x99\x0e\x1f\x00\x0bundecodable"},
		{pump, `{"temp":1,"ts":1}`, "\x99\x0b\x1f\x00\x08bad_time"},
		{"tel/acme/pump-1/else", "1", "\x90\x0e\x1f\x00\x0bbad_subject"},
		{"tel/acme/pump-1/traces", "1", "\x99\x0e\x1f\x00\x0bundecodable"},
	} {
		c.publish(t, 1, x.topic, 300, x.payload)
		if got, want := c.receive(t, 0x40), "\x01\x2c"+x.puback; string(got) != want {
			t.Errorf("PUBACK for %s on %s is %q, wanted %q", x.payload, x.topic, got, want)
		}
	}
	c.publish(t, 2, pump, 301, "1")
	if got := c.receive(t, 0xe0); len(got) == 0 || got[0] != 0x9b {
		t.Errorf("DISCONNECT for QoS 2 is %x, wanted reason 9b, QoS not supported", got)
	}
	p.Settle(tenant, schemas.Account{Received: 5, Counted: 1, Rejected: 4})
}

// TestNoise writes what is no MQTT and no NATS to the listeners, which must not
// care, and must keep nothing.
func TestNoise(t *testing.T) {
	t.Parallel()
	p := start(t)
	before := p.Resources()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() { noise([]string{p.MQTT, p.NATS, p.HTTP}[i%3], uint64(i)) })
	}
	all.Wait()
	nc := dial(t, p)
	request(t, nc, "tel.acme.pump-1.metrics", "1")
	p.Settle(tenant, counted(1))
	harness.Until(t, 20*time.Second, func() string {
		if now := p.Resources(); now.Files > before.Files+5 {
			return fmt.Sprintf("the product holds %v, before it were %v", now, before)
		}
		return ""
	})
	if rss := p.Resources().RSS; rss > 200e6 {
		t.Errorf("the product holds %d bytes", rss)
	}
}

// noise connects, says something that begins like a packet or like nothing, and
// waits for the end, at most a second.
func noise(address string, seed uint64) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer conn.Close()
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, 1+r.IntN(2000))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	if seed%2 == 0 {
		b = append([]byte("\x10\xff\xff\xff\x7f\x00\x04MQTT\x04\x02"), b...)
	}
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write(b) // whoever is right hangs up
	_, _ = io.Copy(io.Discard, conn)
}
