package e2e

import (
	"os"
	"strings"
	"testing"

	"weir/lab/harness"
)

// misbehavior is what the simulated devices do beside what they should.
var misbehavior = []string{
	"--late", "2", "--too-late", "1", "--reorder", "3", "--duplicate", "3", "--future", "1", "--malformed", "2",
	"--size", "1s", "--lateness", "2s", "--devices", "100", "--rate", "10", "--for", "5s",
}

// TestSimAndVerify plays misbehaving devices in every way that there is and
// compares with the truth. The product is never killed, so at QoS 0 everything
// must be there too.
func TestSimAndVerify(t *testing.T) {
	t.Parallel()
	p := start(t, "--agents", "5", "--regions", "3")
	var sims []*harness.Sim
	for _, way := range [][]string{
		{"--mqtt", p.MQTT, "--qos", "0", "--tenant", "one", "--pattern", "burst"},
		{"--mqtt", p.MQTT, "--qos", "1", "--tenant", "two", "--batch", "10"},
		{"--nats", "nats://" + p.NATS, "--qos", "0", "--tenant", "three"},
		{"--nats", "nats://" + p.NATS, "--qos", "1", "--tenant", "four", "--batch", "5", "--pattern", "daily"},
	} {
		sims = append(sims, p.Simulate(append(way, misbehavior...)...))
	}
	var truths []string
	records := int64(0)
	for _, s := range sims {
		sum := s.Wait()
		records += sum.Records
		truths = append(truths, "--truth", s.Truth)
	}
	if r := p.Weir(append([]string{"verify", "--timeout", "60s", "--final"}, truths...)...); r.Code != 0 {
		t.Error(r)
	}
	l := closed(t, p)
	t.Logf("%d records sent; %+v", records, l.Totals)
	if l.Totals.Received < uint64(records) || l.Totals.Late == 0 || l.Totals.Duplicate == 0 || l.Totals.Rejected == 0 {
		t.Errorf("%d records were sent, the ledger says %+v", records, l.Totals)
	}
	wantNotEqual(t, p, sims[1].Truth)
}

// wantNotEqual tells the verifier another truth: it must not agree with that.
func wantNotEqual(t *testing.T, p *harness.Product, truth string) {
	t.Helper()
	data, err := os.ReadFile(truth)
	if err != nil {
		t.Fatal(err)
	}
	lie := strings.Replace(string(data), `"seed":1,`, `"seed":2,`, 1)
	if lie == string(data) {
		t.Fatalf("no seed in %.200s", data)
	}
	if err := os.WriteFile(truth+"-lie", []byte(lie), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := p.Weir("verify", "--timeout", "5s", "--truth", truth+"-lie"); r.Code != 4 {
		t.Errorf("with the truth of another seed: %v", r)
	}
}
