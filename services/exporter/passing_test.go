package exporter

import (
	"testing"

	"pgregory.net/rapid"

	"weir/schemas"
)

// TestLogsMissingAreShed: of log records in entries that have fallen out of the outbox
// every one is accounted for, over a restart too.
func TestLogsMissingAreShed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		choice := all
		choice.logs = true
		k, enc := newCore(choice, 0), schemas.CommitEncoder{}
		told, read, gone := uint64(0), uint64(0), uint64(0)
		n, commits := uint64(0), rapid.IntRange(2, 20).Draw(t, "commits")
		for i := range commits {
			entries := rapid.IntRange(1, 3).Draw(t, "entries")
			first := n + 1
			for e := range entries {
				n++
				c := &schemas.Commit{Producer: "center/0", Epoch: schemas.Epoch{1}, N: n, RunFirst: first, End: e == entries-1, Time: int64(i)}
				for range rapid.IntRange(0, 3).Draw(t, "logs") {
					told++
					c.Logs = append(c.Logs, schemas.PassedLog{Tenant: "t", Device: "d", ID: told, Agent: "a1", Region: "north", Data: oneLog("x")})
				}
				if c.End {
					c.Totals = []schemas.Total{{Tenant: "t", Signal: schemas.Logs, Stage: schemas.StageGateway, Outcome: schemas.Passed, N: told}}
				}
				if i > 0 && i < commits-1 && rapid.Bool().Draw(t, "is gone") {
					gone += uint64(len(c.Logs))
					continue
				}
				if rapid.Bool().Draw(t, "restart") {
					again := newCore(choice, 0)
					if err := again.restore(k.append(nil)); err != nil {
						t.Fatal(err)
					}
					k = again
				}
				var b batch
				if err := k.apply(&b, schemas.GatewayOutbox("center", 0, schemas.KindCommit), n, enc.Append(nil, c)); err != nil {
					t.Fatal(err)
				}
				read += uint64(len(b.logs))
			}
		}
		if k.ledger.LogsShed != gone || read+gone != told || k.ledger.Off != 0 {
			t.Fatalf("of %d log records %d are read and %d gone: %+v", told, read, gone, k.ledger)
		}
	})
}
