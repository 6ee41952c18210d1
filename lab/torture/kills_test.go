package torture

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"weir/lab/harness"
)

const killsPerRun = 10

// loads are what devices do while the product is killed, one after the other.
var loads = []load{
	{"one reading per message", []fleet{{mqtt: true, devices: 400, rate: 4, batch: 1, pattern: "steady"}}},
	{"requests over NATS", []fleet{{devices: 300, rate: 4, batch: 1, pattern: "steady"}}},
	{"ten readings per message", []fleet{{mqtt: true, devices: 300, rate: 20, batch: 10, pattern: "steady"}}},
	{"bursts", []fleet{{mqtt: true, devices: 300, rate: 4, batch: 1, pattern: "burst"}}},
	{"both protocols", []fleet{
		{mqtt: true, devices: 200, rate: 4, batch: 1, pattern: "steady"},
		{devices: 200, rate: 10, batch: 5, pattern: "steady"},
	}},
}

type load struct {
	name   string
	fleets []fleet
}

// fleet is one weir sim, at QoS 1: over MQTT, or as requests over NATS.
type fleet struct {
	mqtt                 bool
	devices, rate, batch int
	pattern              string
}

// TestKills kills under load and wants every record counted once all the same.
func TestKills(t *testing.T) {
	for run := 0; run*killsPerRun < *kills; run++ {
		seed, l := seed(run), loads[run%len(loads)]
		t.Run(fmt.Sprintf("%s, seed %d", l.name, seed), func(t *testing.T) {
			killRun(t, seed, l, min(killsPerRun, *kills-run*killsPerRun))
		})
	}
}

func killRun(t *testing.T, seed uint64, l load, kills int) {
	p := harness.Start(t, weir, "--policy", harness.FastPolicy(t), "--agents", "4", "--regions", "2")
	var sims []*harness.Sim
	for i, f := range l.fleets {
		sims = append(sims, f.start(p, seed+uint64(i), i))
	}
	for _, s := range sims {
		s.AwaitReceived(100)
	}
	torment(t, p, chance(seed), kills)
	harness.Pause(time.Second) // some load on what has recovered
	var truths []string
	for _, s := range sims {
		truths = append(truths, "--truth", s.Truth)
		wantKilledUnderLoad(t, s.Stop())
	}
	judge(t, p, truths)
}

// start begins to play. Each fleet is a tenant of its own.
func (f fleet) start(p *harness.Product, seed uint64, i int) *harness.Sim {
	to := []string{"--nats", "nats://" + p.NATS}
	if f.mqtt {
		to = []string{"--mqtt", p.MQTT}
	}
	return p.Simulate(append(to,
		"--qos", "1", "--tenant", fmt.Sprintf("fleet-%d", i), "--seed", fmt.Sprint(seed), "--pattern", f.pattern,
		"--devices", fmt.Sprint(f.devices), "--rate", fmt.Sprint(f.rate), "--batch", fmt.Sprint(f.batch),
		"--late", "1", "--too-late", "0.5", "--reorder", "2", "--duplicate", "2", "--future", "0.5", "--malformed", "1",
		"--size", "1s", "--lateness", "2s", "--for", "0",
	)...)
}

// torment kills again and again: half of the times soon after the launch, while
// the product recovers, else while it serves. In between it is asked to stop, in
// order but just as suddenly.
func torment(t *testing.T, p *harness.Product, r *rand.Rand, kills int) {
	var killed, recovering, stops int
	var slowest time.Duration
	for killed < kills {
		if r.IntN(2) == 0 {
			recovering++
			harness.Pause(time.Duration(r.Int64N(int64(300 * time.Millisecond))))
		} else {
			slowest = max(slowest, p.Ready())
			harness.Pause(time.Duration(r.Int64N(int64(1500 * time.Millisecond))))
			wantExplained(t, p)
			if r.IntN(4) == 0 {
				stops++
				stop(t, p)
				p.Launch()
				continue
			}
		}
		killed++
		p.Kill()
		p.Launch()
	}
	slowest = max(slowest, p.Ready())
	t.Logf("%d kills, %d of them at most 300 ms after a launch, and %d stops; ready after at most %v", kills, recovering, stops, slowest.Round(time.Millisecond))
	if slowest > harness.Busy*5*time.Second {
		t.Errorf("devices are accepted only %v after a launch", slowest)
	}
}

func stop(t *testing.T, p *harness.Product) {
	t.Helper()
	if code := p.Stop(); code != 0 {
		t.Errorf("asked to stop under load, the product ended with exit code %d:\n%s", code, p.LogTail(10))
	}
}

// wantExplained wants no unexplained record in the middle of everything.
func wantExplained(t *testing.T, p *harness.Product) {
	t.Helper()
	if l, err := p.Balance(); err == nil && l.Totals.Unexplained != 0 {
		t.Errorf("under load %d records are unexplained: %+v", l.Totals.Unexplained, l.Totals)
	}
}

func wantKilledUnderLoad(t *testing.T, s harness.SimSummary) {
	t.Helper()
	t.Logf("%d records in %d messages, %d acknowledged, %d connections broken", s.Records, s.Messages, s.Acknowledged, s.ConnectFailures)
	if s.ConnectFailures == 0 {
		t.Error("no connection broke: the kills hit nobody")
	}
	if s.Unknown != 0 || s.Acknowledged != s.Records {
		t.Errorf("%d of %d records are acknowledged, %d unknown, although the product served to the end", s.Acknowledged, s.Records, s.Unknown)
	}
}

// judge wants equality with the truth, a closed ledger and bounded resources.
func judge(t *testing.T, p *harness.Product, truths []string) {
	t.Helper()
	if r := p.Weir(append([]string{"verify", "--timeout", "60s"}, truths...)...); r.Code != 0 {
		t.Error(r)
		return
	}
	l := p.Ledger()
	if wrong := harness.Unbalanced(l); wrong != "" {
		t.Error(wrong)
	}
	if l.Totals.LostDeclared != 0 || l.Totals.Shed != 0 {
		t.Errorf("nothing was lost and nothing shed, the ledger says %+v", l.Totals)
	}
	r := p.Resources()
	t.Logf("%d received, %d repeats, %d late; %v", l.Totals.Received, l.Totals.Duplicate, l.Totals.Late, r)
	if r.RSS > 400e6 || r.Files > 200 || r.Threads > 100 {
		t.Errorf("the product holds %v", r)
	}
}
