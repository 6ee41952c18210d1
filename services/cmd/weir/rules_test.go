package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"weir/schemas"
	"weir/services/internal/datadir"
)

// TestRulesAreRefusedWithTheirPlace: what cannot be compiled is named by line and
// column of what somebody wrote, whoever is asked.
func TestRulesAreRefusedWithTheirPlace(t *testing.T) {
	const document = `{
  "rules": [
    {"name": "a", "on": "spans", "action": "transform", "statements": ["set(attributes[\"é\"], Foo())"]},
    {"name": "b", "on": "logs", "action": "drop", "conditions": ["nosuch == 1"]}
  ]
}`
	const first, second = "rules[0].statements[0]: line 3, column 96: ", "rules[1].conditions[0]: line 4, column 67: "
	err := checkDefault([]byte(document))
	if err == nil || !strings.Contains(err.Error(), first) || !strings.Contains(err.Error(), second) {
		t.Errorf("%v\nwant %s\nand %s", err, first, second)
	}
	// Without the text that somebody wrote the place is that in the rule's own text.
	whole, err := schemas.ParsePolicy([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkPolicy(whole.JSON()); err == nil || !strings.Contains(err.Error(), "rules[0].statements[0], line 1, column 22: ") {
		t.Errorf("an older document: %v", err)
	}
}

// spansOf is a request of spans by path and duration.
func spansOf(batch byte, spans map[string]time.Duration) ptraceotlp.ExportRequest {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	all, n := rs.ScopeSpans().AppendEmpty().Spans(), byte(0)
	for path, d := range spans {
		s := all.AppendEmpty()
		n++
		s.SetTraceID(pcommon.TraceID{1, batch, n})
		s.SetSpanID(pcommon.SpanID{1, batch, n})
		s.SetName("GET " + path)
		s.Attributes().PutStr("url.path", path)
		end := time.Now()
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(end.Add(-d)))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
	}
	return ptraceotlp.NewExportRequestFromTraces(td)
}

// sendSpans exports spans by path and duration and waits until they are in the
// journal. It reports how many are refused.
func sendSpans(i datadir.Instance, batch byte, spans map[string]time.Duration) (refused int64, err error) {
	return postSpans(i, spansOf(batch, spans))
}

func postSpans(i datadir.Instance, export ptraceotlp.ExportRequest) (refused int64, err error) {
	body, err := export.MarshalProto()
	if err != nil {
		return 0, err
	}
	resp, err := http.Post("http://"+i.OTLPHTTP+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s %w", resp.Status, answer, err)
	}
	r := ptraceotlp.NewExportResponse()
	err = r.UnmarshalProto(answer)
	return r.PartialSuccess().RejectedSpans(), err
}

// traces waits until the ledger of traces is settled, and wants so many received,
// of which rules have dropped so many.
func (p *process) traces(i datadir.Instance, received, dropped uint64) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("%d spans, %d of them dropped", received, dropped), func() error {
		data, err := get(i, "/api/v1/ledger")
		if err != nil {
			return err
		}
		var l schemas.Ledger
		if err := json.Unmarshal(data, &l); err != nil {
			return err
		}
		byRule := uint64(0)
		for _, r := range l.Reasons {
			if r.Stage == schemas.StageIngest && r.Outcome == schemas.Shed && r.Reason == schemas.ByRule {
				byRule = r.N
			}
		}
		a := l.Signals[string(schemas.Traces)]
		if a == nil || a.Received != received || a.Shed != dropped || byRule != dropped || a.Counted+a.InFlight != received-dropped || a.Unexplained != 0 {
			return fmt.Errorf("%s", data)
		}
		return nil
	})
}

