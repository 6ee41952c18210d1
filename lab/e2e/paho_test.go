package e2e

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"weir/lab/harness"
	"weir/schemas"
)

const pahoWithin = 30 * time.Second

// pahoOptions are those of a client that tries nothing by itself.
func pahoOptions(p *harness.Product, id string) *paho.ClientOptions {
	return paho.NewClientOptions().AddBroker("tcp://" + p.MQTT).SetClientID(id).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(time.Minute)
}

// connect connects a client that must be let in.
func connect(t *testing.T, o *paho.ClientOptions) paho.Client {
	t.Helper()
	c := paho.NewClient(o)
	done(t, c.Connect())
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

// done waits for what must succeed.
func done(t *testing.T, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(pahoWithin) || token.Error() != nil {
		t.Fatalf("not done within %v: %v", pahoWithin, token.Error())
	}
}

const pump = "tel/acme/pump-1/metrics"

func TestPahoPublishes(t *testing.T) {
	t.Parallel()
	p := patient(t)
	from := second()
	for qos, device := range []string{"pump-0", "pump-1"} {
		c := connect(t, pahoOptions(p, device))
		for _, payload := range readings(from, 20) {
			done(t, c.Publish("tel/acme/"+device+"/metrics", byte(qos), false, payload))
		}
		c.Disconnect(250)
	}
	p.Settle(tenant, counted(40))
	wantWindow(t, p, "pump-0", from, 20)
	wantWindow(t, p, "pump-1", from, 20)
	closed(t, p)
}

// TestPahoOverKill kills the product while a client publishes. The client sends
// what is not acknowledged again, in order, and each reading counts once. (With
// paho's default store it would be in no order at all: the repeat filter remembers
// a bounded number of gaps, and declares what it forgets.)
func TestPahoOverKill(t *testing.T) {
	t.Parallel()
	p := start(t)
	o := pahoOptions(p, "pump-1").SetAutoReconnect(true).SetMaxReconnectInterval(50 * time.Millisecond).
		SetCleanSession(false).SetStore(paho.NewOrderedMemoryStore())
	c := connect(t, o)
	const n, kills = 600, 2
	tokens := make([]paho.Token, n)
	for i := range tokens {
		if i%(n/(kills+1)) == n/(kills+1)-1 {
			awaitOpen(t, c)
			p.Kill()
			p.Launch()
			p.Ready()
		}
		tokens[i] = c.Publish(pump, 1, false, fmt.Sprintf(`{"temp":1,"seq":%d,"boot":"a1"}`, i))
	}
	// A write to a connection that broke is an error, too: the client keeps the reading
	// and sends it again, and the account tells whether it came.
	var broke *net.OpError
	for i, token := range tokens {
		if !token.WaitTimeout(pahoWithin) || token.Error() != nil && !errors.As(token.Error(), &broke) {
			t.Fatalf("reading %d is not acknowledged: %v", i, token.Error())
		}
	}
	harness.Until(t, pahoWithin, func() string {
		l, err := p.Balance()
		if err != nil {
			return err.Error()
		}
		a := harness.AccountOf(l, tenant)
		if a.Counted != n || a.Received != n+a.Duplicate || a.InFlight != 0 || a.Unexplained != 0 {
			return fmt.Sprintf("the account is %+v, wanted %d counted and nothing else but repeats", a, n)
		}
		return ""
	})
	closed(t, p)
}

// awaitOpen waits until a client that reconnects is connected.
func awaitOpen(t *testing.T, c paho.Client) {
	t.Helper()
	harness.Until(t, pahoWithin, func() string {
		if !c.IsConnectionOpen() {
			return "the client is not connected"
		}
		return ""
	})
}

// TestPahoClientID wants a client id to be safe from others and open to its owner.
func TestPahoClientID(t *testing.T) {
	t.Parallel()
	p := start(t)
	var lost atomic.Bool
	o := pahoOptions(p, "pump-1").SetUsername("alice").SetConnectionLostHandler(func(paho.Client, error) { lost.Store(true) })
	alice := connect(t, o)

	thief := paho.NewClient(pahoOptions(p, "pump-1").SetUsername("bob"))
	token := thief.Connect()
	if token.WaitTimeout(pahoWithin); token.Error() == nil {
		t.Error("another user takes the client id over")
	}
	done(t, alice.Publish(pump, 1, false, "1"))
	if lost.Load() {
		t.Error("the owner lost its connection to somebody who was refused")
	}

	again := connect(t, pahoOptions(p, "pump-1").SetUsername("alice"))
	done(t, again.Publish(pump, 1, false, "2"))
	harness.Until(t, pahoWithin, func() string {
		if !lost.Load() {
			return "the old connection of the same user lives beside the new one"
		}
		return ""
	})
	p.Settle(tenant, counted(2))
}

func TestPahoQoS2(t *testing.T) {
	t.Parallel()
	p := start(t)
	lost := make(chan error, 1)
	c := connect(t, pahoOptions(p, "pump-1").SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err }))
	c.Publish(pump, 2, false, "1")
	select {
	case <-lost:
	case <-time.After(pahoWithin):
		t.Error("a publish at QoS 2 does not end the connection")
	}
	p.Settle(tenant, schemas.Account{Received: 1, Rejected: 1})
	if got := harness.Rejections(closed(t, p)); got[schemas.Unsupported] != 1 {
		t.Errorf("rejected are %v, wanted one unsupported", got)
	}
}

// TestPahoSubscribes wants a device to hear its own commands and nothing else.
func TestPahoSubscribes(t *testing.T) {
	t.Parallel()
	p := start(t)
	c := connect(t, pahoOptions(p, "pump-1"))
	for filter, want := range map[string]byte{
		"cmd/acme/pump-1": 1, "cmd/acme/#": 0x80, "cmd/+/pump-1": 0x80, "#": 0x80, "tel/#": 0x80, pump: 0x80, "$SYS/#": 0x80, "weir/#": 0x80,
	} {
		token := c.Subscribe(filter, 1, nil)
		if !token.WaitTimeout(pahoWithin) {
			t.Fatalf("subscribe %s: no answer", filter)
		}
		got := token.(*paho.SubscribeToken).Result()[filter]
		if got != want {
			t.Errorf("subscribe %s: granted %#x, wanted %#x (%v)", filter, got, want, token.Error())
		}
	}
}
