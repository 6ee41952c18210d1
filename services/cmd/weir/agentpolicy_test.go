package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/datadir"
	"weir/services/policy"
)

// operatorOf is the bus as an operator has it, as with the nats command.
func operatorOf(t *testing.T, i datadir.Instance) *bus.Bus {
	t.Helper()
	o, err := datadir.ReadOperator(filepath.Join(i.Data, "operator.json"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Dial(t.Context(), "nats://"+i.NATS, o.User, o.Password, schemas.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// setPolicy runs weir policy set.
func setPolicy(t *testing.T, i datadir.Instance, key, document string) (code int, messages string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "document.json")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, messages = weir(t, "policy", "set", key, file, "--http", i.HTTP, "--operator", filepath.Join(i.Data, "operator.json"))
	return code, messages
}

// metric waits until /metrics has a line.
func (p *process) metric(i datadir.Instance, line string) {
	p.t.Helper()
	p.eventually(line, func() error {
		page, err := get(i, "/metrics")
		if err == nil && !strings.Contains(string(page), "\n"+line+"\n") {
			err = errors.New("no such line in /metrics")
		}
		return err
	})
}

// deviceAt names a device of tenant demo that belongs to the agent.
func deviceAt(agent string, agents int) string {
	for k := 0; ; k++ {
		if d := fmt.Sprint("boiler-", k); agentName(schemas.AgentOf("demo", d, agents)) == agent {
			return d
		}
	}
}

// TestPolicyOfOneAgent gives one of three agents another limit and window size,
// then documents that cannot be, and starts again.
func TestPolicyOfOneAgent(t *testing.T) {
	common := filepath.Join(t.TempDir(), "default.json")
	if err := os.WriteFile(common, []byte(`{"idle":"200ms","reconnect_grace":"100ms"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p, i := up(t, t.TempDir(), "--agents", "3", "--regions", "2", "--policy", common)
	b := operatorOf(t, i)
	const layer = `{"limits":{"readings_per_message":1},"views":[{"name":"device","size":"5s"}]}`
	if code, messages := setPolicy(t, i, "agent.a002", layer); code != exitOK {
		t.Fatalf("exit code %d: %s", code, messages)
	}
	p.metric(i, `weir_policy_revision{agent="a002"} 2`)
	p.metric(i, `weir_policy_revision{agent="a001"} 1`)

	hour := time.Now().UTC().Truncate(time.Minute).Add(-time.Hour)
	two := fmt.Sprintf(`[{"hum":40,"ts":%[1]d},{"hum":41,"ts":%[1]d}]`, hour.UnixMilli())
	strict, free := deviceAt("a002", 3), deviceAt("a003", 3)
	ask := func(device, text string) string {
		t.Helper()
		answer, err := b.Ask(t.Context(), schemas.Telemetry("demo", device, schemas.Metrics), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	refused := func() {
		t.Helper()
		if got := ask(strict, two); !strings.Contains(got, "too_many") {
			t.Errorf("two readings on a002: %s", got)
		}
		if got := ask(free, two); got != `{"records":2,"journaled":2}` {
			t.Errorf("two readings on a003: %s", got)
		}
	}
	refused()
	for device, size := range map[string]time.Duration{strict: 5 * time.Second, free: 10 * time.Second} {
		ask(device, fmt.Sprintf(`{"temp":1,"ts":%d}`, hour.Add(size).UnixMilli()-1)) // the end of it is near
		p.window(i, device, hour, size)
	}
	p.devices(i, strict, schemas.TooMany)

	for document, field := range map[string]string{
		`{"limits":{"depth":0}}`:                         "limits.depth",
		`{"limits":{"tenants":5}}`:                       "limits.tenants",
		`{"views":[{"name":"fleet","uplink":"region"}]}`: `views["fleet"].uplink`,
	} {
		if code, messages := setPolicy(t, i, "agent.a002", document); code != exitInvalid || !strings.Contains(messages, field) {
			t.Errorf("%s: exit code %d, %s", document, code, messages)
		}
	}
	bucket, err := b.Bucket(t.Context(), schemas.BucketPolicy, policy.History)
	if err != nil {
		t.Fatal(err)
	}
	for n, document := range []string{`{"limits":{"depth":0}}`, `{"limits":{"tenants":5}}`} {
		if _, err := bucket.Put(t.Context(), policy.AgentKey("a002"), []byte(document)); err != nil {
			t.Fatal(err)
		}
		p.metric(i, fmt.Sprint("weir_policy_invalid_total ", n+1))
	}
	p.metric(i, `weir_policy_revision{agent="a002"} 2`)
	refused()
	p.kill()
	p, i = up(t, i.Data)
	b = operatorOf(t, i)
	p.metric(i, `weir_policy_revision{agent="a002"} 2`)
	refused()
	p.interrupt()
}

// window waits for the window of a device that begins at a time, and looks at its size.
func (p *process) window(i datadir.Instance, device string, start time.Time, size time.Duration) {
	p.t.Helper()
	from, to := start.Add(-time.Minute).Format(time.RFC3339), start.Add(time.Minute).Format(time.RFC3339)
	p.eventually("in a window", func() error {
		page, err := get(i, "/api/v1/windows?view=device&metric=temp&device="+device+"&from="+from+"&to="+to)
		if err != nil {
			return err
		}
		var row struct{ Start, End time.Time }
		line, _, _ := bytes.Cut(page, []byte("\n"))
		if err := json.Unmarshal(line, &row); err != nil {
			return err
		}
		if !row.Start.Equal(start) || row.End.Sub(row.Start) != size {
			p.t.Errorf("window of %s is %v to %v, want %v of %v", device, row.Start, row.End, size, start)
		}
		return nil
	})
}

// devices waits until a device is listed with a refusal.
func (p *process) devices(i datadir.Instance, device string, why schemas.Reason) {
	p.t.Helper()
	p.eventually("listed", func() error {
		page, err := get(i, "/api/v1/devices?device="+device)
		if err != nil {
			return err
		}
		var d schemas.Device
		if err := json.Unmarshal(page, &d); err != nil {
			return err
		}
		if d.Rejected[why] == 0 || d.Records == 0 {
			return fmt.Errorf("device %+v", d)
		}
		return nil
	})
}
