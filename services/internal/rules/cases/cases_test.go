package cases_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"weir/schemas"
	"weir/services/internal/rules"
	"weir/services/internal/rules/cases"
)

// run tries rules on the items of a file.
func run(t testing.TB, list, items string) []cases.Result {
	t.Helper()
	p, err := schemas.ParsePolicy([]byte(`{"rules":` + list + `}`))
	if err != nil {
		t.Fatal(err)
	}
	program, err := rules.Compile(p.ItemRules)
	if err != nil {
		t.Fatal(err)
	}
	f, err := cases.Read([]byte("policy: p.json\nitems:\n" + items))
	if err != nil {
		t.Fatal(err)
	}
	return f.Run(program)
}

const mixed = `[
	{"name":"debug","on":"logs","action":"drop","conditions":["severity_number < SEVERITY_NUMBER_INFO"],"tenants":["acme"]},
	{"name":"celsius","on":"points","action":"transform","conditions":["metric.unit == \"K\""],"statements":["set(value_double, value_double - 273.0)","set(metric.unit, \"Cel\")"]},
	{"name":"errors","on":"logs","action":"pass","conditions":["severity_number >= SEVERITY_NUMBER_ERROR"]},
	{"name":"odd","on":"spans","action":"drop","conditions":["Int(attributes) == 1"]}]`

func TestCases(t *testing.T) {
	for items, want := range map[string]string{
		`- {name: a, tenant: acme, log: {body: x, severity: debug}, expect: dropped, by: debug}`:                                                              `{"name":"a","ok":true,"outcome":"dropped","by":"debug"}`,
		`- {name: a, log: {body: x, severity: debug}, expect: dropped}`:                                                                                       `{"name":"a","ok":false,"outcome":"kept","differences":[{"field":"outcome","want":"dropped","got":"kept"}]}`,
		`- {name: a, tenant: acme, log: {severity: debug}, expect: dropped, by: other}`:                                                                       `{"name":"a","ok":false,"outcome":"dropped","by":"debug","differences":[{"field":"by","want":"other","got":"debug"}]}`,
		`- {name: a, log: {body: x, severity: error}, expect: passed, after: {body: x}}`:                                                                      `{"name":"a","ok":true,"outcome":"passed"}`,
		`- {name: a, log: {body: x, severity: error}, expect: kept}`:                                                                                          `{"name":"a","ok":false,"outcome":"passed","differences":[{"field":"outcome","want":"kept","got":"passed"}]}`,
		`- {name: a, point: {metric: temp, unit: K, value: 300}, expect: kept, after: {unit: Cel, value: 27, attributes: {}}}`:                                `{"name":"a","ok":true,"outcome":"kept"}`,
		`- {name: a, point: {metric: temp, unit: K, value: 300, attributes: {n: 1}}, expect: kept, after: {value: 300, attributes: {n: 2, m: x}}}`:            `{"name":"a","ok":false,"outcome":"kept","differences":[{"field":"value","want":300,"got":27},{"field":"attributes[\"m\"]","want":"x","got":null},{"field":"attributes[\"n\"]","want":2,"got":1}]}`,
		`- {name: a, log: {body: {n: [1, x]}, severity: warn}, resource: {a: b}, expect: kept, after: {body: {n: [1, x]}, severity: warn, resource: {a: b}}}`: `{"name":"a","ok":true,"outcome":"kept"}`,
	} {
		results := run(t, mixed, items)
		got, err := json.Marshal(results[0])
		if err != nil || string(got) != want {
			t.Errorf("%s\n got %s %v\nwant %s", items, got, err, want)
		}
	}
	failed := run(t, mixed, "- {name: a, span: {name: x, kind: client, status: ok, duration: 5ms}, expect: kept, failed: [odd], after: {name: x, kind: client, status: ok}}\n- {name: b, span: {name: x}, expect: kept}")
	if !failed[0].OK || failed[1].OK || len(failed[1].Failed) != 1 || failed[1].Failed[0].Error == "" || failed[1].Differences[0].String() != `failed: want nothing, got ["odd"]` {
		t.Errorf("got %+v", failed)
	}
}

func TestReadRefuses(t *testing.T) {
	const log = `log: {body: x}, expect: kept`
	for text, want := range map[string]string{
		"policy: p\nitems:\n- {name: a, " + log + ", colour: red}":     "colour",
		"policy: p\nitems:\n- {name: a, span: {nam: x}, expect: kept}": "nam",
		"policy: p\nitem: []":                                           "item",
		"policy: p\npolicy: q\nitems: []":                               "policy",
		"policy: p\nrules: []\nitems:\n- {" + log + "}":                 "one of the two",
		"items:\n- {" + log + "}":                                       "one of the two",
		"policy: p":                                                     "0 items",
		"policy: p\ntenant: a b\nitems:\n- {" + log + "}":               "tenant",
		"policy: p\nitems:\n- {span: {name: x}, " + log + "}":           "one of them",
		"policy: p\nitems:\n- {expect: kept}":                           "one of them",
		"policy: p\nitems:\n- {log: {}, expect: gone}":                  "want kept, dropped or passed",
		"policy: p\nitems:\n- {span: {name: x}, expect: passed}":        "only log records are passed through",
		"policy: p\nitems:\n- {log: {}, expect: passed, by: r}":         "leave it out",
		"policy: p\nitems:\n- {log: {}, expect: kept, by: r}":           "leave it out",
		"policy: p\nitems:\n- {log: {}, expect: dropped, after: {}}":    "leave out after",
		"policy: p\nitems:\n- {log: {severity: loud}, expect: kept}":    "want one of unspecified, trace",
		"policy: p\nitems:\n- {span: {kind: x}, expect: kept}":          `kind "x"`,
		"policy: p\nitems:\n- {span: {duration: 1}, expect: kept}":      "duration",
		"policy: p\nitems:\n- {span: {trace_id: abc}, expect: kept}":    "want 32 hexadecimal digits",
		"policy: p\nitems:\n- {point: {type: histogram}, expect: kept}": "want gauge or sum",
		"policy: [": "1",
	} {
		if _, err := cases.Read([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\nwant %s", text, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	example, err := os.ReadFile("../../../../examples/rules-test.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte(`{"policy":"p","items":[{"point":{"metric":"m","value":1e3},"expect":"kept","after":{"value":1}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if file, err := cases.Read(data); err == nil && len(file.Run(nil)) != len(file.Items) {
			t.Fatal("not every item has a result")
		}
	})
}
