package console

import (
	"net/http"
	"strings"
	"testing"

	"weir/schemas"
)

// TestOwnersAreSeen: at a region whose gateways share its partitions, who owns them
// stands in the ledger and the metrics, and what nobody owns in the line.
func TestOwnersAreSeen(t *testing.T) {
	r := newRig(t)
	r.service.cfg.Tiers = []schemas.Tier{schemas.TierRegion}
	r.reply(schemas.AskLedgerOf(schemas.TierRegion), []schemas.AgentLedger{balanced("a1", "demo")})
	o := schemas.Owners{Tier: schemas.TierRegion, Region: "north", Member: "g1", Owners: []string{"g1", "g1", "", "g2", "", "", "g1"}}
	r.reply(schemas.AskOwnersOf(schemas.TierRegion), o)
	for path, wants := range map[string][]string{
		"/api/v1/line":   {" · nobody owns 3 of 7 partitions: 2, 4-5"},
		"/api/v1/ledger": {`"owners":{"tier":"region","region":"north","member":"g1","owners":["g1","g1","","g2"`},
		"/metrics":       {`weir_partitions_owned{member="g1",tier="region"} 3`, `weir_partitions_owned{member="g2",tier="region"} 1`, `weir_partitions_unowned{tier="region"} 3`},
	} {
		status, body := r.get(path)
		for _, want := range wants {
			if status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s: %d, no %s in %s", path, status, want, body)
			}
		}
	}
	if _, body := r.get("/metrics"); strings.Contains(body, "weir_records_total{") {
		t.Error("records are counted while some partitions are in no answer")
	}
	if got, want := OwnersLine(&o), "partitions: g1 0-1, 6; g2 3; nobody 2, 4-5"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
