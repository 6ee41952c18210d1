package bus

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
)

// anon connects as a device or tool without credentials. What it returns reports
// whether the server has denied something since the last call.
func anon(t *testing.T, e *Embedded, opts ...nats.Option) (nc *nats.Conn, denied func() bool) {
	t.Helper()
	opts = append(opts, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	nc, err := nats.Connect("nats://"+e.Addr(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	var last error
	return nc, func() bool {
		t.Helper()
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		before := last
		last = nc.LastError() // each refusal is one of its own, and known before the flush is answered
		if last != nil && !errors.Is(last, nats.ErrPermissionViolation) {
			t.Fatal(last)
		}
		return last != before
	}
}

func TestAnonymousRights(t *testing.T) {
	e := embed(t, Config{Listen: "127.0.0.1:0"})
	nc, denied := anon(t, e)
	f := func(what string, want bool, do func() error) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if got := !denied(); got != want {
			t.Errorf("anyone may %s: %v", what, got)
		}
	}
	publish := func(subject string, want bool) {
		t.Helper()
		f("publish "+subject, want, func() error { return nc.Publish(subject, nil) })
	}
	subscribe := func(subject string, want bool) {
		t.Helper()
		f("subscribe to "+subject, want, func() error {
			_, err := nc.SubscribeSync(subject)
			return err
		})
	}
	publish("tel.t.d.metrics", true)
	publish("s.a", false)
	publish("weir.journal.a1", false)
	publish("weir.ask.aggregator.ledger", false)
	publish("cmd.t.d", false)
	publish("_INBOX.x", false)
	publish(serviceInbox+".x", false)
	publish("$JS.API.STREAM.PURGE.T_S", false)
	publish("$JS.API.INFO", false)
	publish("$JS.ACK.T_S.c.1.1.1.1.1", false)
	publish("$KV.T_POLICY.default", false)
	publish("$MQTT.sub.x", false)
	publish("$SYS.REQ.SERVER.PING", false)
	subscribe("cmd.t.d", true)
	subscribe("_INBOX.x.*", true)
	for _, subject := range []string{
		">", "*.>", "tel.>", "weir.>", "s.a", "$JS.>", "$KV.>", "$SYS.>", serviceInbox + ".>", "_*.>",
	} {
		subscribe(subject, false)
	}
}

// TestAnonymousHearsNoAnswersToServices: what readers get of a stream comes to
// an inbox, and anyone may listen on _INBOX.
func TestAnonymousHearsNoAnswersToServices(t *testing.T) {
	e := embed(t, Config{Listen: "127.0.0.1:0"})
	nc, denied := anon(t, e)
	sub, err := nc.SubscribeSync("_INBOX.>")
	if err != nil {
		t.Fatal(err)
	}
	if denied() {
		t.Fatal("the server denies inboxes")
	}
	fill(t, e.Bus, "s.a", "s.b")
	k, err := e.Bucket(t.Context(), "B", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Put(t.Context(), "a", []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	sequences(t, e.Bus, 0)
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if n, _, err := sub.Pending(); n != 0 || err != nil {
		t.Errorf("heard %d messages, %v", n, err)
	}
}

func TestUsers(t *testing.T) {
	e := embed(t, Config{Listen: "127.0.0.1:0"})
	b, err := Dial(t.Context(), "nats://"+e.Addr(), UserOperator, "secret", "T_")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.Usage(t.Context(), "S", ""); err != nil {
		t.Errorf("the operator may not look: %v", err)
	}
	for _, c := range []struct{ user, password string }{{UserOperator, "wrong"}, {UserOperator, ""}, {UserService, ""}, {"nobody", "x"}} {
		if b, err := Dial(t.Context(), "nats://"+e.Addr(), c.user, c.password, "T_"); err == nil {
			t.Errorf("user %q connects with password %q", c.user, c.password)
			b.Close()
		}
	}
}

// TestNoOperator: without a password there is nobody to log in as.
func TestNoOperator(t *testing.T) {
	e, err := Embed(Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: quietLog})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	if b, err := Dial(t.Context(), "nats://"+e.Addr(), UserOperator, "", ""); err == nil {
		b.Close()
		t.Error("the operator connects without a password")
	}
}
