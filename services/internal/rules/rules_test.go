package rules_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/rules"
)

// ofPolicy are the rules of a document.
func ofPolicy(t testing.TB, list string) schemas.ItemRules {
	t.Helper()
	p, err := schemas.ParsePolicy([]byte(`{"rules":` + list + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return p.ItemRules
}

func compiled(t testing.TB, list string) *rules.Program {
	t.Helper()
	p, err := rules.Compile(ofPolicy(t, list))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rule is a rule on spans with a condition.
func rule(action, condition, more string) string {
	return fmt.Sprintf(`[{"name":"r","on":"spans","action":%q,"conditions":[%q]%s}]`, action, condition, more)
}

// setting is a rule that runs a statement on items of a kind.
func setting(on, statement string) string {
	return fmt.Sprintf(`[{"name":"r","on":%q,"action":"transform","statements":[%q]}]`, on, statement)
}

// span is one span with its surroundings.
type span struct {
	resource ptrace.ResourceSpans
	scope    ptrace.ScopeSpans
	ptrace.Span
}

func newSpan(name string, millis int) span {
	rs := ptrace.NewTraces().ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	ss := rs.ScopeSpans().AppendEmpty()
	s := ss.Spans().AppendEmpty()
	s.SetName(name)
	s.SetKind(ptrace.SpanKindServer)
	s.SetStartTimestamp(1e18)
	s.SetEndTimestamp(pcommon.Timestamp(1e18 + int64(millis)*1e6))
	s.Attributes().PutStr("url.path", name)
	return span{rs, ss, s}
}

func (s span) through(r *rules.Run) schemas.Reason { return r.Span(s.resource, s.scope, s.Span) }

func TestSpans(t *testing.T) {
	for name, c := range map[string]struct {
		rules string
		span  span
		want  schemas.Reason
	}{
		"health check is dropped": {rule("drop", `IsMatch(attributes["url.path"], "^/(health|ready|live)z?$")`, ""), newSpan("/healthz", 1), schemas.ByRule},
		"others are not":          {rule("drop", `IsMatch(attributes["url.path"], "^/(health|ready|live)z?$")`, ""), newSpan("/health/x", 1), ""},
		"quick one is not kept":   {rule("keep", `end_time - start_time >= Duration("1s")`, ""), newSpan("/", 999), schemas.ByRule},
		"slow one is":             {rule("keep", `end_time - start_time >= Duration("1s")`, ""), newSpan("/", 1000), ""},
		"any condition":           {`[{"name":"r","on":"spans","action":"drop","conditions":["name == \"x\"","kind == SPAN_KIND_SERVER"]}]`, newSpan("/", 1), schemas.ByRule},
		"context by name":         {rule("drop", `span.name == "/" and resource.attributes["service.name"] == "shop"`, ""), newSpan("/", 1), schemas.ByRule},
		"another tenant's rule":   {rule("drop", `true`, `,"tenants":["b*"]`), newSpan("/", 1), ""},
		"this tenant's rule":      {rule("drop", `true`, `,"tenants":["x","a*"]`), newSpan("/", 1), schemas.ByRule},
		"failed is kept":          {rule("drop", `Int(attributes) == 1`, ""), newSpan("/", 1), ""},
		"failed is dropped":       {rule("drop", `Int(attributes) == 1`, `,"on_error":"drop"`), newSpan("/", 1), schemas.RuleFailed},
		"keep that fails keeps":   {rule("keep", `Int(attributes) == 1`, ""), newSpan("/", 1), ""},
		"rules on others":         {`[{"name":"l","on":"logs","action":"drop","conditions":["true"]},{"name":"p","on":"points","action":"drop","conditions":["true"]}]`, newSpan("/", 1), ""},
		"the first that drops": {
			`[{"name":"a","on":"spans","action":"transform","statements":["set(name, \"x\")"]},{"name":"b","on":"spans","action":"drop","conditions":["name == \"x\""]}]`,
			newSpan("/", 1), schemas.ByRule,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.span.through(compiled(t, c.rules).For("acme")); got != c.want {
				t.Errorf("dropped for %q, want %q", got, c.want)
			}
		})
	}
}

func TestTransform(t *testing.T) {
	for statement, want := range map[string]string{
		`set(attributes["edge.region"], "north")`:                                               `{"edge.region":"north","url.path":"/a/17"}`,
		`set(attributes["n"], Concat([name, "!"], "")) where kind == SPAN_KIND_SERVER`:          `{"n":"/a/17!","url.path":"/a/17"}`,
		`set(attributes["n"], 1) where kind == SPAN_KIND_CLIENT`:                                `{"url.path":"/a/17"}`,
		`replace_pattern(attributes["url.path"], "/[0-9]+", "/{id}")`:                           `{"url.path":"/a/{id}"}`,
		`delete_key(attributes, "url.path")`:                                                    `{}`,
		`set(attributes["ms"], Milliseconds(end_time - start_time))`:                            `{"ms":5,"url.path":"/a/17"}`,
		`set(attributes["of"], resource.attributes["service.name"])`:                            `{"of":"shop","url.path":"/a/17"}`,
		`set(attributes["root"], IsRootSpan())`:                                                 `{"root":true,"url.path":"/a/17"}`,
		`set(attributes["id"], SHA256(name))`:                                                   `{"id":"3ea024ddea187ac857a06dd95f905d494a84527234ffb2cfe9eb731480706511","url.path":"/a/17"}`,
		`set(attributes["d"], ExtractPatterns(name, "/a/(?P<id>[0-9]+)")["id"])`:                `{"d":"17","url.path":"/a/17"}`,
		`set(attributes["list"], Split(name, "/"))`:                                             `{"list":["","a","17"],"url.path":"/a/17"}`,
		`set(attributes["up"], ToUpperCase(name)) where IsMatch(name, "^/a") and Len(name) > 2`: `{"up":"/A/17","url.path":"/a/17"}`,
	} {
		s := newSpan("/a/17", 5)
		run := compiled(t, setting("spans", statement)).For("t")
		if why := s.through(run); why != "" || run.Counts()[0].Errors > 0 {
			t.Errorf("%s: dropped for %q, %+v", statement, why, run.Counts())
		}
		if got := fmt.Sprint(s.Attributes().AsRaw()); got != fmt.Sprint(parsed(t, want)) {
			t.Errorf("%s:\n%s\n%s wanted", statement, got, fmt.Sprint(parsed(t, want)))
		}
	}
}

// parsed are attributes as pdata has them.
func parsed(t testing.TB, text string) map[string]any {
	t.Helper()
	m := pcommon.NewMap()
	var raw map[string]any
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(err)
	}
	if err := m.FromRaw(raw); err != nil {
		t.Fatal(err)
	}
	return m.AsRaw()
}

func TestRunCounts(t *testing.T) {
	p := compiled(t, `[
		{"name":"health","on":"spans","action":"drop","conditions":["name == \"/healthz\""]},
		{"name":"odd","on":"spans","action":"transform","statements":["set(attributes[\"n\"], Int(attributes))"],"on_error":"drop","conditions":["name == \"/odd\""]},
		{"name":"logs","on":"logs","action":"keep","conditions":["severity_number >= SEVERITY_NUMBER_WARN"]}]`)
	run := p.For("t")
	for _, name := range []string{"/healthz", "/", "/odd", "/healthz"} {
		newSpan(name, 1).through(run)
	}
	rl := plog.NewLogs().ResourceLogs().AppendEmpty()
	sl := rl.ScopeLogs().AppendEmpty()
	for _, n := range []plog.SeverityNumber{plog.SeverityNumberInfo, plog.SeverityNumberWarn, plog.SeverityNumberFatal} {
		l := sl.LogRecords().AppendEmpty()
		l.SetSeverityNumber(n)
		run.Log(rl, sl, l)
	}
	got := run.Counts()
	if got[1].Failure == "" {
		t.Error("nobody is told why a rule failed")
	}
	got[1].Failure = ""
	want := []rules.Count{{"health", "spans", 2, 2, 0, ""}, {"odd", "spans", 1, 1, 1, ""}, {"logs", "logs", 2, 1, 0, ""}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if n := p.For("t").Counts()[0].Hits; n != 0 {
		t.Errorf("another run begins with %d", n)
	}
}

// TestPass: a log record is chosen by any rule that passes it, as long as none drops it, and sees
// what rules behind that change.
func TestPass(t *testing.T) {
	p := compiled(t, `[
		{"name":"first","on":"logs","action":"pass","conditions":["severity_number >= SEVERITY_NUMBER_ERROR"]},
		{"name":"fails","on":"logs","action":"pass","conditions":["Int(attributes) == 1"]},
		{"name":"noise","on":"logs","action":"drop","conditions":["body == \"noise\""]},
		{"name":"hide","on":"logs","action":"transform","statements":["set(body, \"hidden\")"]}]`)
	run := p.For("t")
	rl := plog.NewLogs().ResourceLogs().AppendEmpty()
	sl := rl.ScopeLogs().AppendEmpty()
	for _, c := range []struct {
		severity plog.SeverityNumber
		body     string
		why      schemas.Reason
		pass     bool
	}{
		{plog.SeverityNumberError, "x", "", true},
		{plog.SeverityNumberInfo, "x", "", false},
		{plog.SeverityNumberFatal, "noise", schemas.ByRule, false},
	} {
		l := sl.LogRecords().AppendEmpty()
		l.SetSeverityNumber(c.severity)
		l.Body().SetStr(c.body)
		why, pass := run.Log(rl, sl, l)
		if why != c.why || pass != c.pass || why == "" && l.Body().Str() != "hidden" {
			t.Errorf("%s %s: %q %v, body %s", c.severity, c.body, why, pass, l.Body().Str())
		}
	}
	if got := run.Counts(); got[0].Hits != 2 || got[1].Errors != 3 || got[2].Drops != 1 {
		t.Errorf("rules did %+v", got)
	}
}

func TestPointsOfAllTypes(t *testing.T) {
	p := compiled(t, `[{"name":"r","on":"points","action":"drop","conditions":["metric.name == \"m\" and attributes[\"host\"] == \"a\""]}]`)
	rm := pmetric.NewMetrics().ResourceMetrics().AppendEmpty()
	sm := rm.ScopeMetrics().AppendEmpty()
	m := sm.Metrics().AppendEmpty()
	m.SetName("m")
	number, histogram := m.SetEmptyGauge().DataPoints().AppendEmpty(), pmetric.NewHistogramDataPoint()
	exponential, summary := pmetric.NewExponentialHistogramDataPoint(), pmetric.NewSummaryDataPoint()
	for _, a := range []pcommon.Map{number.Attributes(), histogram.Attributes(), exponential.Attributes(), summary.Attributes()} {
		a.PutStr("host", "a")
	}
	run := p.For("t")
	for _, point := range []any{number, histogram, exponential, summary} {
		if why := run.Point(rm, sm, m, point); why != schemas.ByRule {
			t.Errorf("%T: dropped for %q", point, why)
		}
	}
	number.Attributes().PutStr("host", "b")
	if why := run.Point(rm, sm, m, number); why != "" {
		t.Errorf("another host is dropped for %q", why)
	}
}

func TestCompileErrors(t *testing.T) {
	for _, c := range []struct{ rules, path, at, why string }{
		{rule("drop", `nam == "x"`, ""), "rules[0].conditions[0]", "1:1", `"nam"`},
		{rule("drop", `name = "x"`, ""), "rules[0].conditions[0]", "1:6", "syntax"},
		{rule("drop", "name == \"x\"\n  or kind == SPAN_KIND_BAD", ""), "rules[0].conditions[0]", "2:14", "SPAN_KIND_BAD"},
		{rule("drop", `IsMatch(name, "(")`, ""), "rules[0].conditions[0]", "1:1", "missing closing"},
		{rule("drop", `IsMatch(name, attributes["pattern"])`, ""), "rules[0].conditions[0]", "1:1", "text in quotes"},
		{rule("drop", ``, ""), "rules[0].conditions[0]", "1:1", "syntax"},
		{rule("drop", `Now() > start_time`, ""), "rules[0].conditions[0]", "1:1", `undefined function "Now"`},
		{setting("spans", `set(attributes["id"], UUID())`), "rules[0].statements[0]", "1:23", `undefined function "UUID"`},
		{setting("spans", `sett(attributes["é"], 1)`), "rules[0].statements[0]", "1:1", `undefined function "sett"`},
		{setting("spans", `set(attributes["é"], Duration(1))`), "rules[0].statements[0]", "1:31", "expected string"},
		{setting("spans", `set(attributes["x"] 1)`), "rules[0].statements[0]", "1:21", "syntax"},
		{setting("spans", `set(attributes["x"], "y`), "rules[0].statements[0]", "1:22", "invalid input text"},
		{setting("spans", `replace_pattern(name, name, "x")`), "rules[0].statements[0]", "1:1", "text in quotes"},
		{setting("logs", `set(attributes["root"], IsRootSpan())`), "rules[0].statements[0]", "1:25", `"IsRootSpan"`},
		{setting("points", "set(metric.name, \"data_points\") where\n metric.data_points == nil"), "rules[0].statements[0]", "2:9", "sees one point"},
	} {
		_, err := rules.Compile(ofPolicy(t, c.rules))
		bad, is := err.(*rules.CompileError)
		if !is || len(bad.Faults) != 1 {
			t.Errorf("%s\ncompiles with %v", c.rules, err)
			continue
		}
		f := bad.Faults[0]
		if at := fmt.Sprintf("%d:%d", f.Line, f.Column); f.Path != c.path || at != c.at || !strings.Contains(f.Why, c.why) {
			t.Errorf("%s\n%s at %s: %s\nwant %s at %s: %s", c.rules, f.Path, at, f.Why, c.path, c.at, c.why)
		}
	}
	_, err := rules.Compile(ofPolicy(t, `[{"name":"a","on":"spans","action":"drop","conditions":["true","x"]},{"name":"b","on":"logs","action":"transform","statements":["y()"]}]`))
	if bad, is := err.(*rules.CompileError); !is || len(bad.Faults) != 2 || !strings.Contains(err.Error(), "rules[1].statements[0], line 1, column 1") {
		t.Errorf("not all faults are said: %v", err)
	}
}

// What a rule sets is bounded, however often it doubles a value.
func TestValuesAreBounded(t *testing.T) {
	for _, statement := range []string{
		`set(name, Concat([name, name], ""))`,
		`set(attributes["url.path"], Concat([attributes["url.path"], attributes["url.path"]], ""))`,
		`set(attributes["x"], [attributes["x"], attributes["x"], name])`,
		`replace_pattern(name, "^.*$", "$0$0")`,
	} {
		s, run := newSpan("/0123456789", 1), compiled(t, setting("spans", statement)).For("t")
		for range 40 {
			s.through(run)
		}
		if c := run.Counts()[0]; c.Errors == 0 || !strings.Contains(c.Failure, "65536 bytes") {
			t.Errorf("%s: %+v", statement, c)
		}
	}
}

// Whatever rules there are, each item has one verdict, and the counts agree with
// the verdicts.
func TestVerdictsAndCountsAgree(t *testing.T) {
	conditions := []string{`name == "/0"`, `name == "/1"`, `true`, `false`, `Int(attributes) > 0`, `end_time - start_time > Duration("2ms")`, `IsMatch(name, "[12]$")`}
	statements := []string{`set(name, "/1")`, `set(attributes["a"], 1)`, `set(attributes["a"], Int(attributes))`, `delete_key(attributes, "url.path")`}
	rapid.Check(t, func(t *rapid.T) {
		var list schemas.ItemRules
		for i := range rapid.IntRange(0, 6).Draw(t, "rules") {
			r := schemas.ItemRule{
				Name: fmt.Sprint("r", i), On: schemas.OnSpans, Action: rapid.SampledFrom([]schemas.RuleAction{schemas.DropItems, schemas.KeepItems, schemas.TransformItems}).Draw(t, "action"),
				OnError:    rapid.SampledFrom([]schemas.RuleFailure{schemas.FailedKept, schemas.FailedDropped}).Draw(t, "on_error"),
				Conditions: rapid.SliceOfN(rapid.SampledFrom(conditions), 1, 2).Draw(t, "conditions"),
			}
			if r.Action == schemas.TransformItems {
				r.Statements = rapid.SliceOfN(rapid.SampledFrom(statements), 1, 2).Draw(t, "statements")
			}
			list = append(list, r)
		}
		p, err := rules.Compile(list)
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			return
		}
		run, dropped := p.For("t"), uint64(0)
		for range rapid.IntRange(1, 30).Draw(t, "spans") {
			s := newSpan(fmt.Sprint("/", rapid.IntRange(0, 3).Draw(t, "name")), rapid.IntRange(0, 4).Draw(t, "ms"))
			switch why := s.through(run); why {
			case "":
			case schemas.ByRule, schemas.RuleFailed:
				dropped++
			default:
				t.Fatalf("dropped for %q", why)
			}
		}
		for _, c := range run.Counts() {
			dropped -= c.Drops
		}
		if dropped != 0 {
			t.Fatalf("%d more are dropped than rules say: %+v", int64(dropped), run.Counts())
		}
	})
}

func BenchmarkThreeRules(b *testing.B) {
	p := compiled(b, `[
		{"name":"health","on":"spans","action":"drop","conditions":["IsMatch(attributes[\"url.path\"], \"^/(health|ready|live)z?$\")"]},
		{"name":"slow","on":"spans","action":"keep","conditions":["end_time - start_time >= Duration(\"1s\")"]},
		{"name":"region","on":"spans","action":"transform","statements":["set(attributes[\"edge.region\"], \"north\")"]}]`)
	s, run := newSpan("/cart", 1500), p.For("t")
	b.ReportAllocs()
	for b.Loop() {
		s.through(run)
	}
}
