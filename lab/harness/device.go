package harness

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"weir/simulator/mqtt"
)

// Device is a raw MQTT 3.1.1 connection: it sends what no good client would, and
// more than one packet at a time. One goroutine publishes.
type Device struct {
	conn net.Conn
	tb   testing.TB
	buf  []byte
	id   uint16
	room chan struct{} // a place per message that may wait for its PUBACK

	acks  sync.WaitGroup // one per message at QoS 1
	heard chan struct{}  // closed when the connection is read no more
	err   error          // why; set before heard is closed
}

// waiting is how many messages at QoS 1 may wait for their PUBACK.
const waiting = 200

// Connect connects a device.
func (p *Product) Connect(client string) *Device {
	p.tb.Helper()
	conn, err := net.Dial("tcp", p.MQTT)
	if err != nil {
		p.tb.Fatal(err)
	}
	p.tb.Cleanup(func() { conn.Close() })
	in := mqtt.NewReader(conn)
	_, err = conn.Write(mqtt.AppendConnect(nil, mqtt.Connect{Client: client}))
	if err != nil {
		p.tb.Fatalf("connect %s: %v", client, err)
	}
	if answer, err := in.Next(); err != nil || answer.Kind != mqtt.Connack || answer.Code != 0 {
		p.tb.Fatalf("connect %s: %+v, %v", client, answer, err)
	}
	d := &Device{conn: conn, tb: p.tb, room: make(chan struct{}, waiting), heard: make(chan struct{})}
	go d.listen(in)
	return d
}

func (d *Device) listen(in *mqtt.Reader) {
	defer close(d.heard)
	for {
		p, err := in.Next()
		if err != nil {
			d.err = err
			return
		}
		if p.Kind == mqtt.Puback {
			<-d.room
			d.acks.Done()
		}
	}
}

// Send publishes at QoS 0.
func (d *Device) Send(topic string, payload []byte) error {
	return d.publish(mqtt.Publish{Topic: topic}, payload)
}

// SendAcknowledged publishes at QoS 1. It waits while too many messages wait.
func (d *Device) SendAcknowledged(topic string, payload []byte) error {
	if d.id++; d.id == 0 {
		d.id = 1
	}
	return d.SendPacket(mqtt.Publish{Topic: topic, ID: d.id}, payload)
}

// SendPacket publishes a packet at QoS 1 as it is given.
func (d *Device) SendPacket(p mqtt.Publish, payload []byte) error {
	select {
	case d.room <- struct{}{}:
	case <-d.heard:
		return fmt.Errorf("publish to %s: the connection has ended: %w", p.Topic, d.err)
	}
	d.acks.Add(1)
	return d.publish(p, payload)
}

func (d *Device) publish(p mqtt.Publish, payload []byte) error {
	d.buf = mqtt.AppendPublish(d.buf[:0], p, payload)
	_, err := d.conn.Write(d.buf)
	return err
}

// Close waits until every message at QoS 1 is acknowledged and disconnects.
func (d *Device) Close() error {
	all := make(chan struct{})
	go func() { d.acks.Wait(); close(all) }()
	select {
	case <-all:
	case <-d.heard:
		return fmt.Errorf("%d messages are not acknowledged: %w", len(d.room), d.err)
	case <-time.After(settledWithin):
		return fmt.Errorf("%d messages are not acknowledged after %v", len(d.room), settledWithin)
	}
	_, err := d.conn.Write(mqtt.AppendDisconnect(nil))
	<-d.heard // the product closes: it has read everything
	return errors.Join(err, d.conn.Close())
}
