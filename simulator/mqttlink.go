package simulator

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"weir/schemas"
	"weir/simulator/mqtt"
)

const (
	dialsAtOnce   = 200
	refusedHolds  = 50 * time.Millisecond // a refused dial keeps its place, so that thousands do not storm a server that starts
	dialWithin    = 10 * time.Second
	firstBackoff  = 50 * time.Millisecond
	longestRetry  = time.Second
	shortestAlive = time.Minute // keep alive; longer where a device is silent for longer
)

// dialFunc opens a connection.
type dialFunc func(ctx context.Context) (net.Conn, error)

// links counts what the sessions of a run meet.
type links struct {
	failures atomic.Int64 // attempts that failed and connections that broke
	last     atomic.Pointer[error]
}

func (l *links) failed(err error) {
	l.failures.Add(1)
	l.last.Store(&err)
}

// lastError is what went wrong last, or nil.
func (l *links) lastError() error {
	if err := l.last.Load(); err != nil {
		return *err
	}
	return nil
}

// mqttLink holds what the sessions of a run share.
type mqttLink struct {
	dial  dialFunc
	slots chan struct{} // a token per dial under way
	alive uint16        // keep alive, s
	clock func() int64
	links *links
}

func newMQTTLink(dial dialFunc, span time.Duration, clock func() int64, l *links) *mqttLink {
	alive := min(max(shortestAlive, 3*span), 18*time.Hour)
	return &mqttLink{dial, make(chan struct{}, dialsAtOnce), uint16(alive / time.Second), clock, l}
}

// session keeps one device connected.
type session struct {
	link   *mqttLink
	device *device
	client string
	topic  string
	conn   *outlet // of the connection that stands

	user, password string // empty: it does not sign in
}

func (l *mqttLink) session(d *device, tenant, name string) *session {
	return &session{link: l, device: d, client: name, topic: "tel/" + tenant + "/" + name + "/" + string(schemas.Metrics)}
}

// run connects, reads answers, and connects again until ctx ends.
func (s *session) run(ctx context.Context) {
	for backoff := firstBackoff; ctx.Err() == nil; backoff = min(2*backoff, longestRetry) {
		in, err := s.connect(ctx)
		if err == nil {
			backoff = firstBackoff
			err = s.listen(ctx, in)
		}
		if ctx.Err() != nil {
			return
		}
		s.link.links.failed(err)
		pause(ctx, backoff/2+rand.N(backoff/2))
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// connect dials, while few others do, and waits for the CONNACK.
func (s *session) connect(ctx context.Context) (*mqtt.Reader, error) {
	select {
	case s.link.slots <- struct{}{}:
		defer func() { <-s.link.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	conn, err := s.link.dial(ctx)
	if err != nil {
		pause(ctx, refusedHolds)
		return nil, err
	}
	unhook := context.AfterFunc(ctx, func() { conn.Close() })
	in := mqtt.NewReader(conn)
	if err = s.greet(conn, in); err == nil && !unhook() {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.conn = newOutlet(conn)
	return in, nil
}

func (s *session) greet(conn net.Conn, in *mqtt.Reader) error {
	hello := mqtt.Connect{Client: s.client, KeepAlive: s.link.alive, User: s.user, Password: s.password}
	if _, err := conn.Write(mqtt.AppendConnect(nil, hello)); err != nil {
		return err
	}
	p, err := in.Next()
	switch {
	case err != nil:
		return err
	case p.Kind != mqtt.Connack:
		return errors.New("connect over MQTT: the first answer is no CONNACK")
	case p.Code != 0:
		return &mqtt.ConnackError{Code: p.Code}
	}
	return nil
}

// listen passes answers to the device until the connection ends.
func (s *session) listen(ctx context.Context, in *mqtt.Reader) error {
	conn := s.conn.conn
	defer context.AfterFunc(ctx, func() { s.leave(conn) })()
	s.device.connected(s)
	for {
		p, err := in.Next()
		if err != nil {
			s.device.broken(s.link.clock())
			return errors.Join(err, conn.Close())
		}
		switch p.Kind {
		case mqtt.Puback:
			s.device.answered(p.ID, 0, s.link.clock())
		case mqtt.Pingresp:
			s.device.proved(s.link.clock())
		}
	}
}

// leave ends the session as MQTT wants it, and with it listen.
func (s *session) leave(conn net.Conn) {
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write(mqtt.AppendDisconnect(nil)) // a server that does not read it notices the end all the same
	_ = conn.Close()
}

func (s *session) ready() bool { return s.conn.flush() }

func (s *session) patience() int64 { return forever }

func (s *session) send(b *buffers, payload []byte, id uint16, again bool) error {
	b.packet = mqtt.AppendPublish(b.packet[:0], mqtt.Publish{Topic: s.topic, ID: id, Again: again}, payload)
	return s.conn.write(b.packet)
}

func (s *session) prove(b *buffers) (bool, error) {
	b.packet = mqtt.AppendPing(b.packet[:0])
	return true, s.conn.write(b.packet)
}

func (s *session) drop() { _ = s.conn.conn.Close() }
