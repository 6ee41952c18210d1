package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"weir/schemas"
)

// This is the only file that knows the MQTT library. The library reads packets,
// keeps sessions and subscriptions and answers everything except PUBLISH: those
// go to take, and nothing is routed between devices.

// Limits of a connection.
const (
	maxPacket        = maxPayload + 1<<10
	maxSubscriptions = 16
	readBuffer       = 1 << 10
	writesPending    = 64 // packets that wait for a client
)

// mqttFront is the MQTT listener.
type mqttFront struct {
	s      *Service
	server *mqtt.Server
	door   *door
	post   *postman
	logger *slog.Logger
	closed chan struct{}
	watch  sync.WaitGroup
	bound  atomic.Pointer[net.Addr]

	mu       sync.Mutex
	sessions map[string]*conn // by client id

	connections                                atomic.Int64
	accepted, refused, qos2, oversize, dropped atomic.Uint64
}

func newMQTT(s *Service) *mqttFront {
	return &mqttFront{s: s, logger: limited(s.logger), sessions: map[string]*conn{}, closed: make(chan struct{})}
}

// open binds the listener and starts to serve.
func (f *mqttFront) open() error {
	keepAlive := net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}
	config := net.ListenConfig{KeepAliveConfig: keepAlive}
	l, err := config.Listen(context.Background(), "tcp", f.s.cfg.MQTT)
	if err != nil {
		return fmt.Errorf("accept devices over MQTT: %w", err)
	}
	addr := l.Addr()
	f.bound.Store(&addr)
	f.post = newPostman()
	f.door = &door{f: f, listener: l, conns: map[*conn]struct{}{}}
	f.server = mqtt.New(&mqtt.Options{
		Capabilities: capabilities(), Logger: f.logger,
		ClientNetReadBufferSize: readBuffer, ClientNetWriteBufferSize: readBuffer,
		SysTopicResendInterval: math.MaxInt32, // nobody may read $SYS
	})
	f.watch.Go(f.hurry)
	if err := errors.Join(f.server.AddHook(&hook{f: f}, nil), f.server.AddListener(f.door), f.server.Serve()); err != nil {
		f.close()
		_ = l.Close()
		return fmt.Errorf("accept devices over MQTT on %s: %w", addr, err)
	}
	return nil
}

func capabilities() *mqtt.Capabilities {
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumClientWritesPending = writesPending
	c.MaximumSessionExpiryInterval = 0
	c.MaximumPacketSize = maxPacket
	c.ReceiveMaximum = window
	c.MaximumInflight = window
	c.TopicAliasMaximum = 0
	c.MinimumProtocolVersion = 4
	c.MaximumQos = 1
	return c
}

// close ends all connections and returns when nothing of the listener runs.
func (f *mqttFront) close() {
	_ = f.server.Close() // it has no failure to report
	close(f.closed)
	f.watch.Wait()
	f.post.close()
}

// hurry closes connections that do not take their acknowledgments.
func (f *mqttFront) hurry() {
	tick := time.NewTicker(patience / 2)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			f.dropped.Add(uint64(f.post.hurry(now)))
		case <-f.closed:
			return
		}
	}
}

func (f *mqttFront) addr() net.Addr {
	if a := f.bound.Load(); a != nil {
		return *a
	}
	return nil
}

func (f *mqttFront) status() MQTTStatus {
	return MQTTStatus{
		Connections: f.connections.Load(), Accepted: f.accepted.Load(), Refused: f.refused.Load(),
		QoS2: f.qos2.Load(), Oversize: f.oversize.Load(), Dropped: f.dropped.Load(),
	}
}

// claim gives a client id to a connection. It belongs to a live connection until
// that is closed, or until one with the same credentials takes it over, as a
// device does that lost its network.
func (f *mqttFront) claim(c *conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if other, ok := f.sessions[c.id]; ok && other.alive() && other.credentials != c.credentials {
		return false
	}
	f.sessions[c.id] = c
	return true
}

func (f *mqttFront) release(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sessions[c.id] == c {
		delete(f.sessions, c.id)
	}
}

// hook is what the library asks and tells.
type hook struct {
	mqtt.HookBase
	f *mqttFront
}

// ID names the hook.
func (h *hook) ID() string { return "ingest" }

