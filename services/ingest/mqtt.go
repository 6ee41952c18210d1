package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"weir/schemas"
	"weir/services/internal/commands"
	"weir/services/internal/users"
)

// This is the only file that knows the MQTT library. The library reads packets and
// answers everything except PUBLISH: those go to take, and nothing is routed
// between devices. It keeps no sessions: those are the desk's, who writes commands
// to connections by itself.

// Limits of a connection.
const (
	maxPacket        = maxPayload + 1<<10
	maxSubscriptions = 16
	readBuffer       = 1 << 10
	writesPending    = 64  // packets that wait for a client
	maxForeign       = 100 // publishes to what a connection may not speak for; then it is closed
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

	mu           sync.Mutex
	sessions     map[string]*conn // by client id
	unauthorized map[users.Refusal]uint64

	connections                                atomic.Int64
	accepted, refused, qos2, oversize, dropped atomic.Uint64
	handshakes, revoked, foreign               atomic.Uint64
}

func newMQTT(s *Service) *mqttFront {
	return &mqttFront{
		s: s, logger: limited(s.logger), closed: make(chan struct{}),
		sessions: map[string]*conn{}, unauthorized: map[users.Refusal]uint64{},
	}
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
	f.door = &door{f: f, listener: l, conns: map[*conn]struct{}{}, strangers: map[netip.Addr]int{}}
	f.server = mqtt.New(&mqtt.Options{
		Capabilities: capabilities(), Logger: f.logger,
		ClientNetReadBufferSize: readBuffer, ClientNetWriteBufferSize: readBuffer,
		SysTopicResendInterval: math.MaxInt32, // nobody may read $SYS
	})
	f.watch.Go(f.hurry)
	if f.s.deps.Users != nil {
		f.watch.Go(f.recheck)
	}
	if err := errors.Join(f.server.AddHook(&hook{f: f}, nil), f.server.AddListener(&listener{door: f.door, server: f.server}), f.server.Serve()); err != nil {
		f.close()
		_ = l.Close()
		return fmt.Errorf("accept devices over MQTT on %s: %w", addr, err)
	}
	for topic := range f.server.Topics.Retained.GetAll() {
		f.server.Topics.Retained.Delete(topic) // $SYS again: the library copies each every second
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
			f.post.hurry(now, &f.dropped)
		case <-f.closed:
			return
		}
	}
}

// recheck closes connections whose user is gone or has other rights, and ends the
// subscriptions of those that are away.
func (f *mqttFront) recheck() {
	tick := time.NewTicker(f.s.cfg.RecheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-f.closed:
			return
		}
		for _, c := range f.unwelcome() {
			f.revoked.Add(1)
			f.logger.Warn("connection closed: its user is gone or has other rights", "client", c.id, "user", c.user)
			_ = c.Close()
		}
		if desk := f.s.deps.Commands; desk != nil {
			desk.Recheck(func(user string, dev commands.Device) bool {
				g, ok := f.s.deps.Users.Current(user)
				return ok && g.Allows(dev.Tenant, dev.Name)
			})
		}
	}
}

// unwelcome are the connections whose grant is not what it would be now.
func (f *mqttFront) unwelcome() (list []*conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.sessions {
		if !c.alive() {
			continue // closed before, and about to leave
		}
		if g, ok := f.s.deps.Users.Current(c.user); !ok || g != c.grant {
			list = append(list, c)
		}
	}
	return list
}

func (f *mqttFront) addr() net.Addr {
	if a := f.bound.Load(); a != nil {
		return *a
	}
	return nil
}

