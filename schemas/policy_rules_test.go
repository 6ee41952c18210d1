package schemas

import (
	"fmt"
	"strings"
	"testing"
)

func TestItemRulesAreChecked(t *testing.T) {
	const drop = `"on":"spans","action":"drop","conditions":["true"]`
	for entry, want := range map[string]string{
		`{"name":"a b",` + drop + `}`:                                                                          "rules[0].name",
		`{"name":"a","action":"drop","conditions":["true"]}`:                                                   "rules[0].on: want spans, points or logs",
		`{"name":"a","on":"metrics","action":"drop","conditions":["x"]}`:                                       "want spans, points or logs",
		`{"name":"a","on":"spans","conditions":["true"]}`:                                                      "rules[0].action: want drop, keep, transform or pass",
		`{"name":"a","on":"spans","action":"drop"}`:                                                            "rules[0].conditions: 0: say which items to drop",
		`{"name":"a","on":"spans","action":"keep"}`:                                                            "say which items to keep",
		`{"name":"a","on":"spans","action":"pass","conditions":["true"]}`:                                      "only log records are passed through",
		`{"name":"a","on":"logs","action":"pass"}`:                                                             "say which items to pass",
		`{"name":"a","on":"spans","action":"transform"}`:                                                       "rules[0].statements: 0: say what to change",
		`{"name":"a","statements":["x()"],` + drop + `}`:                                                       "only transform has statements",
		`{"name":"a","on_error":"ignore",` + drop + `}`:                                                        "want keep or drop",
		`{"name":"a","tenants":["a b"],` + drop + `}`:                                                          "rules[0].tenants[0]",
		`{"name":"a","condition":"true",` + drop + `}`:                                                         "did you mean conditions?",
		`{"name":"a",` + drop + `},{"name":"a",` + drop + `}`:                                                  "another rule has that name",
		`{"name":"a","on":"logs","action":"drop","conditions":["` + strings.Repeat("x", MaxRuleText+1) + `"]}`: "rules[0].conditions[0]: 4097: want at most 4096 bytes",
		strings.Repeat(`{"name":"a",`+drop+`},`, MaxItemRules) + `{"name":"b",` + drop + `}`:                   "rules: 33: want at most 32",
	} {
		_, err := ParsePolicy([]byte(`{"rules":[` + entry + `]}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\nwant %s", entry, err, want)
		}
	}
	p, err := ParsePolicy([]byte(`{"rules":[{"name":"a",` + drop + `}]}`))
	if err != nil || p.ItemRules[0].OnError != FailedKept {
		t.Fatalf("%+v: %v", p, err)
	}
	again, err := ParsePolicy(p.JSON())
	if err != nil || string(again.JSON()) != string(p.JSON()) {
		t.Errorf("written out it reads as %s: %v", again.JSON(), err)
	}
}

func TestPlaceOf(t *testing.T) {
	const document = "{\"views\": [],\n \"rules\": [{\"name\": \"é\"},\n  {\"statements\": [\"x\", \"a\\tb\\\"\\u00e9\\n \\ud83d\\ude00c\" ]}], \"n\": 1}"
	for _, c := range []struct {
		path         string
		line, column int
		want         string
	}{
		{"rules[0].name", 1, 1, "2:22"},
		{"rules[1].statements[0]", 1, 1, "3:20"},
		{"rules[1].statements[1]", 1, 1, "3:25"},
		{"rules[1].statements[1]", 1, 3, "3:28"}, // behind the tab
		{"rules[1].statements[1]", 1, 5, "3:31"}, // é, escaped
		{"rules[1].statements[1]", 2, 2, "3:40"}, // the pair
		{"rules[1].statements[1]", 2, 3, "3:52"},
		{"rules[1].statements[1]", 9, 9, "3:53"}, // behind its end
		{"rules[1].statements[2]", 1, 1, ""},
		{"rules[2].name", 1, 1, ""},
		{"rules[1].statements", 1, 1, ""},
		{"n", 1, 1, ""},
		{"", 1, 1, ""},
	} {
		line, column, found := PlaceOf([]byte(document), c.path, c.line, c.column)
		if got := fmt.Sprintf("%d:%d", line, column); found != (c.want != "") || found && got != c.want {
			t.Errorf("%s at %d:%d is at %s, %v; want %s", c.path, c.line, c.column, got, found, c.want)
		}
	}
}

func FuzzPlaceOf(f *testing.F) {
	f.Add([]byte(`{"rules":[{"statements":["a\nb"]}]}`), 2, 1)
	f.Add([]byte(`{"rules":[{"statements":["\ud83d`), 1, 9)
	f.Add([]byte(`{"rules":[{"statements":["\u12`), 1, 9)
	f.Fuzz(func(t *testing.T, document []byte, line, column int) {
		l, c, found := PlaceOf(document, "rules[0].statements[0]", line, column)
		if found && (l < 1 || c < 1) {
			t.Fatalf("%d:%d", l, c)
		}
		RulesOf(document)
	})
}
