package e2e

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/nats-io/nats.go"

	"weir/lab/harness"
)

// hearing is an MQTT session of a device, with what it has heard.
type hearing struct {
	client paho.Client
	heard  chan string
}

// hear connects a device with a session that outlives its connection.
func hear(t *testing.T, p *harness.Product, device string) hearing {
	t.Helper()
	h := hearing{heard: make(chan string, 100)}
	take := func(_ paho.Client, m paho.Message) { h.heard <- string(m.Payload()) }
	h.client = connect(t, pahoOptions(p, device).SetCleanSession(false).SetDefaultPublishHandler(take))
	done(t, h.client.Subscribe("cmd/acme/"+device, 1, nil))
	return h
}

// want wants a device to hear these in order, and nothing twice. What was asked
// before a link stood may come in between.
func (h hearing) want(t *testing.T, commands ...string) {
	t.Helper()
	var got []string
	deadline := time.After(harness.Busy * settledWithin)
	for next := 0; next < len(commands); {
		select {
		case c := <-h.heard:
			if slices.Contains(got, c) {
				t.Errorf("%q comes twice", c)
			}
			if got = append(got, c); c == commands[next] {
				next++
			}
		case <-deadline:
			t.Fatalf("heard %q, wanted %q", got, commands[next:])
		}
	}
}

// asOperator connects to a product as its operator.
func asOperator(t *testing.T, p *harness.Product) *nats.Conn {
	t.Helper()
	o := p.Operator()
	return dial(t, p, nats.UserInfo(o.User, o.Password))
}

// command asks for something until the answer is the wanted one: links come up in
// their own time. It returns what was asked then.
func command(t *testing.T, nc *nats.Conn, device, what, want string) (asked string) {
	t.Helper()
	n := 0
	harness.Until(t, settledWithin, func() string {
		n++
		asked = fmt.Sprint(what, " ", n)
		m, err := nc.Request("cmd.acme."+device, []byte(asked), 2*time.Second)
		switch {
		case err != nil && err.Error() == want:
			return ""
		case err != nil:
			return err.Error()
		case string(m.Data) != want:
			return string(m.Data)
		}
		return ""
	})
	return asked
}

const takenNow = `{"kept":true,"connected":1}`

// TestCommandsFromAbove sends commands from the center and from a region to a device
// at an agent: they come once, are kept while the device is away, and who asks is
// told; and told that there is nobody while the link is down.
func TestCommandsFromAbove(t *testing.T) {
	t.Parallel()
	f := harness.StartFleet(t, weir, harness.Layout{"north": {"a001"}}, harness.FastPolicy(t))
	region, center := asOperator(t, f.Regions["north"]), asOperator(t, f.Center)
	pump := hear(t, f.Agents["a001"], "pump-1")
	pump.want(t, command(t, region, "pump-1", "by the region", takenNow))
	pump.want(t, command(t, center, "pump-1", "by the center", takenNow))
	for i, nc := range []*nats.Conn{region, center} {
		unasked, end := fmt.Sprint("unasked ", i), fmt.Sprint("end ", i)
		if err := errors.Join(nc.Publish("cmd.acme.pump-1", []byte(unasked)), nc.Publish("cmd.acme.pump-1", []byte(end)), nc.Flush()); err != nil {
			t.Fatal(err)
		}
		pump.want(t, unasked, end)
	}

	pump.client.Disconnect(250)
	first := command(t, region, "pump-1", "by the region while it is away", `{"kept":true,"connected":0}`)
	second := command(t, center, "pump-1", "by the center while it is away", `{"kept":true,"connected":0}`)
	f.Links["a001"].Cut()
	command(t, region, "pump-1", "while the link is down", nats.ErrNoResponders.Error())
	pump = hear(t, f.Agents["a001"], "pump-1")
	pump.want(t, first, second)
	f.Links["a001"].Heal()
	pump.want(t, command(t, region, "pump-1", "after it", takenNow))
}

// TestCommandsOverASharedRegion does so where two gateways share a server that is not
// the product's, one of which is killed: one of them at a time hands a command down.
func TestCommandsOverASharedRegion(t *testing.T) {
	t.Parallel()
	f, gateways := harness.StartShared(t, weir, harness.StartServer(t), "north", []string{"g1", "g2"}, []string{"a001"}, harness.FastPolicy(t))
	center := asOperator(t, f.Center)
	pump := hear(t, f.Agents["a001"], "pump-1")
	pump.want(t, command(t, center, "pump-1", "by two", takenNow))
	gateways[0].Kill()
	pump.want(t, command(t, center, "pump-1", "by the other", takenNow))
}
