package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/lab/harness"
)

// TestSimSignsIn plays devices against a product that lets in nobody but its users,
// over TLS: a box that speaks for a tenant, over MQTT and NATS, and devices that
// each have a user of their own.
func TestSimSignsIn(t *testing.T) {
	t.Parallel()
	a := harness.NewAuthority(t, filepath.Join(t.TempDir(), "authority"))
	box := a.Enroll("acme-box", "tenant: acme")
	own := anyDevice(t, a.Enroll("sown-00001", "tenant: acme, device: sown-00001"))
	p := start(t, a.Door("up")...)

	var sent int64
	for _, way := range [][]string{
		{"--mqtt", "tls://" + p.MQTT, "--qos", "0", "--devices", "20"},
		{"--mqtt", "mqtts://" + p.MQTT, "--qos", "1", "--devices", "20", "--malformed", "2", "--duplicate", "2"},
		{"--nats", "tls://" + p.NATS, "--qos", "1", "--devices", "20"},
		{"--mqtt", "tls://" + p.MQTT, "--qos", "1", "--devices", "1", "--run", "own", "--creds", own},
	} {
		s := p.Simulate(append([]string{"--creds", box, "--tls-ca", a.CA, "--tenant", "acme", "--rate", "10", "--for", "2s", "--size", "1s", "--lateness", "2s"}, way...)...)
		sent += s.Wait().Records
		if r := p.Weir("verify", "--timeout", "60s", "--truth", s.Truth); r.Code != 0 {
			t.Errorf("after %v: %v", way, r)
		}
	}
	if l := closed(t, p); l.Totals.Received < uint64(sent) || l.Totals.Shed != 0 {
		t.Errorf("%d records were sent, the ledger says %+v", sent, l.Totals)
	}

	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no user", []string{"--mqtt", "tls://" + p.MQTT, "--tls-ca", a.CA}, 5, "not authorized"},
		{"unknown authority", []string{"--mqtt", "tls://" + p.MQTT, "--creds", box}, 5, "certificate"},
		{"plain, where TLS is spoken", []string{"--mqtt", p.MQTT, "--creds", box}, 5, "no device could connect"},
		{"authority without TLS", []string{"--mqtt", p.MQTT, "--tls-ca", a.CA}, 2, "tls://"},
		{"in the clear", []string{"--mqtt", "192.0.2.1:1883", "--creds", box}, 2, "in the clear"},
		{"in the clear over NATS", []string{"--nats", "nats://192.0.2.1:4222", "--creds", box}, 2, "in the clear"},
		{"devices of their own over NATS", []string{"--nats", "tls://" + p.NATS, "--creds", own}, 2, "name one user for all"},
		{"no such file", []string{"--mqtt", p.MQTT, "--creds", box + "x"}, 2, "--creds"},
	} {
		r := p.Weir(append([]string{"sim", "--devices", "1", "--for", "1s", "--connect", "1s"}, c.args...)...)
		if r.Code != c.code || !strings.Contains(r.Stderr, c.says) {
			t.Errorf("%s: wanted exit code %d and %q: %v", c.name, c.code, c.says, r)
		}
	}
}

// anyDevice makes credentials of a device those of each device: its name stands for
// the user's.
func anyDevice(t *testing.T, creds string) string {
	t.Helper()
	data, err := os.ReadFile(creds)
	if err != nil {
		t.Fatal(err)
	}
	device := strings.TrimSuffix(filepath.Base(creds), ".json")
	name := creds + "-any"
	if err := os.WriteFile(name, []byte(strings.Replace(string(data), device, "{device}", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
