package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"weir/lab/harness"
	"weir/schemas"
)

// document writes a policy document that differs from the fast one by a member.
func document(t *testing.T, p *harness.Product, name, member string) string {
	t.Helper()
	fast, err := os.ReadFile(harness.FastPolicy(t))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.Dir, name)
	text := strings.Replace(string(fast), "{", "{"+member+",", 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestPolicy changes limits while devices send, and fails to break them.
func TestPolicy(t *testing.T) {
	t.Parallel()
	p := start(t, "--agents", "2")
	nc := dial(t, p)
	three := "[1,2,3]"
	if reply, _ := request(t, nc, "tel.acme.pump-1.metrics", three); reply != `{"records":3,"journaled":3}` {
		t.Fatal(reply)
	}
	before := p.Weir("policy", "get")

	for _, bad := range []struct{ member, field string }{
		{`"idle":2`, "idle"}, {`"limits":{"payload":"64XB"}`, "limits.payload"}, {`"limit":{}`, "limit"}, {`"disorder":"-1s"`, "disorder"},
	} {
		file := document(t, p, "bad.json", bad.member)
		for _, command := range []string{"validate", "set"} {
			if r := p.Weir("policy", command, file); r.Code != 3 || !strings.Contains(r.Stderr, bad.field) {
				t.Errorf("%v\nwanted exit code 3 and the field %s", r, bad.field)
			}
		}
	}
	if after := p.Weir("policy", "get"); after.Stdout != before.Stdout {
		t.Errorf("refused documents changed the policy from %s to %s", before.Stdout, after.Stdout)
	}

	if r := p.Weir("policy", "set", document(t, p, "good.json", `"limits":{"readings_per_message":2}`)); r.Code != 0 {
		t.Fatal(r)
	}
	sent := awaitFault(t, nc, three, "too_many")
	breakPolicy(t, p)
	for range 3 {
		if reply, fault := request(t, nc, "tel.acme.pump-1.metrics", three); fault != "too_many" {
			t.Errorf("after an invalid document the last good one is not in force: %s", reply)
		}
	}
	p.Kill()
	p.Flags() // --policy would put its file in force again
	p.Launch()
	p.Ready()
	nc = dial(t, p)
	if reply, fault := request(t, nc, "tel.acme.pump-1.metrics", three); fault != "too_many" {
		t.Errorf("after a restart the last good document is not in force: %s", reply)
	}
	p.Settle(tenant, schemas.Account{Received: 3*sent + 5, Counted: 3 * sent, Rejected: 5})
}

// awaitFault sends until the answer is a fault and returns how often it was none.
// The first message of the test, sent before, is counted too.
func awaitFault(t *testing.T, nc *nats.Conn, payload, want string) (sent uint64) {
	t.Helper()
	sent = 1
	harness.Until(t, 10*time.Second, func() string {
		reply, fault := request(t, nc, "tel.acme.pump-1.metrics", payload)
		if fault == want {
			return ""
		}
		sent++
		return fmt.Sprintf("the reply is %s, wanted %s", reply, want)
	})
	return sent
}

// breakPolicy puts nonsense where the policy is, as an operator can with the
// tools of NATS, and waits until the product has said that it is nonsense.
func breakPolicy(t *testing.T, p *harness.Product) {
	t.Helper()
	o := p.Operator()
	js, err := dial(t, p, nats.UserInfo(o.User, o.Password)).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue("WEIR_POLICY")
	if err != nil {
		t.Fatal(err)
	}
	for _, nonsense := range []string{`{"idle":2}`, `no JSON`} {
		if _, err := kv.Put("default", []byte(nonsense)); err != nil {
			t.Fatal(err)
		}
	}
	harness.Until(t, 10*time.Second, func() string {
		if metrics, err := p.Get("/metrics"); err != nil || !strings.Contains(string(metrics), "\nweir_policy_invalid_total 2\n") {
			return "weir_policy_invalid_total is not 2"
		}
		return ""
	})
}

// TestPublishedWindows hears final windows on NATS, as any backend can.
func TestPublishedWindows(t *testing.T) {
	t.Parallel()
	p := harness.New(t, weir)
	file := filepath.Join(p.Dir, "publish.json")
	err := os.WriteFile(file, []byte(`{"views":[
		{"name":"device","size":"1s","allowed_lateness":"1s"},
		{"name":"fleet","size":"1s","allowed_lateness":"1s","publish":true}]}`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	p.Flags("--policy", file)
	p.Launch()
	p.Ready()
	o := p.Operator()
	nc := dial(t, p, nats.UserInfo(o.User, o.Password))
	windows, err := nc.SubscribeSync("weir.windows.acme.fleet")
	if err = errors.Join(err, nc.Flush()); err != nil {
		t.Fatal(err)
	}
	from := second()
	// One message: whoever pauses for two seconds gets a window in parts.
	request(t, nc, "tel.acme.pump-1.metrics", "["+strings.Join(readings(from, 8), ",")+"]")
	m, err := windows.NextMsg(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var w harness.Window
	if err := json.Unmarshal(m.Data, &w); err != nil {
		t.Fatalf("%v: %s", err, m.Data)
	}
	if w.Count != 8 || w.Sum != 36 || w.Timing != "final" || !w.Start.Equal(from) || w.Tenant != tenant || w.Key["class"] != "default" {
		t.Errorf("published is %s", m.Data)
	}
}
