package e2e

import (
	"maps"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"weir/lab/harness"
	"weir/schemas"
)

// mosquitto runs mosquitto_pub against the product.
func mosquitto(t *testing.T, p *harness.Product, stdin string, args ...string) (output string, err error) {
	t.Helper()
	host, port, _ := net.SplitHostPort(p.MQTT)
	cmd := exec.CommandContext(t.Context(), "mosquitto_pub", append([]string{"-h", host, "-p", port}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if _, missing := exec.LookPath("mosquitto_pub"); missing != nil {
		t.Fatalf("%v: make deps installs it", missing)
	}
	return string(out), err
}

// publish is mosquitto where it must succeed.
func publish(t *testing.T, p *harness.Product, stdin string, args ...string) {
	t.Helper()
	if out, err := mosquitto(t, p, stdin, args...); err != nil {
		t.Errorf("mosquitto_pub %v: %v: %s", args, err, out)
	}
}

func TestMosquitto(t *testing.T) {
	t.Parallel()
	p := patient(t, "--agents", "3", "--regions", "2")
	from := second()
	lines := strings.Join(readings(from, 10), "\n") + "\n"
	for _, version := range []string{"mqttv311", "mqttv5"} {
		for _, qos := range []string{"0", "1"} {
			publish(t, p, lines, "-V", version, "-q", qos, "-t", "tel/acme/"+version+"-"+qos+"/metrics", "-l")
		}
	}
	want := map[schemas.Reason]uint64{schemas.NoValues: 1, schemas.BadSubject: 1}
	for _, bad := range badMessages() {
		publish(t, p, bad.payload, "-q", "1", "-t", "tel/acme/poison/metrics", "-s")
		want[bad.reason]++
	}
	publish(t, p, "", "-q", "1", "-t", "tel/acme/poison/traces", "-m", "{}")
	publish(t, p, "", "-q", "1", "-t", "tel/acme/poison/else", "-m", "{}")

	bad := uint64(len(badMessages()) + 1) // nobody's subject is nobody's tenant's
	p.Settle(tenant, schemas.Account{Received: 40 + bad, Counted: 40, Rejected: bad})
	p.Settle("_", schemas.Account{Received: 1, Rejected: 1})
	for _, device := range []string{"mqttv311-0", "mqttv311-1", "mqttv5-0", "mqttv5-1"} {
		wantWindow(t, p, device, from, 10)
	}
	if got := harness.Rejections(closed(t, p)); !maps.Equal(got, want) {
		t.Errorf("rejected are %v, wanted %v", got, want)
	}
	wantParked(t, p)
}

// wantParked wants the undecodable message among the samples, as it was sent.
func wantParked(t *testing.T, p *harness.Product) {
	t.Helper()
	samples := p.Parked("--tenant", tenant, "--reason", string(schemas.Undecodable))
	sent := badMessages()[0].payload
	if !slices.ContainsFunc(samples, func(s harness.Sample) bool { return s.Text == sent && s.Subject == "tel/acme/poison/metrics" }) {
		t.Errorf("%s is not parked: %+v", sent, samples)
	}
}

// TestMosquittoQoS2 wants QoS 2 to be refused and said so: the client is told the
// most that it may use before it publishes, or is cut off.
func TestMosquittoQoS2(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, version := range []string{"mqttv311", "mqttv5"} {
		out, err := mosquitto(t, p, "", "-V", version, "-q", "2", "-t", "tel/acme/pump-1/metrics", "-m", `{"temp":21.5}`)
		if err == nil && !strings.Contains(out, "QoS not supported") {
			t.Errorf("mosquitto_pub -V %s -q 2 seems to succeed: %s", version, out)
		}
	}
	publish(t, p, "", "-q", "1", "-t", "tel/acme/pump-1/metrics", "-m", `{"temp":21.5}`)
	p.Settle(tenant, schemas.Account{Received: 2, Counted: 1, Rejected: 1})
	if got := harness.Rejections(closed(t, p)); got[schemas.Unsupported] != 1 {
		t.Errorf("rejected are %v, wanted the 3.1.1 client's message as unsupported", got)
	}
}
