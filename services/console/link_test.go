package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/schemas"
)

func TestLinkLine(t *testing.T) {
	const now = int64(time.Hour)
	for want, l := range map[string]schemas.LinkStatus{
		"link up":                            {Up: true},
		"link up · 3 entries, 6.0 KB behind": {Up: true, Entries: 3, Bytes: 6000},
		"link down 12m0s · 720 entries, 1.4 MB behind":                   {Since: now - int64(12*time.Minute), Entries: 720, Bytes: 1_400_000, Backfill: 1_000_000, ETA: 9},
		"link up · 1,720 entries, 3.4 MB behind · backlog done in 1m12s": {Up: true, Entries: 1720, Bytes: 3_400_000, Backfill: 3_000_000, ETA: 72},
		"link up · 720 entries, 1.4 MB behind":                           {Up: true, Entries: 720, Bytes: 1_400_000, Backfill: 1_000_000, ETA: -1},
		"link up · an older copy: 21 entries above are not from here":    {Up: true, Ahead: []schemas.Ahead{{Producer: "r/3", Span: schemas.Span{From: 31, To: 50}}, {Producer: "r/4", Span: schemas.Span{From: 7, To: 7}}}},
	} {
		if got := linkLine(&l, now); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestLinkIsSeen: at an agent the link stands in the line, the ledger and the
// metrics.
func TestLinkIsSeen(t *testing.T) {
	r := newRig(t)
	r.service.cfg.Tiers = []schemas.Tier{schemas.TierAgent}
	r.reply(schemas.AskLedger, []schemas.AgentLedger{balanced("a1", "demo")})
	r.reply(schemas.AskLink(schemas.TierAgent), schemas.LinkStatus{
		Tier: schemas.TierAgent, Upstream: "north", Up: true, Entries: 2, Bytes: 4000, Oldest: time.Now().Add(-time.Hour).UnixNano(), Sent: 77,
	})
	for path, wants := range map[string][]string{
		"/api/v1/line":   {"lag 0.9 s · link up · 2 entries, 4.0 KB behind"},
		"/api/v1/ledger": {`"link":{"tier":"agent","upstream":"north","up":true`},
		"/metrics":       {`weir_link_up{tier="agent"} 1`, `weir_link_debt_entries{tier="agent"} 2`, `weir_link_debt_bytes{tier="agent"} 4000`, `weir_link_debt_seconds{tier="agent"} 36`, `weir_link_ahead_entries{tier="agent"} 0`, `weir_link_sent_bytes_total{tier="agent"} 77`},
	} {
		status, body := r.get(path)
		for _, want := range wants {
			if status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s: %d, no %s in %s", path, status, want, body)
			}
		}
	}
}
