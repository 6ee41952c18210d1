// Package e2e judges the built weir from outside, with clients that other people
// wrote: mosquitto_pub, paho.mqtt.golang and nats.go.
//
// In: the binary (flag -weir, else built from the sources). Out: pass, or what
// differs from what the documentation says, with the product's log.
//
// Each test has a product of its own. Kills under load are in lab/torture.
package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/lab/harness"
	"weir/schemas"
)

var weir harness.Binary

func TestMain(m *testing.M) { os.Exit(harness.Main(m, &weir)) }

// start is a product with short windows.
func start(t *testing.T, args ...string) *harness.Product {
	t.Helper()
	return harness.Start(t, weir, append([]string{"--policy", harness.FastPolicy(t)}, args...)...)
}

// patient is a product with short windows that wait: readings that come one by one are
// in time though the machine pauses between them.
func patient(t *testing.T, args ...string) *harness.Product {
	t.Helper()
	p := harness.New(t, weir)
	file := filepath.Join(p.Dir, "patient.json")
	views := `{"views":[{"name":"device","size":"1s","allowed_lateness":"30s"},{"name":"fleet","size":"1s","allowed_lateness":"30s"}]}`
	if err := os.WriteFile(file, []byte(views), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Flags(append([]string{"--policy", file}, args...)...)
	p.Launch()
	p.Ready()
	return p
}

// tenant is the one that most tests use.
const tenant = "acme"

// second is the start of the last whole second: readings in it are in one window
// of the fast policy, and neither early nor late.
func second() time.Time { return time.Now().Truncate(time.Second).Add(-time.Second) }

// readings are n payloads with the values 1 to n, spread over the second that
// begins at from.
func readings(from time.Time, n int) []string {
	all := make([]string, n)
	for i := range all {
		ts := from.Add(time.Duration(i) * time.Second / time.Duration(n))
		all[i] = fmt.Sprintf(`{"temp":%d,"ts":%d}`, i+1, ts.UnixMilli())
	}
	return all
}

// wantWindow wants exactly one window of a device: that of readings(from, n). Who
// shows windows reads them beside who counts them.
func wantWindow(t *testing.T, p *harness.Product, device string, from time.Time, n int) {
	t.Helper()
	var rows []harness.Window
	harness.Until(t, settledWithin, func() string {
		if rows = p.Windows("--tenant", tenant, "--device", device); len(rows) != 1 || rows[0].Count != uint64(n) {
			return fmt.Sprintf("the windows of device %s are %+v, wanted one of %d", device, rows, n)
		}
		return ""
	})
	w, last := rows[0], float64(n)
	if w.Count != uint64(n) || w.Sum != last*(last+1)/2 || w.Min != 1 || w.Max != last {
		t.Errorf("window of %s has count %d, sum %g, min %g, max %g, wanted those of 1 to %d", device, w.Count, w.Sum, w.Min, w.Max, n)
	}
	if w.View != "device" || w.Tenant != tenant || !maps.Equal(w.Key, map[string]string{"device": device, "metric": "temp"}) {
		t.Errorf("window of %s is of tenant %s, view %s, key %v", device, w.Tenant, w.View, w.Key)
	}
	if !w.Start.Equal(from) || !w.End.Equal(from.Add(time.Second)) {
		t.Errorf("window of %s is [%v, %v), wanted the second from %v", device, w.Start, w.End, from)
	}
}

// counted is the account of n records that are all good.
func counted(n uint64) schemas.Account { return schemas.Account{Received: n, Counted: n} }

// closed wants the ledger as it is now to explain everything.
func closed(t *testing.T, p *harness.Product) *schemas.Ledger {
	t.Helper()
	l := p.Ledger()
	if wrong := harness.Unbalanced(l); wrong != "" {
		t.Error(wrong)
	}
	return l
}

// A badMessage is one that must be refused, whatever brings it.
type badMessage struct {
	reason  schemas.Reason
	payload string
}

// badMessages are one of each kind that a payload alone can be.
func badMessages() []badMessage {
	return []badMessage{
		{schemas.Undecodable, `{"temp":21.5`},
		{schemas.TooLarge, `{"temp":21.5,"note":"` + strings.Repeat("x", 70_000) + `"}`},
		{schemas.TooDeep, `{"temp":21.5,"deep":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`},
		{schemas.TooMany, `[` + strings.Repeat("1,", 1000) + `1]`},
		{schemas.BadName, `{"9 lives":21.5}`},
		{schemas.BadValue, `{"temp":1e999}`},
		{schemas.BadTime, `{"temp":21.5,"ts":86400}`},
		{schemas.NoValues, `{"note":"no number in here"}`},
		{schemas.Future, fmt.Sprintf(`{"temp":21.5,"ts":%d}`, time.Now().Add(time.Hour).UnixMilli())},
	}
}

// wantJSON wants a text that is JSON of exactly this form.
func wantJSON(t *testing.T, what, got, want string) {
	t.Helper()
	if !json.Valid([]byte(got)) || got != want {
		t.Errorf("%s is %s, wanted %s", what, got, want)
	}
}
