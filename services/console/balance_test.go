package console

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"weir/schemas"
)

// balanced is an agent whose records all have an outcome.
func balanced(name, tenant string) schemas.AgentLedger {
	row := func(stage schemas.Stage, o schemas.Outcome, why schemas.Reason, n uint64) schemas.Total {
		return schemas.Total{Tenant: tenant, Signal: schemas.Metrics, Stage: stage, Outcome: o, Reason: why, N: n}
	}
	return schemas.AgentLedger{
		Agent: name, Region: "r0", Lag: 0.86, Series: 4, Config: 7,
		Rows: []schemas.Total{
			row("", schemas.Counted, "", 12_050),
			row(schemas.StageAggregator, schemas.Late, schemas.TooLate, 12),
			row(schemas.StageIngest, schemas.Rejected, schemas.Future, 31),
		},
		Flight: []schemas.Total{
			row("", "", "", 12_400), row("", schemas.Queued, "", 307), row("", schemas.OpenYet, "", 100),
		},
	}
}

func check(tier schemas.Tier, unexplained int64) schemas.GatewayCheck {
	return schemas.GatewayCheck{
		Producer: "r0/1", Tier: tier, Lag: 0.5, Unexplained: unexplained,
		Windows: map[string]uint64{"device/on_time": 40, "late:device/on_time": 2, "nonsense": 1},
	}
}

func TestLedger(t *testing.T) {
	r := newRig(t)
	r.reply(schemas.AskLedger, []schemas.AgentLedger{balanced("a1", "demo")})
	r.reply(schemas.AskGateway+".region", []schemas.GatewayCheck{check(schemas.TierRegion, 0)})
	status, body := r.get("/api/v1/ledger")
	var l Balance
	if err := json.Unmarshal([]byte(body), &l); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	if l.Totals.Received != 12_400 || l.Totals.Counted != 11_950 || l.Totals.InFlight != 407 || l.Totals.Unexplained != 0 {
		t.Errorf("totals %+v", l.Totals)
	}
	if l.Lag != 0.86 || len(l.Checked) != 1 || l.Checked[0] != schemas.TierRegion {
		t.Errorf("lag %v, checked by %v", l.Lag, l.Checked)
	}
	if !strings.HasPrefix(body, `{"totals":{"received":12400,"counted":11950,"late":12,"duplicate":0,"rejected":31,"shed":0,"in_flight":407,"lost_declared":0,"unexplained":0},"reasons":[{"stage":`) {
		t.Errorf("the shape that tools rely on: %s", body)
	}
	_, line := r.get("/api/v1/line")
	want := "12,400 received = 11,950 counted + 12 late + 0 duplicate + 31 rejected (31 future) + 407 in flight · 0 unexplained · lag 0.9 s\n"
	if line != want {
		t.Errorf("line %s, want %s", line, want)
	}
}

// TestUnexplained: neither agents nor tiers make up for each other.
func TestUnexplained(t *testing.T) {
	more, less := balanced("a1", "x"), balanced("a2", "x")
	more.Flight[0].N += 3
	less.Flight[0].N -= 3
	for _, c := range []struct {
		name   string
		agents []schemas.AgentLedger
		checks []schemas.GatewayCheck
		want   int64
	}{
		{"balanced", []schemas.AgentLedger{balanced("a1", "x")}, []schemas.GatewayCheck{check(schemas.TierRegion, 0)}, 0},
		{"agents", []schemas.AgentLedger{more, less}, nil, 6},
		{"gateways", nil, []schemas.GatewayCheck{check(schemas.TierRegion, 2), check(schemas.TierCenter, -2)}, 4},
	} {
		if got := newBalance(c.agents, c.checks).Totals.Unexplained; got != c.want {
			t.Errorf("%s: %d unexplained, want %d", c.name, got, c.want)
		}
	}
}

