package ingest

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

// slowest is how long a test waits for what must come, however busy the machine is.
const slowest = time.Minute

// client is the least of an MQTT client: it writes packets byte by byte and
// hands back what comes.
type client struct {
	t  testing.TB
	c  net.Conn
	r  *bufio.Reader
	v5 bool
}

// packet is a packet as it came: its first byte and its body.
type packet struct {
	head byte
	body []byte
}

func (p packet) kind() byte { return p.head >> 4 }

// Packet types.
const (
	connack    = 2
	publish    = 3
	puback     = 4
	suback     = 9
	pingresp   = 13
	disconnect = 14
)

func dial(t testing.TB, addr net.Addr, v5 bool) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &client{t: t, c: c, r: bufio.NewReader(c), v5: v5}
}

// connect dials and connects, and wants to be let in.
func connect(t testing.TB, addr net.Addr, v5 bool, id, user string) *client {
	t.Helper()
	c := dial(t, addr, v5)
	c.hello(id, user, 0, "")
	if p := c.read(); p.kind() != connack || p.body[1] != 0 {
		t.Fatalf("connect %s: got %x %x", id, p.head, p.body)
	}
	return c
}

// login is what a CONNECT packet says.
type login struct {
	id, user, password string
	clean              bool
	keepalive          uint16
	will               string // topic of a retained will; empty: none
	expiry             uint32 // MQTT 5: of the session, in seconds
	receive            uint16 // MQTT 5: receive maximum; 0: not said
	largest            uint32 // MQTT 5: maximum packet size; 0: not said
}

// hello sends CONNECT of a clean session; with a will topic, also a retained will.
func (c *client) hello(id, user string, keepalive uint16, will string) {
	c.login(login{id: id, user: user, clean: true, keepalive: keepalive, will: will})
}

// login sends CONNECT.
func (c *client) login(l login) {
	level := byte(4)
	if c.v5 {
		level = 5
	}
	b := append(str(nil, "MQTT"), level, l.flags(), byte(l.keepalive>>8), byte(l.keepalive))
	if c.v5 {
		b = append(b, l.properties()...)
	}
	b = str(b, l.id)
	if l.will != "" {
		if c.v5 {
			b = append(b, 0)
		}
		b = str(str(b, l.will), "gone")
	}
	if l.user != "" {
		b = str(b, l.user)
	}
	if l.password != "" {
		b = str(b, l.password)
	}
	c.send(0x10, b)
}

func (l login) flags() (f byte) {
	for bit, set := range map[byte]bool{2: l.clean, 0x24: l.will != "", 0x40: l.password != "", 0x80: l.user != ""} {
		if set {
			f |= bit
		}
	}
	return f
}

// properties are those of MQTT 5, with their length.
func (l login) properties() []byte {
	b := []byte{0}
	if l.expiry > 0 {
		b = binary.BigEndian.AppendUint32(append(b, 0x11), l.expiry)
	}
	if l.receive > 0 {
		b = binary.BigEndian.AppendUint16(append(b, 0x21), l.receive)
	}
	if l.largest > 0 {
		b = binary.BigEndian.AppendUint32(append(b, 0x27), l.largest)
	}
	b[0] = byte(len(b) - 1)
	return b
}

// ping wants an answer to a ping.
func (c *client) ping() {
	c.t.Helper()
	c.send(0xc0, nil)
	if p := c.read(); p.kind() != pingresp {
		c.t.Fatalf("ping: got %x %x", p.head, p.body)
	}
}

func (c *client) publish(topic, payload string, qos byte, id uint16, dup bool) {
	c.send(publishPacket(topic, payload, qos, id, dup, c.v5))
}

func publishPacket(topic, payload string, qos byte, id uint16, dup, v5 bool) (head byte, body []byte) {
	head = 0x30 | qos<<1
	if dup {
		head |= 8
	}
	b := str(nil, topic)
	if qos > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	if v5 {
		b = append(b, 0)
	}
	return head, append(b, payload...)
}

func (c *client) subscribe(id uint16, filter string) byte { return c.subscribeAt(id, filter, 1) }

// subscribeAt returns the code of SUBACK.
func (c *client) subscribeAt(id uint16, filter string, qos byte) byte {
	c.t.Helper()
	b := binary.BigEndian.AppendUint16(nil, id)
	if c.v5 {
		b = append(b, 0)
	}
	c.send(0x82, append(str(b, filter), qos))
	p := c.read()
	if p.kind() != suback {
		c.t.Fatalf("subscribe %s: got %x %x", filter, p.head, p.body)
	}
	return p.body[len(p.body)-1]
}

func (c *client) send(head byte, body []byte) {
	c.t.Helper()
	if _, err := c.c.Write(frame(nil, head, body)); err != nil {
		c.t.Fatal(err)
	}
}

// frame appends a packet with its remaining length.
func frame(b []byte, head byte, body []byte) []byte {
	b = append(b, head)
	n := len(body)
	for ; n > 127; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(append(b, byte(n)), body...)
}

// read waits for a packet and fails the test if none comes.
func (c *client) read() packet {
	c.t.Helper()
	p, err := c.tryRead(slowest)
	if err != nil {
		c.t.Fatal("read packet:", err)
	}
	return p
}

func (c *client) tryRead(within time.Duration) (p packet, err error) {
	_ = c.c.SetReadDeadline(time.Now().Add(within))
	if p.head, err = c.r.ReadByte(); err != nil {
		return p, err
	}
	n, err := binary.ReadUvarint(c.r)
	if err != nil {
		return p, err
	}
	p.body = make([]byte, n)
	_, err = io.ReadFull(c.r, p.body)
	return p, err
}

// acked waits for the PUBACK of a packet and returns its MQTT 5 reason code.
func (c *client) acked(id uint16) byte {
	c.t.Helper()
	p := c.read()
	if p.kind() != puback || binary.BigEndian.Uint16(p.body) != id {
		c.t.Fatalf("want PUBACK %d, got %x %x", id, p.head, p.body)
	}
	if len(p.body) > 2 {
		return p.body[2]
	}
	return 0
}

// gone wants the connection to end.
func (c *client) gone() {
	c.t.Helper()
	for {
		p, err := c.tryRead(slowest)
		if err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				c.t.Fatal("the connection stays open")
			}
			return
		}
		if p.kind() != disconnect {
			c.t.Fatalf("want the end, got %x %x", p.head, p.body)
		}
	}
}

func str(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}
