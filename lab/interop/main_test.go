package interop

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/lab/harness"
)

var (
	weir   harness.Binary
	newer  = flag.String("prometheus", os.Getenv("WEIR_PROMETHEUS"), "a Prometheus of 3.0 or later, with an OTLP receiver")
	tenant = "acme"

	collector    = flag.String("collector", os.Getenv("WEIR_COLLECTOR"), "the collector of lab/peers/collector")
	telemetrygen = flag.String("telemetrygen", os.Getenv("WEIR_TELEMETRYGEN"), "OpenTelemetry's generator telemetrygen")
)

// needs skips a test whose peer is not named.
func needs(t *testing.T, name, path string) {
	t.Helper()
	if path == "" {
		t.Skipf("no %s: make interop builds one, -%s or WEIR_%s name one", name, name, strings.ToUpper(name))
	}
}

func TestMain(m *testing.M) { os.Exit(harness.Main(m, &weir)) }

// windows are short, so that they are final within seconds.
const windows = `[{"name":"device","size":"1s","allowed_lateness":"1s"},{"name":"fleet","size":"1s","allowed_lateness":"1s"}]`

// patient are such windows for senders whose workers may be seconds apart.
const patient = `[{"name":"device","size":"1s","allowed_lateness":"20s"},{"name":"fleet","size":"1s","allowed_lateness":"20s"}]`

// policy writes a policy with exporters into a file.
func policy(t *testing.T, exporters ...map[string]any) string {
	t.Helper()
	return policyOf(t, windows, exporters...)
}

func policyOf(t *testing.T, views string, exporters ...map[string]any) string {
	t.Helper()
	list, err := json.Marshal(exporters)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"views":%s,"exporters":%s}`, views, list), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// send has a device send values of one second, in one message: a device that pauses for
// two seconds gets its window in parts, of which the later ones come too late for Prometheus.
func send(t *testing.T, p *harness.Product, device string, at time.Time, values []float64) {
	t.Helper()
	d := p.Connect(device)
	defer func() { _ = d.Close() }() // all it had to say was acknowledged
	readings := make([]string, len(values))
	for i, v := range values {
		ts := at.Add(time.Duration(i) * time.Second / time.Duration(len(values)))
		readings[i] = fmt.Sprintf(`{"temp":%v,"ts":%d}`, v, ts.UnixMilli())
	}
	say(t, d, device, "["+strings.Join(readings, ",")+"]")
}

func say(t *testing.T, d *harness.Device, device, reading string) {
	t.Helper()
	if err := d.SendAcknowledged("tel/"+tenant+"/"+device+"/metrics", []byte(reading)); err != nil {
		t.Fatal(err)
	}
}

// settle sends until the windows up to now are final, and then some.
func settle(t *testing.T, p *harness.Product, d *harness.Device, device string) {
	t.Helper()
	for range 10 {
		say(t, d, device, fmt.Sprintf(`{"clock":1,"ts":%d}`, time.Now().UnixMilli()))
		harness.Pause(500 * time.Millisecond)
	}
}
