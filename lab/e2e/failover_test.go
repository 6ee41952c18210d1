package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"weir/lab/harness"
)

// mostHandover is how long the partitions of a gateway that has died may be nobody's.
const mostHandover = 15 * time.Second

// TestFailover runs a region with two gateways on a NATS server of somebody else.
// One is killed and comes back, the other is stopped by a signal and wakes up, and
// at last one ends in order, all under load: what they shared moves each time, and
// in the end every tier holds every record once.
func TestFailover(t *testing.T) {
	f, members := harness.StartShared(t, weir, "north", []string{"g1", "g2"}, []string{"a001", "a002", "a003"}, harness.FastPolicy(t))
	g1, g2 := members[0], members[1]
	var sims []*harness.Sim
	for name, a := range f.Agents {
		sims = append(sims, a.Simulate("--mqtt", a.MQTT, "--qos", "1", "--tenant", "shared-"+name, "--devices", "30", "--rate", "4",
			"--late", "1", "--too-late", "0.5", "--duplicate", "2", "--malformed", "1", "--size", "1s", "--lateness", "2s", "--for", "0"))
	}
	g2.AwaitOwners("g1", "g2")
	for _, s := range sims {
		s.AwaitReceived(100)
	}

	g1.Kill()
	moved(t, "after kill -9", g2.AwaitOwners("g2"), mostHandover)
	g1.Launch()
	g1.Ready()
	moved(t, "when it is back", g1.AwaitOwners("g1", "g2"), mostHandover)

	signal(t, g2, syscall.SIGSTOP)
	moved(t, "after SIGSTOP", g1.AwaitOwners("g1"), mostHandover)
	signal(t, g2, syscall.SIGCONT)
	moved(t, "when it wakes up", g2.AwaitOwners("g1", "g2"), mostHandover)

	if code := g2.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	moved(t, "after an orderly end", g1.AwaitOwners("g1"), 3*time.Second)

	for _, s := range sims {
		s.Stop()
	}
	if r := f.Verify(sims...); r.Code != 0 {
		t.Error(r)
	}
	for _, p := range f.All() {
		l := p.Ledger()
		if wrong := harness.Unbalanced(l); wrong != "" || l.Totals.LostDeclared != 0 || l.Totals.Shed != 0 {
			t.Errorf("%s: %s %+v", p, wrong, l.Totals)
		}
	}
}

// moved judges a hand-over.
func moved(t *testing.T, when string, took, most time.Duration) {
	t.Helper()
	t.Logf("partitions have their owner %v %s", took.Round(100*time.Millisecond), when)
	if took > harness.Busy*most {
		t.Errorf("partitions moved %v %s, want at most %v", took, when, most)
	}
}

func signal(t *testing.T, p *harness.Product, s syscall.Signal) {
	t.Helper()
	if err := p.Signal(s); err != nil {
		t.Fatal(fmt.Errorf("signal %v: %w", s, err))
	}
}