// TestShippedRules puts the example in force, sends spans, and kills the process:
// what rules have dropped is counted exactly before and after.
func TestShippedRules(t *testing.T) {
	dir := t.TempDir()
	example, err := os.ReadFile("../../../examples/policy-rules.json")
	if err != nil {
		t.Fatal(err)
	}
	p, i := up(t, dir)
	code, messages := setPolicy(t, i, "default", strings.Replace(string(example), "IsMatch(name,", "IsMatched(name,", 1))
	if code != exitInvalid || !strings.Contains(messages, "rules[0].conditions[1]: line 7, column 90: ") || !strings.Contains(messages, `"IsMatched"`) {
		t.Errorf("%d %s", code, messages)
	}
	if code, messages = setPolicy(t, i, "default", string(example)); code != exitOK {
		t.Fatal(messages)
	}
	in := func(rule string, n uint64) {
		t.Helper()
		p.metric(i, fmt.Sprintf(`weir_rule_drops_total{on="spans",revision="1",rule=%q} %d`, rule, n))
	}
	in("drop-health-checks", 0) // in force
	mixed := map[string]time.Duration{"/healthz": 2 * time.Second, "/cart": 20 * time.Millisecond, "/pay": 1500 * time.Millisecond, "/ready": time.Millisecond}
	for batch := byte(0); batch < 10; batch++ {
		if refused, err := sendSpans(i, batch, mixed); err != nil || refused != 0 {
			t.Fatalf("%d refused, %v", refused, err)
		}
	}
	in("drop-health-checks", 20)
	in("keep-slower-than-1s", 10)
	p.metric(i, `weir_rule_hits_total{on="spans",revision="1",rule="add-edge-region"} 10`)
	p.traces(i, 40, 30)
	p.kill()
	p, i = up(t, dir)
	p.traces(i, 40, 30)
	p.eventually("windows with the region of the edge", func() error {
		code, out, messages := weir(t, "windows", "--view", "spans", "--tier", "region", "-o", "json", "--http", i.HTTP)
		if code != exitOK || !strings.Contains(out, `"attrs.edge.region":"north"`) || strings.Contains(out, "healthz") || strings.Contains(out, "/cart") {
			return fmt.Errorf("%d %s %s", code, out, messages)
		}
		return nil
	})
	// One that an older program took is refused by nobody's eyes but the log's, and what
	// is in force stays.
	operator := operatorOf(t, i)
	bucket, err := operator.Bucket(t.Context(), schemas.BucketPolicy, 20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Put(t.Context(), "default", []byte(`{"rules":[{"name":"n","on":"spans","action":"drop","conditions":["Newer()"]}]}`)); err != nil {
		t.Fatal(err)
	}
	p.metric(i, "weir_policy_invalid_total 1")
	in("drop-health-checks", 0)
	if refused, err := sendSpans(i, 10, mixed); err != nil || refused != 0 {
		t.Fatalf("%d refused, %v", refused, err)
	}
	p.traces(i, 44, 33)
	p.interrupt()
}

// TestRulesThroughKills kills the process while spans come. Those that rules let pass
// are counted once; of what was in doubt and came again, what rules drop is received
// and dropped again, and nothing is unexplained.
func TestRulesThroughKills(t *testing.T) {
	dir := t.TempDir()
	p, i := up(t, dir, "--policy", "../../../examples/policy-rules.json")
	const batches, kills = 30, 3
	for batch := range byte(batches) {
		export := spansOf(batch, map[string]time.Duration{"/healthz": 2 * time.Second, "/cart": 20 * time.Millisecond, "/pay": 1500 * time.Millisecond})
		if batch%(batches/kills) == batches/kills/2 { // in the middle of a request
			answered := make(chan struct{})
			go func() { defer close(answered); _, _ = postSpans(i, export) }() // the outcome is in doubt
			p.kill()
			<-answered
			p, i = up(t, dir)
		}
		if _, err := postSpans(i, export); err != nil {
			t.Fatal(err)
		}
	}
	p.eventually("a closed ledger", func() error {
		data, err := get(i, "/api/v1/ledger")
		if err != nil {
			return err
		}
		var l schemas.Ledger
		if err := json.Unmarshal(data, &l); err != nil {
			return err
		}
		a := l.Signals[string(schemas.Traces)]
		if a == nil || a.Counted != batches || a.InFlight != 0 || a.Unexplained != 0 {
			return fmt.Errorf("%s", data)
		}
		if a.Duplicate > kills || a.Shed != 2*(batches+a.Duplicate) || a.Received != 3*(batches+a.Duplicate) {
			t.Errorf("what came again is not what was dropped again: %+v", *a)
		}
		return nil
	})
	p.interrupt()
}

// TestPolicyTest: the shipped cases are as they say, and what is not is shown.
func TestPolicyTest(t *testing.T) {
	const shipped = "../../../examples/rules-test.yaml"
	code, out, messages := weir(t, "policy", "test", shipped)
	if code != exitOK || strings.Count(out, "ok  ") != 5 || messages != "5 of 5 items are as expected\n" {
		t.Errorf("%d %s%s", code, out, messages)
	}
	write := func(text string) string {
		t.Helper()
		name := filepath.Join(t.TempDir(), "cases.yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	const inline = `
rules:
  - {name: paths, on: spans, action: transform, statements: ['replace_pattern(name, "/[0-9]+", "/{id}")']}
items:
  - {name: numbers, span: {name: GET /a/17}, expect: kept, after: {name: "GET /a/{n}"}}
`
	for _, c := range []struct {
		args []string
		code int
		says string // in what is shown, or else in the message
	}{
		{[]string{write(inline)}, exitNotEqual, "FAIL  numbers (kept)\n      name: want \"GET /a/{n}\", got \"GET /a/{id}\"\n"},
		{[]string{write(inline), "-o", "json"}, exitNotEqual, `{"name":"numbers","ok":false,"outcome":"kept","differences":[{"field":"name","want":"GET /a/{n}","got":"GET /a/{id}"}]}`},
		{[]string{write(strings.Replace(inline, "expect", "expects", 1))}, exitInvalid, "expects"},
		{[]string{write(strings.Replace(inline, "replace_pattern", "replaced", 1))}, exitInvalid, `rules[0].statements[0], line 1, column 1: statement failed to parse near`},
		{[]string{write(strings.Replace(inline, "action", "actions", 1))}, exitInvalid, "did you mean action?"},
		{[]string{write("policy: nowhere.json\nitems: [{log: {}, expect: kept}]")}, exitInvalid, "nowhere.json"},
		{[]string{"nowhere.yaml"}, exitUsage, "nowhere.yaml"},
		{[]string{shipped, "-o", "csv"}, exitUsage, "use table, json"},
	} {
		code, out, messages := weir(t, append([]string{"policy", "test"}, c.args...)...)
		if code != c.code || !strings.Contains(out+messages, c.says) {
			t.Errorf("%v: %d, want %d\n%s%s\nwant %s", c.args, code, c.code, out, messages, c.says)
		}
	}
}
