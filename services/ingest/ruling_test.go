package ingest

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"weir/schemas"
	"weir/services/internal/rules"
)

// program compiles rules of a policy document.
func program(t testing.TB, list string) *rules.Program {
	t.Helper()
	p, err := schemas.ParsePolicy([]byte(`{"rules":` + list + `}`))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := rules.Compile(p.ItemRules)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// What a rule drops is no mistake of its sender, and is in the ledger of the frames.
func TestRulesDrop(t *testing.T) {
	h, cc := startOTLP(t, func(s *Settings, _ *Deps) {
		s.Items = program(t, `[
			{"name":"first","on":"spans","action":"drop","conditions":["span_id == SpanID(0x0100000000000000)"]},
			{"name":"fails","on":"spans","action":"drop","conditions":["Int(attributes) == 1"],"on_error":"drop","tenants":["other"]},
			{"name":"odd","on":"spans","action":"transform","conditions":["span_id == SpanID(0x0101000000000000)"],"statements":["set(name, Int(attributes))"],"on_error":"drop"}]`)
	})
	r, err := ptraceotlp.NewGRPCClient(cc).Export(within(t), spans(9))
	if err != nil || r.PartialSuccess().RejectedSpans() != 3 {
		t.Fatalf("%v, %d rejected", err, r.PartialSuccess().RejectedSpans())
	}
	var got []string
	for _, s := range h.Status().Rules {
		got = append(got, fmt.Sprintf("%s %s %d: %d %d %d %t", s.Rule, s.On, s.Revision, s.Hits, s.Drops, s.Errors, s.Failure != ""))
	}
	want := "fails spans 1: 0 0 0 false, first spans 1: 1 1 0 false, odd spans 1: 1 1 1 true"
	if strings.Join(got, ", ") != want {
		t.Errorf("rules did\n%s\nwant\n%s", strings.Join(got, ", "), want)
	}
	wantRows(t, h.signalRows(t, schemas.Traces), map[string]uint64{
		"default  ": 9, "default rejected bad_value": 3, "default shed rule": 1, "default shed rule_failed": 1, "journaled": 4,
	})
}

// Rules of the last revisions are still counted, those before are forgotten; what is
// in force never is.
func TestRuleCountsAreBounded(t *testing.T) {
	p := program(t, `[{"name":"r","on":"logs","action":"drop","conditions":["true"]}]`)
	old := &agent{}
	old.settings.Store(&Settings{Items: p, revision: 1})
	var c ruleCounts
	for revision := uint64(2); revision < 20; revision++ {
		a := &agent{}
		a.settings.Store(&Settings{Items: p, revision: revision})
		c.follow([]*agent{old, a})
		r := ruling{runs: []ruled{{p, revision, p.For("t")}}}
		if failed := c.count(&r); len(failed) != 0 {
			t.Errorf("failed: %v", failed)
		}
	}
	var got []uint64
	for _, s := range c.status() {
		got = append(got, s.Revision)
	}
	if fmt.Sprint(got) != "[19 18 17 16 1]" {
		t.Errorf("revisions %v", got)
	}
}

func TestNoRulesJudgeNothing(t *testing.T) {
	h, _ := startOTLP(t, nil)
	if h.judge("t", schemas.Traces, &ruling{}) != nil {
		t.Error("without rules somebody is asked")
	}
}

// Rules act on spans in messages of devices, too.
func TestRulesOfDeviceMessages(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		packed, err := spans(3).MarshalProto()
		if err != nil {
			t.Fatal(err)
		}
		h := start(t, Config{}, newMemLog(), func(s *Settings, _ *Deps) {
			s.Items = program(t, `[{"name":"first","on":"spans","action":"drop","conditions":["span_id == SpanID(0x0100000000000000)"]}]`)
		})
		want := `{"records":3,"journaled":1,"rejected":[{"reason":"bad_value","n":1,"at":2}]}`
		for range 2 { // the second decoder is the first one again
			if g := <-h.nats.request("tel.t.d.traces", string(packed)); g.text != want {
				t.Errorf("got %s, want %s", g.text, want)
			}
		}
		<-h.nats.request("tel.t.d.metrics", `{"temp":1}`)
		if s := h.Status().Rules; len(s) != 1 || s[0].Hits != 2 || s[0].Drops != 2 {
			t.Errorf("rules did %+v", s)
		}
		frames := h.mustStop(t)
		balance(t, frames)
		if n := sum(frames)[schemas.Flow{Tenant: "t", Signal: schemas.Traces, Outcome: schemas.Shed, Reason: schemas.ByRule}]; n != 2 {
			t.Errorf("%d spans shed: %v", n, sum(frames))
		}
	})
}