func (f *mqttFront) status() MQTTStatus {
	f.mu.Lock()
	unauthorized := maps.Clone(f.unauthorized)
	f.mu.Unlock()
	return MQTTStatus{
		Connections: f.connections.Load(), Accepted: f.accepted.Load(), Refused: f.refused.Load(),
		QoS2: f.qos2.Load(), Oversize: f.oversize.Load(), Dropped: f.dropped.Load(),
		Handshakes: f.handshakes.Load(), Revoked: f.revoked.Load(), Foreign: f.foreign.Load(), Unauthorized: unauthorized,
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

// release gives back what a connection had that has ended.
func (f *mqttFront) release(c *conn) {
	if c.link != nil {
		c.link.Detach()
	}
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
	case mqtt.OnSessionEstablished, mqtt.OnSubscribed, mqtt.OnUnsubscribed, mqtt.OnPacketSent:
		return h.f.s.deps.Commands != nil
	}
	return false
}

// OnPacketRead takes PUBLISH packets off the library's hands before it looks at
// them: its own way to a publish hook copies each packet for a log line,
// and drops some topics without a word. It goes on with a PUBACK for nothing.
func (h *hook) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	c := cl.Net.Conn.(*conn)
	switch pk.FixedHeader.Type {
	case packets.Connect:
		p := &pk.Connect
		p.WillFlag, p.WillRetain, p.WillQos, p.WillTopic, p.WillPayload = false, false, 0, "", nil
		p.WillProperties = packets.Properties{}
		c.clean, p.Clean = p.Clean, true // the library keeps nothing for a client that is away
	case packets.Publish:
		h.publish(cl, pk.TopicName, pk.Payload, pk.FixedHeader, pk.PacketID, pk.PublishValidate(0))
		return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}}, nil
	case packets.Puback:
		if c.link != nil { // the library has sent nothing that it could mean
			c.link.Acked(pk.PacketID, pk.ReasonCode < packets.ErrUnspecifiedError.Code)
		}
	case packets.Disconnect:
		if p := &pk.Properties; c.link != nil && c.keep > 0 && p.SessionExpiryIntervalFlag {
			c.link.Keep(keepOf(p.SessionExpiryInterval))
			p.SessionExpiryIntervalFlag = false
		}
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
	if c.route.foreign {
		h.f.foreign.Add(1)
		c.foreign++
	}
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
	if c.route.foreign && c.foreign == maxForeign { // it does not stop
		h.disconnect(cl, packets.ErrNotAuthorized)
	}
}

// routeOf is the route of a topic that a connection publishes to.
func (f *mqttFront) routeOf(c *conn, topic string) *route {
	r := f.s.router.find(topic, schemas.ParseTopic)
	if !r.bad && !c.grant.Allows(r.tenant, r.device) {
		r = f.s.router.nowhere(topic)
		r.foreign = true
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
	c.id, c.user, c.v5 = cl.ID, string(pk.Connect.Username), cl.Properties.ProtocolVersion == 5
	c.explain = !cl.Properties.Props.RequestProblemInfoFlag || cl.Properties.Props.RequestProblemInfo == 1
	c.credentials = sha256.Sum256(append(append(append([]byte(nil), pk.Connect.Username...), 0), pk.Connect.Password...))
	why := h.authenticate(c, pk.Connect.Password)
	if why == packets.CodeSuccess && !h.f.claim(c) {
		why = packets.ErrClientIdentifierNotValid
	}
	if why == packets.CodeSuccess && h.f.s.deps.Commands != nil {
		why = h.attach(c, pk, &cl.Properties.Props)
	}
	if why == packets.CodeSuccess {
		h.f.door.known(c)
		return nil
	}
	h.f.refused.Add(1)
	h.f.logger.Warn("connection refused", "client", cl.ID, "user", c.user, "remote", cl.Net.Remote, "error", why, "reason", c.refusal)
	_ = h.f.server.SendConnack(cl, why, false, nil)
	return why
}

// authenticate finds out what a connection may publish as.
func (h *hook) authenticate(c *conn, password []byte) packets.Code {
	u := h.f.s.deps.Users
	if u == nil {
		return packets.CodeSuccess
	}
	g, err := u.Authenticate(users.Attempt{Name: c.user, Password: password, From: c.from, Gone: c.closed})
	if err == nil {
		c.grant = g
		return packets.CodeSuccess
	}
	c.refusal, _ = errors.AsType[users.Refusal](err)
	h.f.mu.Lock()
	h.f.unauthorized[c.refusal]++
	h.f.mu.Unlock()
	return connackCode(c.refusal, c.v5)
}

// connackCode is how a refusal is said. MQTT 3.1.1 knows 3, unavailable, and 5, not
// authorized, which the library makes of these.
func connackCode(r users.Refusal, v5 bool) packets.Code {
	switch {
	case r.Later() && v5:
		return packets.ErrServerBusy
	case r.Later():
		return packets.ErrServerUnavailable
	case r == users.NoCredentials && v5:
		return packets.ErrNotAuthorized
	}
	return packets.ErrBadUsernameOrPassword
}

// attach gives a connection its session.
func (h *hook) attach(c *conn, pk packets.Packet, props *packets.Properties) packets.Code {
	switch {
	case c.v5:
		c.keep = keepOf(props.SessionExpiryInterval)
	case !c.clean && pk.Connect.ClientIdentifier == "":
		return packets.ErrClientIdentifierNotValid // MQTT 3.1.1, 3.1.3-8
	case !c.clean:
		c.keep = keepOf(forever)
	}
	hello := commands.Hello{Client: c.id, User: c.user, Clean: c.clean, Keep: c.keep, Window: int(props.ReceiveMaximum)}
	if most := int(props.MaximumPacketSize); most > 0 {
		hello.Largest = max(1, most-publishOverhead)
	}
	c.link, c.granted = h.f.s.deps.Commands.Attach(hello, c)
	return packets.CodeSuccess
}

// OnSessionEstablished comes when CONNACK is out. The library gets to know the
// subscriptions of a session that goes on, so that it answers UNSUBSCRIBE rightly.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	c := cl.Net.Conn.(*conn)
	for dev, qos := range c.granted.Subscriptions {
		sub := packets.Subscription{Filter: "cmd/" + dev.Tenant + "/" + dev.Name, Qos: qos}
		h.f.server.Topics.Subscribe(cl.ID, sub)
		cl.State.Subscriptions.Add(sub.Filter, sub)
	}
	c.link.Begin()
}

