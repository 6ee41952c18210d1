package main

import (
	"bufio"
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
	"weir/services/internal/datadir"
	"weir/simulator/plan"
)

// findingsOf asks an instance for findings.
func findingsOf(i datadir.Instance, query string) ([]schemas.FindingRow, error) {
	data, err := get(i, "/api/v1/findings"+query)
	if err != nil {
		return nil, err
	}
	var rows []schemas.FindingRow
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var r schemas.FindingRow
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s: %w", lines.Bytes(), err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// finding waits until there is one finding that fits, and returns it.
func (p *process) finding(at datadir.Instance, what, query string, fits func(*schemas.FindingRow) bool) (found schemas.FindingRow) {
	p.t.Helper()
	p.eventually(what, func() error {
		rows, err := findingsOf(at, query)
		if err != nil {
			return err
		}
		n := 0
		for _, r := range rows {
			if fits(&r) {
				found = r
				n++
			}
		}
		if n != 1 {
			return fmt.Errorf("%d of %d findings: %+v", n, len(rows), rows)
		}
		return nil
	})
	return found
}

// TestFindingOverKill: a limit that is broken is a finding within two seconds, which
// goes on over kill -9 under its ID and ends once, at every tier.
func TestFindingOverKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	document := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(document, []byte(`{"reconnect_grace": "2s", "detect": {"metrics": {"temp": {"max": 80}}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p, i := up(t, dir, "--policy", document)
	send(t, i, `{"temp":21.5}`)
	cause := time.Now()
	send(t, i, `{"temp":95}`)
	limit := func(r *schemas.FindingRow) bool { return r.Kind == "limit" }
	open := p.finding(i, "told of the limit", "", limit)
	if took := time.Since(cause); took > busy*2*time.Second {
		t.Errorf("cause to finding took %v, want 2 s at most", took)
	}
	if open.Device != "boiler-1" || !open.Open() || open.Severity != "critical" || open.Threshold != 80 || open.Tenant != "demo" {
		t.Errorf("finding %+v", open)
	}
	for _, tier := range []string{"agent", "region", "center"} {
		r := p.finding(i, "known at "+tier, "?tier="+tier+"&open=true", limit)
		if r.ID != open.ID {
			t.Errorf("at %s its ID is %s, want %s", tier, r.ID, open.ID)
		}
	}
	p.kill()

	p, i = up(t, dir)
	r := p.finding(i, "known after kill -9", "?open=true", limit)
	if r.ID != open.ID || r.Started != open.Started {
		t.Errorf("after kill -9 finding %s since %s is %s since %s", open.ID, open.Started, r.ID, r.Started)
	}
	p.eventually("closed", func() error {
		send(t, i, `{"temp":21.5}`)
		rows, err := findingsOf(i, "?tier=center")
		if err == nil && (len(rows) != 1 || rows[0].State != "closed") {
			err = fmt.Errorf("findings %+v", rows)
		}
		return err
	})
	for _, tier := range []string{"agent", "region", "center"} {
		r := p.finding(i, "closed at "+tier, "?tier="+tier, limit)
		if r.ID != open.ID || r.State != "closed" || r.Ended == nil {
			t.Errorf("at %s: %+v", tier, r)
		}
	}
	if code, out, messages := weir(t, "findings", "--http", i.HTTP, "--device", "boiler-1"); code != exitOK || !bytes.Contains([]byte(out), []byte("above its limit 80")) {
		t.Errorf("exit code %d: %s %s", code, out, messages)
	}
	p.interrupt()
}

// pumping is a pump that sends ten readings a second of event time.
type pumping struct {
	began time.Time
	n     int // readings sent
}

// send sends readings in which pressure follows flow, or goes against it.
func (d *pumping) send(t *testing.T, i datadir.Instance, readings int, against bool) {
	t.Helper()
	var batch []string
	for range readings {
		flow, pressure := plan.Pump(int64(d.n % 1000))
		if against {
			pressure = 8 - pressure
		}
		at := d.began.Add(time.Duration(d.n) * 100 * time.Millisecond)
		batch = append(batch, fmt.Sprintf(`{"flow":%g,"pressure":%g,"ts":%d}`, flow, pressure, at.UnixMilli()))
		d.n++
	}
	sendAs(t, i, "pump-1", "["+strings.Join(batch, ",")+"]")
}

// TestJointFindingOverKill: what no metric shows alone is one finding of the device, which goes on over kill -9 under its
// ID and ends once.
func TestJointFindingOverKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	document := filepath.Join(t.TempDir(), "policy.json")
	const policy = `{"views": [{"name": "device", "size": "100ms", "allowed_lateness": "1s"}], "disorder": "100ms", "max_past": "1d",
		"detect": {"silent_after": "0s", "stuck_after": "0s", "joint": [{"metrics": ["flow", "pressure"]}]}}`
	if err := os.WriteFile(document, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	p, i := up(t, dir, "--policy", document)
	pump := pumping{began: time.Now().Add(-time.Hour).Truncate(time.Second)}
	pump.send(t, i, 10, false)
	p.eventually("watching flow, pressure and their group", func() error {
		metrics, err := get(i, "/metrics")
		if err == nil && !bytes.Contains(metrics, []byte(`weir_detector_series{agent="a001"} 5`)) {
			err = errors.New("it has no group yet, which takes the room of three series")
		}
		return err
	})
	for range 30 { // by then it knows how far a healthy pump goes
		pump.send(t, i, 100, false)
	}
	pump.send(t, i, 30, true)
	pump.send(t, i, 20, false) // the windows close
	joint := func(r *schemas.FindingRow) bool { return r.Detector == "joint" }
	open := p.finding(i, "told of the pump", "?open=true", joint)
	if open.Device != "pump-1" || open.Metric != "flow+pressure" || open.Kind != "anomaly" || len(open.Evidence) != 2 {
		t.Errorf("finding %+v", open)
	}
	r := p.finding(i, "known at the center", "?tier=center&open=true&metric=pressure", joint)
	if r.ID != open.ID {
		t.Errorf("at the center its ID is %s, want %s", r.ID, open.ID)
	}
	p.kill()

	p, i = up(t, dir)
	r = p.finding(i, "known after kill -9", "?open=true", joint)
	if r.ID != open.ID || r.Started != open.Started {
		t.Errorf("after kill -9 finding %s since %s is %s since %s", open.ID, open.Started, r.ID, r.Started)
	}
	for range 4 { // it is calm for half a minute
		pump.send(t, i, 100, false)
	}
	p.eventually("closed", func() error {
		pump.send(t, i, 20, false)
		rows, err := findingsOf(i, "?tier=center")
		if err == nil && (len(rows) != 1 || rows[0].State != "closed" || rows[0].ID != open.ID) {
			err = fmt.Errorf("findings %+v", rows)
		}
		return err
	})
	code, out, messages := weir(t, "findings", "--http", i.HTTP, "--device", "pump-1")
	if code != exitOK || !strings.Contains(out, "flow, pressure of pump-1 are unusual together") {
		t.Errorf("exit code %d: %s %s", code, out, messages)
	}
	p.interrupt()
}