func TestLiveLine(t *testing.T) {
	l := &Balance{Ledger: &schemas.Ledger{}, Lag: 1.26}
	l.Totals = schemas.Account{Received: 1_234_567, Counted: 1_234_000, Rejected: 560, Shed: 5, LostDeclared: 9, Unexplained: -1_002}
	for i, why := range []schemas.Reason{schemas.BadTime, schemas.Future, schemas.TooLarge, schemas.Undecodable} {
		l.Reasons = append(l.Reasons, schemas.ReasonCount{Outcome: schemas.Rejected, Reason: why, N: uint64(100 + i)})
	}
	l.Reasons = append(l.Reasons, schemas.ReasonCount{Outcome: schemas.Shed, Reason: schemas.JournalFull, N: 5})
	want := "1,234,567 received = 1,234,000 counted + 0 late + 0 duplicate + 560 rejected (103 undecodable, 102 too_large, 101 future, …)" +
		" + 5 shed (5 journal_full) + 0 in flight · 9 missing by number · -1,002 unexplained · lag 1.3 s"
	if got := LiveLine(l, 0); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDevicesAndParked(t *testing.T) {
	r := newRig(t)
	r.reply(schemas.AskLedger, []schemas.AgentLedger{balanced("a1", "demo")})
	r.reply(schemas.AskDevices, []schemas.Device{{Tenant: "b", Device: "d2"}, {Tenant: "a", Device: "d1", Agent: "a1"}})
	names := func(path string) string {
		_, body := r.get(path)
		var all []string
		for line := range strings.Lines(body) {
			var d struct{ Device string }
			if err := json.Unmarshal([]byte(line), &d); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			all = append(all, d.Device)
		}
		return strings.Join(all, " ")
	}
	for _, sample := range []string{`{"tenant":"a","device":"d1","reason":"future"}`, `no JSON`, `{"tenant":"a","device":"d2","reason":"bad_time"}`} {
		if _, err := r.bus.Store(t.Context(), schemas.Parked("a1", "a"), []byte(sample)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"devices": "d1 d2", "devices?tenant=b": "d2", "devices?device=d1": "d1", "devices?agent=a9": "",
		"parked": "d1 d2", "parked?limit=1": "d2", "parked?reason=future": "d1", "parked?tenant=x": "",
	} {
		if got := names("/api/v1/" + path); got != want {
			t.Errorf("GET %s: %q, want %q", path, got, want)
		}
	}
}

func TestReady(t *testing.T) {
	r := newRig(t)
	if status, body := r.get("/readyz?verbose"); status != http.StatusServiceUnavailable || !strings.Contains(body, `{"name":"ingest","ready":false,"why":"it has not started"}`) {
		t.Errorf("before ingest: %d %s", status, body)
	}
	r.reply(schemas.AskIngest, map[string]any{"Ready": true})
	if status, body := r.get("/readyz?verbose"); status != http.StatusOK || !strings.Contains(body, `"ready":true`) {
		t.Errorf("with ingest: %d %s", status, body)
	}
	if status, body := r.get("/readyz"); status != http.StatusOK || body != "ready\n" {
		t.Errorf("in short: %d %s", status, body)
	}
	if status, _ := r.get("/livez"); status != http.StatusOK {
		t.Errorf("alive: %d", status)
	}
	if _, body := r.get("/api/v1/version"); !strings.HasPrefix(body, `{"version":"test","go":"go1.26","formats":{"checkpoint":`) {
		t.Errorf("version: %s", body)
	}
}

// TestRefusedDevices: what ingest refused shows with the device, also where nothing of it was accepted.
func TestRefusedDevices(t *testing.T) {
	r := newRig(t)
	r.reply(schemas.AskLedger, []schemas.AgentLedger{balanced("a1", "demo")})
	r.reply(schemas.AskDevices, []schemas.Device{{Tenant: "a", Device: "d1", Agent: "a1", Records: 5}, {Tenant: "a", Device: "d2", Agent: "a1"}})
	r.reply(schemas.Ask("ingest", "devices"), []map[string]any{
		{"Tenant": "a", "Device": "d1", "Agent": "a1", "First": "2026-11-21T10:00:00Z", "Rejected": map[string]int{"future": 3}},
		{"Tenant": "a", "Device": "d2", "Agent": "a1", "Rejected": map[string]int{}},
		{"Tenant": "a", "Device": "d3", "Agent": "a1", "First": "2026-11-21T10:00:00Z", "Last": "2026-11-21T10:00:01Z", "Rejected": map[string]int{"bad_value": 1}},
	})
	_, body := r.get("/api/v1/devices")
	for _, want := range []string{
		`"device":"d1","class":"","agent":"a1","first_seen":"","last_seen":"","records_per_second":0,"numbered":false,"records":5,"rejected":{"future":3}}`,
		`"device":"d2","class":"","agent":"a1","first_seen":"","last_seen":"","records_per_second":0,"numbered":false,"records":0,"rejected":null}`,
		`"device":"d3","class":"","agent":"a1","first_seen":"2026-11-21T10:00:00Z","last_seen":"2026-11-21T10:00:01Z","records_per_second":0,"numbered":false,"records":0,"rejected":{"bad_value":1}}`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("got\n%s\nwithout\n%s", body, want)
		}
	}
}

// TestForeignHost: a name of another site that points here gets nothing (DNS rebinding).
func TestForeignHost(t *testing.T) {
	r := newRig(t)
	for host, want := range map[string]int{"localhost:8080": 200, "127.0.0.1": 200, "[::1]:80": 200, "evil.example": 403, "8.8.8.8": 403} {
		q, err := http.NewRequest(http.MethodGet, r.api.URL+"/livez", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Host = host
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != want {
			t.Errorf("host %s: %d, want %d", host, a.StatusCode, want)
		}
	}
}