// Provides says which methods below are to be called.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnPacketRead, mqtt.OnPacketEncode, mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnDisconnect:
		return true
	}
	return false
}

// OnPacketRead takes PUBLISH packets off the library's hands before it looks at
// them: its own way to a publish hook copies each packet for a log line,
// and drops some topics without a word. It goes on with a PUBACK for nothing.
func (h *hook) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	switch pk.FixedHeader.Type {
	case packets.Connect:
		p := &pk.Connect
		p.WillFlag, p.WillRetain, p.WillQos, p.WillTopic, p.WillPayload = false, false, 0, "", nil
		p.WillProperties = packets.Properties{}
		p.Clean = true // nothing is kept for a client that is away
	case packets.Publish:
		h.publish(cl, pk.TopicName, pk.Payload, pk.FixedHeader, pk.PacketID, pk.PublishValidate(0))
		return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}}, nil
	}
	return pk, nil
}

// publish takes one PUBLISH packet.
func (h *hook) publish(cl *mqtt.Client, topic string, payload []byte, head packets.FixedHeader, id uint16, valid packets.Code) {
	c := cl.Net.Conn.(*conn)
	if c.route == nil || c.topic != topic {
		c.topic, c.route = topic, h.f.routeOf(c, topic)
	}
	in := arrival{route: c.route, payload: payload}
	switch {
	case head.Qos == 2:
		h.f.qos2.Add(1)
		in.fault, in.detail = schemas.Unsupported, "MQTT QoS 2: publish with QoS 0 or 1"
		h.f.s.take(&in, false)
		h.disconnect(cl, packets.ErrQosNotSupported)
	case topic == "" || valid != packets.CodeSuccess && valid != packets.ErrProtocolViolationSurplusWildcard:
		h.disconnect(cl, valid)
	case head.Qos == 1:
		h.f.s.messages.mqtt1.Add(1)
		in.to, in.packet = c, schemas.Packet{ID: id, Dup: head.Dup}
		if h.f.wait(c, c.route.agent, full) && c.enter(h.f.s.stopping) {
			h.f.s.take(&in, false)
		}
	default:
		h.f.s.messages.mqtt0.Add(1)
		if h.f.wait(c, c.route.agent, stalled) {
			h.f.s.take(&in, c.route.agent.strain() == full)
		}
	}
}

// routeOf is the route of a topic that a connection publishes to.
func (f *mqttFront) routeOf(c *conn, topic string) *route {
	r := f.s.router.find(topic, schemas.ParseTopic)
	if !r.bad && !c.grant.allows(r.tenant, r.device) {
		return f.s.router.nowhere(topic)
	}
	return r
}

// wait holds a connection up while its agent is under a strain of up to worst.
// It reports false if the connection or the service ended first.
func (f *mqttFront) wait(c *conn, a *agent, worst strain) bool {
	for s := a.strain(); s != relaxed && s <= worst; s = a.strain() {
		select {
		case <-a.eased():
		case <-c.closed:
			return false
		case <-f.s.stopping:
			return false
		}
	}
	return true
}

// disconnect ends a connection, with the reason where the protocol has one.
func (h *hook) disconnect(cl *mqtt.Client, why packets.Code) {
	h.f.logger.Warn("connection closed", "client", cl.ID, "remote", cl.Net.Remote, "error", why)
	if cl.Properties.ProtocolVersion == 5 {
		_ = h.f.server.DisconnectClient(cl, why)
		return
	}
	cl.Stop(why)
}

// OnConnect decides who may connect.
func (h *hook) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	c := cl.Net.Conn.(*conn)
	c.id, c.v5 = cl.ID, cl.Properties.ProtocolVersion == 5
	c.explain = !cl.Properties.Props.RequestProblemInfoFlag || cl.Properties.Props.RequestProblemInfo == 1
	c.credentials = sha256.Sum256(append(append(append([]byte(nil), pk.Connect.Username...), 0), pk.Connect.Password...))
	why := packets.CodeSuccess
	if u := h.f.s.deps.Users; u != nil {
		var ok bool
		if c.grant, ok = u.Authenticate(string(pk.Connect.Username), pk.Connect.Password); !ok {
			why = packets.ErrBadUsernameOrPassword
		}
	}
	if why == packets.CodeSuccess && !h.f.claim(c) {
		why = packets.ErrClientIdentifierNotValid
	}
	if why == packets.CodeSuccess {
		return nil
	}
	h.f.refused.Add(1)
	h.f.logger.Warn("connection refused", "client", cl.ID, "remote", cl.Net.Remote, "error", why)
	_ = h.f.server.SendConnack(cl, why, false, nil)
	return why
}

