package console

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"weir/schemas"
	"weir/services/internal/bus"
)

// found are the findings of a tier.
func found() []schemas.FindingReport {
	row := func(id, state, severity, device, partOf string) schemas.FindingRow {
		return schemas.FindingRow{
			ID: id, Revision: 1, State: state, Severity: severity, Kind: "silent", Tenant: "demo", Device: device,
			Started: "2026-11-22T10:00:0" + id + ".000Z", PartOf: partOf, Evidence: []schemas.EvidenceRow{}, Members: []schemas.MemberRow{},
		}
	}
	many := row("3", "open", "critical", "", "")
	many.Members = []schemas.MemberRow{{Device: "d4", Kind: "silent"}}
	return []schemas.FindingReport{{Producer: "north/0", Tier: schemas.TierRegion, Findings: []schemas.FindingRow{
		many, row("1", "closed", "notice", "d1", ""), row("2", "open", "warning", "d2", ""), row("4", "open", "warning", "d4", "3"),
	}}}
}

func TestFindings(t *testing.T) {
	r := newRig(t)
	r.reply(schemas.AskFindings(schemas.TierRegion), found())
	f := func(query, want string) {
		t.Helper()
		status, body := r.get("/api/v1/findings" + query)
		var ids []string
		for _, line := range strings.Split(strings.TrimSpace(body), "\n") {
			var row schemas.FindingRow
			if err := json.Unmarshal([]byte(line), &row); line != "" && err != nil {
				t.Fatalf("%s: %s", query, body)
			}
			ids = append(ids, row.ID)
		}
		if got := strings.Join(ids, ""); status != http.StatusOK || got != want {
			t.Errorf("%s: status %d, findings %q, want %q", query, status, got, want)
		}
	}
	f("", "123")
	f("?parts=true", "1234")
	f("?open=true", "23")
	f("?device=d4", "34")
	f("?severity=warning", "23")
	f("?limit=1", "3")
	f("?kind=limit", "")
	f("?tier=region&tenant=demo&open=true", "23")
	for _, query := range []string{"?tier=moon", "?severity=odd", "?open=perhaps", "?color=red"} {
		if status, body := r.get("/api/v1/findings" + query); status != http.StatusBadRequest {
			t.Errorf("%s: status %d: %s", query, status, body)
		}
	}
	if status, _ := r.get("/api/v1/findings?tier=center"); status != http.StatusServiceUnavailable {
		t.Errorf("where nobody answers: status %d", status)
	}
}

// TestFollowFindings: who follows what is open hears of its end.
func TestFollowFindings(t *testing.T) {
	r := newRig(t)
	var mu sync.Mutex
	now := found()
	stop, err := r.bus.Subscribe(schemas.AskFindings(schemas.TierRegion), 1<<20, func(q bus.Request) {
		mu.Lock()
		defer mu.Unlock()
		data, _ := json.Marshal(now)
		_ = q.Reply(data)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, r.api.URL+"/api/v1/findings?open=true&follow=true&device=d2", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	if !lines.Scan() || !strings.Contains(lines.Text(), `"state":"open"`) {
		t.Fatalf("first %q", lines.Text())
	}
	mu.Lock()
	now[0].Findings[2].State, now[0].Findings[2].Revision = "closed", 2
	mu.Unlock()
	if !lines.Scan() || !strings.Contains(lines.Text(), `"state":"closed"`) {
		t.Fatalf("then %q", lines.Text())
	}
}
