package interop

import (
	"fmt"
	"testing"
	"time"

	"weir/lab/harness"
)

// TestReceiverIsAway: while Prometheus is down nothing is lost and nothing is held up; when it is back it gets all.
func TestReceiverIsAway(t *testing.T) {
	t.Parallel()
	prom := needPrometheus(t, false)
	p := harness.Start(t, weir, "--policy", policyOf(t, patient, map[string]any{
		"name": "prom", "kind": "remote_write", "at": "region", "endpoint": "http://" + prom.address + "/api/v1/write", "timeout": "1s",
	}))
	prom.start()
	d := p.Connect("clock")
	defer func() { _ = d.Close() }() // all it had to say was acknowledged
	sent := 0
	for round := range 3 {
		if round == 1 {
			prom.stop()
		}
		for i := range 20 {
			say(t, d, "clock", fmt.Sprintf(`{"temp":%d,"ts":%d}`, i-10, time.Now().UnixMilli()))
			sent++
			harness.Pause(100 * time.Millisecond)
		}
		if round == 1 {
			prom.start()
		}
	}
	settle(t, p, d, "clock")
	harness.Until(t, 60*time.Second, func() string {
		got, problem := prom.histogram(`weir_view_values{view="device",metric="temp",device="clock"}`, time.Time{})
		if problem == "" && got.count != float64(sent) {
			problem = fmt.Sprintf("%v of %d values", got.count, sent)
		}
		return problem
	})
	if n := p.Ledger().Totals.Unexplained; n != 0 {
		t.Errorf("%d records unexplained", n)
	}
}
