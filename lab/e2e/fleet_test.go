package e2e

import (
	"fmt"
	"testing"
	"time"

	"weir/lab/harness"
)

// TestFleet runs agents, regions and the center as processes of their own. Links
// are cut and starved in the middle of it, an agent is killed while it is cut
// off, and a region's gateway under load: in the end every tier holds every
// record once.
func TestFleet(t *testing.T) {
	f := harness.StartFleet(t, weir, harness.Layout{"north": {"a001", "a002"}, "south": {"a003"}}, harness.FastPolicy(t))
	var sims []*harness.Sim
	for i, name := range []string{"a001", "a002", "a003"} {
		a := f.Agents[name]
		sims = append(sims, a.Simulate("--mqtt", a.MQTT, "--qos", "1", "--tenant", fmt.Sprint("fleet-", i), "--devices", "50", "--rate", "4",
			"--late", "1", "--too-late", "0.5", "--duplicate", "2", "--future", "0.5", "--malformed", "1", "--size", "1s", "--lateness", "2s", "--for", "0"))
	}
	for _, s := range sims {
		s.AwaitReceived(100)
	}
	f.Links["a001"].Cut()
	f.Links["south"].Blackhole()
	harness.Pause(3 * time.Second)
	f.Agents["a001"].Kill()
	f.Agents["a001"].Launch()
	harness.Pause(2 * time.Second)
	f.Links["a001"].Heal()
	f.Regions["north"].Kill()
	f.Regions["north"].Launch()
	f.Links["south"].Heal()
	harness.Pause(2 * time.Second)
	wantExact(t, f, sims)
}
