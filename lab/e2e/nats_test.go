package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"weir/lab/harness"
	"weir/schemas"
)

// dial connects to the product as whoever the options say: nobody, without any.
func dial(t *testing.T, p *harness.Product, options ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://"+p.NATS, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// request sends a reading and returns the reply and its Weir-Error.
func request(t *testing.T, nc *nats.Conn, subject, payload string) (reply, fault string) {
	t.Helper()
	m, err := nc.Request(subject, []byte(payload), time.Minute)
	if err != nil {
		t.Fatalf("request %s %.80s: %v", subject, payload, err)
	}
	return string(m.Data), m.Header.Get("Weir-Error")
}

func TestNATSReplies(t *testing.T) {
	t.Parallel()
	p := start(t, "--agents", "2")
	nc := dial(t, p)
	ten := make([]string, 10)
	for i := range ten {
		ten[i] = fmt.Sprintf(`{"temp":%d}`, i)
	}
	ten[3] = `{"temp":1e999}`
	for _, c := range []struct{ name, payload, reply, fault string }{
		{"one reading", `{"temp":21.5,"hum":40}`, `{"records":2,"journaled":2}`, ""},
		{"whole reading", `{"temp":21.5,"hum":40,"ts":` + fmt.Sprint(time.Now().UnixMilli()) + `,"seq":17,"boot":"a1","attrs":{"site":"x"}}`, `{"records":2,"journaled":2}`, ""},
		{"boolean and null", `{"on":true,"off":false,"gone":null}`, `{"records":2,"journaled":2}`, ""},
		{"text and nested", `{"temp":1,"note":"x","inner":{"temp":2}}`, `{"records":1,"journaled":1}`, ""},
		{"metrics and nowhere else", `{"temp":1,"metrics":{"hum":2,"ts":3}}`, `{"records":2,"journaled":2}`, ""},
		{"array with a bad one", "[" + strings.Join(ten, ",") + "]", `{"records":10,"journaled":9,"rejected":[{"reason":"bad_value","n":1,"at":3}]}`, ""},
		{"bare number", " 21.5\n", `{"records":1,"journaled":1}`, ""},
		{"negative number", "-3", `{"records":1,"journaled":1}`, ""},
		{"msgpack map", "\x82\xa4temp\xcb\x40\x35\x80\x00\x00\x00\x00\x00\xa3hum\x28", `{"records":2,"journaled":2}`, ""},
		{"msgpack array", "\x92\x81\xa1a\x01\x81\xa1a\x02", `{"records":2,"journaled":2}`, ""},
		{"no values", `{"note":"x"}`, `{"records":1,"journaled":0,"rejected":[{"reason":"no_values","n":1,"at":0}]}`, ""},
		{"cut off", `{"temp":21.5,"ts"`, `{"error":"undecodable","detail":"JSON at byte 17: want : behind a key"}`, "undecodable"},
		{"text", "hello", `{"error":"undecodable","detail":"payload begins with byte 0x68: want a JSON object, array or number, or a msgpack map or array"}`, "undecodable"},
		{"empty", "", `{"error":"undecodable","detail":"empty payload"}`, "undecodable"},
	} {
		reply, fault := request(t, nc, "tel.acme.pump-1.metrics", c.payload)
		wantJSON(t, c.name+": the reply", reply, c.reply)
		if fault != c.fault {
			t.Errorf("%s: Weir-Error is %q, wanted %q", c.name, fault, c.fault)
		}
	}
	for subject, want := range map[string]string{
		"tel.acme.pump-1.traces": "undecodable", "tel.acme.pump-1.else": "bad_subject",
		"tel.acme.pump-1": "bad_subject", "tel.acme.pump-1.metrics.more": "bad_subject", "tel.ac!me.pump-1.metrics": "bad_subject",
	} {
		if reply, fault := request(t, nc, subject, "1"); fault != want {
			t.Errorf("%s: Weir-Error is %q, wanted %q: %s", subject, fault, want, reply)
		}
	}
	p.Settle(tenant, schemas.Account{Received: 30, Counted: 24, Rejected: 6})
	p.Settle("_", schemas.Account{Received: 4, Rejected: 4})
	closed(t, p)
}

func TestNATSPublishes(t *testing.T) {
	t.Parallel()
	p := patient(t)
	nc := dial(t, p)
	from := second()
	for _, payload := range readings(from, 50) {
		if err := nc.Publish("tel.acme.pump-1.metrics", []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range badMessages() {
		if err := nc.Publish("tel.acme.pump-1.metrics", []byte(bad.payload)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	bad := uint64(len(badMessages()))
	p.Settle(tenant, schemas.Account{Received: 50 + bad, Counted: 50, Rejected: bad})
	wantWindow(t, p, "pump-1", from, 50)
	got := harness.Rejections(closed(t, p))
	for _, bad := range badMessages() {
		if got[bad.reason] != 1 {
			t.Errorf("%d rejected as %s, wanted 1", got[bad.reason], bad.reason)
		}
	}
}

// TestRights tries what a client without credentials must not be able to do.
func TestRights(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, subject := range []string{
		"weir.journal.a001", "weir.outbox.a001.commit", "weir.ask.aggregator.ledger", "weir.windows.acme.device",
		"$JS.API.INFO", "$JS.API.STREAM.LIST", "$JS.API.STREAM.PURGE.WEIR_AGENT_JOURNAL", "$JS.API.STREAM.DELETE.WEIR_AGENT_JOURNAL",
		"$KV.WEIR_POLICY.default", "$SYS.REQ.SERVER.PING", "$MQTT.msgs.x", "cmd.acme.pump-1", "_INBOX.guess",
	} {
		wantDenied(t, p, "publish to "+subject, func(nc *nats.Conn) error { return nc.Publish(subject, []byte("1")) })
	}
	for _, subject := range []string{">", "*.>", "weir.>", "weir.journal.a001", "tel.>", "tel.acme.pump-1.metrics", "$JS.>", "$KV.>", "$SYS.>", "*"} {
		wantDenied(t, p, "subscribe to "+subject, func(nc *nats.Conn) error {
			_, err := nc.SubscribeSync(subject)
			return err
		})
	}
	p.Settle("", schemas.Account{})
}

// wantDenied wants the server to say no, on a connection of its own: one refusal
// must not stand for another.
func wantDenied(t *testing.T, p *harness.Product, what string, try func(*nats.Conn) error) {
	t.Helper()
	said := make(chan error, 1)
	nc := dial(t, p, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		select {
		case said <- err:
		default:
		}
	}))
	defer nc.Close()
	if err := errors.Join(try(nc), nc.Flush()); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	select {
	case err := <-said:
		if !errors.Is(err, nats.ErrPermissionViolation) && !strings.Contains(strings.ToLower(err.Error()), "permissions violation") {
			t.Errorf("%s: %v, wanted a permissions violation", what, err)
		}
	case <-time.After(time.Minute):
		t.Errorf("%s is allowed", what)
	}
}

// TestCommands wants a device to hear what operators say on its own subject.
func TestCommands(t *testing.T) {
	t.Parallel()
	p := start(t)
	device := dial(t, p)
	commands, err := device.SubscribeSync("cmd.acme.pump-1")
	if err = errors.Join(err, device.Flush()); err != nil {
		t.Fatal(err)
	}
	credentials := p.Operator()
	operator := dial(t, p, nats.UserInfo(credentials.User, credentials.Password))
	if err := errors.Join(operator.Publish("cmd.acme.pump-1", []byte("slower")), operator.Flush()); err != nil {
		t.Fatal(err)
	}
	m, err := commands.NextMsg(time.Minute)
	if err != nil || string(m.Data) != "slower" {
		t.Errorf("the device hears %v, %v", m, err)
	}
	js, err := operator.JetStream()
	if err == nil {
		_, err = js.StreamInfo("WEIR_AGENT_JOURNAL")
	}
	if err != nil {
		t.Errorf("the operator cannot look at the journal: %v", err)
	}
	if credentials.URL != "nats://"+p.NATS {
		t.Errorf("operator.json names %s, the product listens on %s", credentials.URL, p.NATS)
	}
	if _, err := nats.Connect("nats://"+p.NATS, nats.UserInfo(credentials.User, "guess")); err == nil {
		t.Error("a wrong password is accepted")
	}
}
