package simulator

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/simulator/mqtt"
	"weir/simulator/plan"
	"weir/simulator/producttest"
)

// tcpHouse puts the product behind a real socket.
func tcpHouse(t *testing.T) (h *house, addr string) {
	t.Helper()
	h = newHouse()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			serving.Go(func() { _ = h.product.ServeMQTT(conn, func() bool { return false }) })
		}
	})
	return h, l.Addr().String()
}

func TestOverSockets(t *testing.T) {
	for name, qos := range map[string]int{"QoS 0": 0, "QoS 1": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, addr := tcpHouse(t)
			o := options(t)
			o.MQTT, o.QoS, o.Rate, o.For = "mqtt://"+addr, qos, 50, time.Second
			s, err := Run(t.Context(), o, nil)
			if err != nil {
				t.Fatal(err)
			}
			if s.Records != count(t, o) || s.Unknown != 0 || s.Never != 0 || s.ConnectFailures != 0 {
				t.Errorf("summary %+v of %d records", s, count(t, o))
			}
			h.verify(t, o)
		})
	}
}

// TestOutletDoesNotWait writes to a peer that does not read, then lets it read:
// everything comes, in order.
func TestOutletDoesNotWait(t *testing.T) {
	if !canTry {
		t.Skip("sockets cannot be tried here")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	o := newOutlet(conn)
	var want []byte
	for n := byte(0); o.flush(); n++ {
		part := bytes.Repeat([]byte{n}, 100_000)
		want = append(want, part...)
		if err := o.write(part); err != nil {
			t.Fatal(err)
		}
	}
	want = append(want, "the end"...)
	if err := o.write([]byte("the end")); err != nil {
		t.Fatal(err)
	}
	got := make(chan []byte)
	go func() {
		all, _ := io.ReadAll(peer)
		got <- all
	}()
	for !o.flush() { // the peer reads: this ends
	}
	conn.Close()
	if all := <-got; !bytes.Equal(all, want) {
		t.Errorf("%d bytes came, others than the %d that were written", len(all), len(want))
	}
	peer.Close()
	if err := o.write([]byte("x")); err == nil {
		t.Error("a write to a closed connection says nothing")
	}
}

// TestResendIsMarked reads what a device sends again after its connection broke
// before the PUBACK: the same packet, with DUP.
func TestResendIsMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(0, 1, new(latency))
		p, err := plan.New(plan.Spec{
			Run: "a", Tenant: "sim", Devices: 1, Period: int64(time.Second), Batch: 1, Pattern: plan.Steady,
			Lateness: 0, Size: int64(time.Second), For: int64(time.Second),
		})
		if err != nil {
			t.Fatal(err)
		}
		d.begin(p)
		s := newMQTTLink(nil, time.Second, func() int64 { return 0 }, &links{}).session(d, "sim", "sa-00001")
		var packets [2][]byte
		for i := range packets {
			ours, theirs := producttest.Pipe()
			s.conn = newOutlet(ours)
			d.connected(s)
			d.pump(int64(time.Second), &buffers{})
			ours.Close()
			if packets[i], err = io.ReadAll(theirs); err != nil {
				t.Fatal(err)
			}
			d.broken(int64(time.Second))
		}
		first, second := packets[0], packets[1]
		if len(first) == 0 || first[0] != 0x32 || second[0] != 0x3a || !bytes.Equal(first[1:], second[1:]) {
			t.Errorf("sent\n% x, then\n% x", first, second)
		}
	})
}

func TestRefusedConnectionIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := producttest.Pipe()
		_, _ = theirs.Write([]byte{0x20, 2, 0, 5})
		s := newMQTTLink(nil, time.Second, nil, &links{}).session(newDevice(0, 1, nil), "sim", "sa-00001")
		err := s.greet(ours, mqtt.NewReader(ours))
		var refused *mqtt.ConnackError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "not authorized") {
			t.Errorf("got %v", err)
		}
	})
}

// BenchmarkMessage is the cost of one QoS 0 message but for the socket.
func BenchmarkMessage(b *testing.B) {
	p, err := plan.New(plan.Spec{
		Run: "abc234", Tenant: "sim", Devices: 1, Period: 1e6, Batch: 1, Pattern: plan.Steady, Size: 1e9,
		Faults: plan.Faults{Late: 1, Duplicate: 1},
	})
	if err != nil {
		b.Fatal(err)
	}
	d := newDevice(0, 0, new(latency))
	d.begin(p)
	s := newMQTTLink(nil, time.Second, nil, &links{}).session(d, "sim", "sabc234-00001")
	s.conn = newOutlet(nowhere{})
	d.connected(s)
	buffers := &buffers{}
	now := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		now += 1e6
		d.pump(now, buffers)
		d.proved(now)
	}
}

// nowhere is a connection that takes everything.
type nowhere struct{ net.Conn }

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
