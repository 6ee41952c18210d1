package e2e

import (
	"flag"
	"fmt"
	"syscall"
	"testing"
	"time"

	"weir/lab/harness"
	"weir/schemas"
)

// settledWithin is how long tiers may take to say the same as those below.
const settledWithin = time.Minute

var cluster = flag.Bool("cluster", false, "also run a cluster of NATS servers")

// mostHandover is how long the partitions of a gateway that has died may be nobody's.
const mostHandover = 60 * time.Second

// TestFailover runs a region with two gateways on a NATS server of somebody else.
// One is killed and comes back, the other is stopped by a signal and wakes up, and
// at last one ends in order, all under load: what they shared moves each time, and
// in the end every tier holds every record once.
func TestFailover(t *testing.T) {
	f, members := harness.StartShared(t, weir, harness.StartServer(t), "north", []string{"g1", "g2"}, []string{"a001", "a002", "a003"}, harness.FastPolicy(t))
	g1, g2 := members[0], members[1]
	sims := playAll(f, "shared-")
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
	moved(t, "after an orderly end", g1.AwaitOwners("g1"), mostHandover)

	wantExact(t, f, sims)
}

// TestFailoverOfACluster runs such a region on a cluster of three NATS servers. Servers
// that lead a stream, a gateway, and both at once are killed or stopped by a signal:
// each time the other gateway has the partitions and the center what the agents have
// taken, and in the end every tier holds every record once.
func TestFailoverOfACluster(t *testing.T) {
	if !*cluster {
		t.Skip("three servers and six processes of Weir on one machine: make failover runs it")
	}
	site := harness.StartCluster(t)
	f, members := harness.StartShared(t, weir, &site.Server, "north", []string{"g1", "g2"}, []string{"a001", "a002"}, harness.FastPolicy(t))
	site.Replicate()
	g1, g2 := members[0], members[1]
	sims := playAll(f, "cluster-")
	g2.AwaitOwners("g1", "g2")
	for _, s := range sims {
		s.AwaitReceived(100)
	}
	for _, fault := range []struct {
		what    string
		leads   string // a stream: the server is hit that leads it; empty: none
		gateway bool   // one is hit
		paused  bool   // stopped by a signal, until all goes on; else killed
	}{
		{"kill -9 of a server", schemas.StreamRegionInbox, false, false},
		{"kill -9 of a server and a gateway", schemas.StreamRegionOutbox, true, false},
		{"SIGSTOP of a server", schemas.StreamRegionOutbox, false, true},
		{"SIGSTOP of a gateway", "", true, true},
		{"SIGSTOP of a server and a gateway", schemas.StreamRegionInbox, true, true},
	} {
		var mend []func()
		if fault.leads != "" {
			server := site.Leader(fault.leads)
			if fault.paused {
				server.Pause()
				mend = append(mend, server.Resume)
			} else {
				server.Kill()
				mend = append(mend, server.Launch)
			}
		}
		began := time.Now()
		if fault.gateway && fault.paused {
			signal(t, g2, syscall.SIGSTOP)
			mend = append(mend, func() { signal(t, g2, syscall.SIGCONT) })
		} else if fault.gateway {
			g2.Kill()
			mend = append(mend, g2.Launch)
		}
		if fault.gateway {
			g1.AwaitOwners("g1")
			moved(t, "after "+fault.what, time.Since(began), mostHandover)
		}
		goesOn(t, "after "+fault.what, began, f)
		for _, m := range mend {
			m()
		}
		g2.Ready()
		site.Replicate()
		g2.AwaitOwners("g1", "g2")
	}
	wantExact(t, f, sims)
}

// TestStandby runs a center of two gateways. The one that works is killed, then the
// other, and each time the one that is left takes over.
func TestStandby(t *testing.T) {
	f, centers := harness.StartStandby(t, weir, harness.StartServer(t), [2]string{"c1", "c2"}, "north", []string{"a001"}, harness.FastPolicy(t))
	sims := playAll(f, "standby-")
	for _, s := range sims {
		s.AwaitReceived(100)
	}
	for range 2 {
		works, stands := centers[0], centers[1]
		if owners, err := stands.Owners(); err != nil || owners["c2"] > 0 {
			works, stands = stands, works
		}
		began := time.Now()
		works.Kill()
		f.Center = stands
		goesOn(t, "after kill -9 of a gateway of the center", began, f)
		works.Launch()
		works.Ready()
	}
	wantExact(t, f, sims)
}

// playAll has devices play at every agent until they are stopped.
func playAll(f *harness.Fleet, tenants string) (sims []*harness.Sim) {
	for name, a := range f.Agents {
		sims = append(sims, a.Simulate("--mqtt", a.MQTT, "--qos", "1", "--tenant", tenants+name, "--devices", "30", "--rate", "4",
			"--late", "1", "--too-late", "0.5", "--duplicate", "2", "--malformed", "1", "--size", "1s", "--lateness", "2s", "--for", "0"))
	}
	return sims
}

// wantExact stops the devices, and wants every record once at every tier.
func wantExact(t *testing.T, f *harness.Fleet, sims []*harness.Sim) {
	t.Helper()
	for _, s := range sims {
		s.Stop()
	}
	if r := f.Verify(sims...); r.Code != 0 {
		t.Error(r)
	}
	for _, p := range f.All() { // they settle one after the other
		harness.Until(t, settledWithin, func() string {
			l, err := p.Balance()
			if err != nil {
				return err.Error()
			}
			if wrong := harness.Unbalanced(l); wrong != "" || l.Totals.LostDeclared != 0 || l.Totals.Shed != 0 {
				return fmt.Sprintf("%s: %s %+v", p, wrong, l.Totals)
			}
			return ""
		})
	}
}

// goesOn wants the center to have what the agents have received until now, and
// some of what came later.
func goesOn(t *testing.T, when string, began time.Time, f *harness.Fleet) {
	t.Helper()
	want := uint64(1)
	for _, a := range f.Agents {
		harness.Until(t, settledWithin, func() string {
			l, err := a.Balance()
			if err != nil {
				return err.Error()
			}
			want += l.Totals.Received
			return ""
		})
	}
	harness.Until(t, mostHandover, func() string {
		l, err := f.Center.Balance()
		if err != nil {
			return err.Error()
		}
		if l.Totals.Received < want {
			return fmt.Sprintf("the center has %d of %d records %s", l.Totals.Received, want, when)
		}
		return ""
	})
	t.Logf("the center has all %v %s", time.Since(began).Round(100*time.Millisecond), when)
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