// OnConnectAuthenticate has nothing left to decide.
func (h *hook) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnPacketEncode tells MQTT 5 clients what they cannot have.
func (h *hook) OnPacketEncode(_ *mqtt.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Connack && pk.ReasonCode == packets.CodeSuccess.Code {
		p := &pk.Properties
		p.MaximumPacketSize = maxPacket
		p.RetainAvailable, p.RetainAvailableFlag = 0, true
		p.WildcardSubAvailable, p.WildcardSubAvailableFlag = 0, true
		p.SharedSubAvailable, p.SharedSubAvailableFlag = 0, true
	}
	return pk
}

// OnACLCheck lets a client subscribe to its own commands, by their full name.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	tenant, device, ok := commandTopic(topic)
	c := cl.Net.Conn.(*conn)
	return ok && !write && c.grant.allows(tenant, device) && cl.State.Subscriptions.Len() < maxSubscriptions
}

// OnDisconnect counts packets that were too large to read.
func (h *hook) OnDisconnect(cl *mqtt.Client, err error, _ bool) {
	if !errors.Is(err, packets.ErrPacketTooLarge) {
		return
	}
	h.f.oversize.Add(1)
	c := cl.Net.Conn.(*conn)
	if c.route == nil {
		c.route = h.f.s.router.nowhere("")
	}
	h.f.s.take(&arrival{route: c.route, fault: schemas.TooLarge, detail: fmt.Sprintf("MQTT packet: at most %d bytes", maxPacket)}, false)
}

// door is the listener as the library wants it. It bounds how many connections
// there are and how long they take to say who they are.
type door struct {
	f        *mqttFront
	listener net.Listener

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
	served sync.WaitGroup // the accept loop and connections
}

// ID implements listeners.Listener, as do the methods below.
func (d *door) ID() string { return "mqtt" }

// Address is where it listens.
func (d *door) Address() string { return d.listener.Addr().String() }

// Protocol names the transport.
func (d *door) Protocol() string { return "tcp" }

// Init has nothing to do.
func (d *door) Init(*slog.Logger) error { return nil }

// Serve accepts connections until the listener is closed. When the process has
// no file left it waits until one is free.
func (d *door) Serve(establish listeners.EstablishFn) {
	for wait := retryFirst; ; {
		nc, err := d.listener.Accept()
		switch {
		case err == nil:
			wait = retryFirst
			d.admit(nc, establish)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			d.f.logger.Warn("no connection accepted: trying again", "error", err)
			time.Sleep(wait)
			wait = min(2*wait, retryMost)
		}
	}
}

func (d *door) admit(nc net.Conn, establish listeners.EstablishFn) {
	c := newConn(nc, d.f.post)
	d.mu.Lock()
	defer d.mu.Unlock()
	if most := min(d.f.s.cfg.MaxConnections, int(d.f.s.limits.connections.Load())); d.closed || len(d.conns) >= most {
		d.f.refused.Add(1)
		_ = nc.Close()
		return
	}
	d.conns[c] = struct{}{}
	d.f.accepted.Add(1)
	d.f.connections.Add(1)
	_ = nc.SetReadDeadline(time.Now().Add(d.f.s.cfg.ConnectWithin)) // a failure shows in the first read
	d.served.Go(func() { d.serve(c, establish) })
}

// serve runs one connection to its end.
func (d *door) serve(c *conn, establish listeners.EstablishFn) {
	if err := establish(d.ID(), c); err != nil {
		d.f.logger.Debug("connection ended", "remote", c.RemoteAddr(), "error", err)
	}
	_ = c.Close()
	d.f.release(c)
	d.f.connections.Add(-1)
	d.mu.Lock()
	delete(d.conns, c)
	d.mu.Unlock()
}

// Close ends the listener and all connections and waits for them.
func (d *door) Close(closeClients listeners.CloseFn) {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	_ = d.listener.Close()
	closeClients(d.ID())
	d.mu.Lock()
	for c := range d.conns {
		_ = c.Close()
	}
	d.mu.Unlock()
	d.served.Wait()
}