// OnSubscribed comes before SUBACK is written, with the codes that will be in it.
func (h *hook) OnSubscribed(cl *mqtt.Client, pk packets.Packet, codes []byte) {
	link := cl.Net.Conn.(*conn).link
	link.Hold() // SUBACK goes first
	for i, sub := range pk.Filters {
		tenant, device, ok := commandTopic(sub.Filter)
		if !ok || codes[i] > packets.CodeGrantedQos1.Code {
			continue
		}
		if err := link.Subscribe(commands.Device{Tenant: tenant, Name: device}, codes[i]); err != nil {
			h.f.logger.Warn("subscription refused", "client", cl.ID, "error", err)
			codes[i] = packets.ErrUnspecifiedError.Code
		}
	}
}

// OnUnsubscribed comes for UNSUBSCRIBE, and without a packet identifier for
// connections that end: those are no affair of the session.
func (h *hook) OnUnsubscribed(cl *mqtt.Client, pk packets.Packet) {
	if pk.PacketID == 0 {
		return
	}
	for _, sub := range pk.Filters {
		if tenant, device, ok := commandTopic(sub.Filter); ok {
			cl.Net.Conn.(*conn).link.Unsubscribe(commands.Device{Tenant: tenant, Name: device})
		}
	}
}

// OnPacketSent lets deliveries go on after SUBACK.
func (h *hook) OnPacketSent(cl *mqtt.Client, pk packets.Packet, _ []byte) {
	if pk.FixedHeader.Type == packets.Suback {
		cl.Net.Conn.(*conn).link.Begin()
	}
}

// OnConnectAuthenticate has nothing left to decide.
func (h *hook) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnPacketEncode tells MQTT 5 clients what they cannot have, and all of their
// session.
func (h *hook) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type != packets.Connack || pk.ReasonCode != packets.CodeSuccess.Code {
		return pk
	}
	p := &pk.Properties
	p.MaximumPacketSize = maxPacket
	p.RetainAvailable, p.RetainAvailableFlag = 0, true
	p.WildcardSubAvailable, p.WildcardSubAvailableFlag = 0, true
	p.SharedSubAvailable, p.SharedSubAvailableFlag = 0, true
	if c := cl.Net.Conn.(*conn); c.link != nil {
		pk.SessionPresent = c.granted.Present
		p.SessionExpiryIntervalFlag = c.granted.Keep != c.keep
		p.SessionExpiryInterval = uint32(c.granted.Keep / time.Second)
	}
	return pk
}

// OnACLCheck lets a client subscribe to its own commands, by their full name.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	tenant, device, ok := commandTopic(topic)
	_, again := cl.State.Subscriptions.Get(topic)
	c := cl.Net.Conn.(*conn)
	return ok && !write && c.grant.Allows(tenant, device) && (again || cl.State.Subscriptions.Len() < maxSubscriptions)
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

// listener is the door as the library wants it.
type listener struct {
	*door
	server *mqtt.Server
}

// ID implements listeners.Listener, as do the methods below.
func (l *listener) ID() string { return "mqtt" }

// Address is where it listens.
func (l *listener) Address() string { return l.listener.Addr().String() }

// Protocol names the transport.
func (l *listener) Protocol() string { return "tcp" }

// Init has nothing to do.
func (l *listener) Init(*slog.Logger) error { return nil }

// Serve accepts connections until the listener is closed.
func (l *listener) Serve(establish listeners.EstablishFn) {
	l.accept(func(c net.Conn) error { return establish(l.ID(), c) })
}

// Close ends the listener and all connections and waits for them. It says goodbye
// itself: the library's own way takes the lock on its clients for reading twice, and
// waits for ever if one of them leaves in between (mochi-mqtt 2.7, GetByListener).
func (l *listener) Close(listeners.CloseFn) {
	l.stop(func() {
		for _, c := range l.server.Clients.GetAll() {
			if !c.Closed() {
				_ = l.server.DisconnectClient(c, packets.ErrServerShuttingDown) // it may be gone already
			}
		}
	})
}
