package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// scripts runs the cases of a file: text, a line of four dashes, the wanted
// outcome, an empty line. With -update it writes the outcomes.
func scripts(t *testing.T, file string, run func(text string) string) {
	name := filepath.Join("testdata", file)
	var out []string
	for i, c := range strings.Split(strings.TrimSpace(string(read(t, name))), "\n\n") {
		text, want, _ := strings.Cut(c, "\n----")
		var document []string
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "#") {
				document = append(document, line)
			}
		}
		got := run(strings.Join(document, ""))
		out = append(out, text+"\n----\n"+got)
		if want = strings.TrimPrefix(want, "\n"); got != want && !*update {
			t.Errorf("%s, case %d:\n%s\ngot:\n%s\nwant:\n%s", name, i+1, text, got, want)
		}
	}
	if *update {
		if err := os.WriteFile(name, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPolicyRefuses: the message names the field, the value and the way out.
func TestPolicyRefuses(t *testing.T) {
	scripts(t, "policy-invalid.txt", func(document string) string {
		p, err := ParsePolicy([]byte(document))
		if err == nil {
			t.Errorf("%s was taken for %s", document, p.JSON())
			return "taken"
		}
		if _, ok := errors.AsType[*PolicyError](err); !ok {
			t.Errorf("%s: %T", document, err)
		}
		return err.Error()
	})
}

// TestPolicyTakes shows what differs from the defaults. The schema takes what the parser takes.
func TestPolicyTakes(t *testing.T) {
	valid := validator(t)
	scripts(t, "policy-valid.txt", func(document string) string {
		p, err := ParsePolicy([]byte(document))
		if err != nil {
			t.Error(document, err)
			return err.Error()
		}
		if err := p.Check(); err != nil {
			t.Error(document, err)
		}
		if err := valid([]byte(document)); err != nil && !strings.Contains(document, "null") {
			t.Errorf("%s, by the schema: %v", document, err)
		}
		if d := differences(t, DefaultPolicy().JSON(), p.JSON()); len(d) > 0 {
			return strings.Join(d, "\n")
		}
		return "the defaults"
	})
}

// differences are the fields of b that differ from those of a.
func differences(t *testing.T, a, b []byte) (out []string) {
	var was, is map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(a, &was), json.Unmarshal(b, &is)); err != nil {
		t.Fatal(err)
	}
	for _, name := range sortedKeys(is) {
		if !bytes.Equal(was[name], is[name]) {
			out = append(out, fmt.Sprintf("%s: %s", name, is[name]))
		}
	}
	return out
}

func TestPolicyLayers(t *testing.T) {
	scripts(t, "policy-layers.txt", func(text string) string {
		var layers [][]byte
		for line := range strings.Lines(text) {
			layers = append(layers, []byte(line))
		}
		merged, err := MergeLayers(layers...)
		if err != nil {
			return err.Error()
		}
		return string(merged)
	})
}

// TestMergeVectors are the test cases of RFC 7396, appendix A, whose documents are objects.
func TestMergeVectors(t *testing.T) {
	for _, v := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		got, err := MergeLayers([]byte(v[0]), []byte(v[1]))
		if err != nil || string(got) != v[2] {
			t.Errorf("%s on %s gives %s, %v, want %s", v[1], v[0], got, err, v[2])
		}
	}
}

func TestPolicyBounds(t *testing.T) {
	f := func(what, document, want string) {
		t.Helper()
		if _, err := ParsePolicy([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %.200v, want %q", what, err, want)
		}
		if _, err := MergeLayers([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s as a layer: %.200v, want %q", what, err, want)
		}
	}
	f("a large document", `{"idle":"`+strings.Repeat("x", MaxPolicySize)+`"}`, "bytes: a policy document may have 262144")
	f("a deep document", strings.Repeat(`{"a":`, 100_000/6)+"1"+strings.Repeat("}", 100_000/6), "is nested deeper than 16")
	f("a deep array", strings.Repeat(`[`, 100_000), "is nested deeper than 16")
	f("bytes", "\xff\xfe", "not UTF-8")
	f("nothing", "", "the document ends early")

	views := make([]string, MaxViews-1)
	for i := range views {
		views[i] = fmt.Sprintf(`{"name":"v%d","group_by":["metric"]}`, i)
	}
	many := `{"views":[` + strings.Join(views, ",") + `]}`
	if _, err := ParsePolicy([]byte(many)); err == nil || !strings.Contains(err.Error(), "views: 33: want at most 32 views") {
		t.Error(err)
	}
}

// TestPolicyJSON: the document of a policy gives the same policy.
func TestPolicyJSON(t *testing.T) {
	documents := []string{`{}`, `{"tenants":{"acme":{"limits":{"depth":4},"views":[{"name":"device","size":"20s"}]}},"effective_from":"2026-11-21T10:00:00.5+02:00"}`}
	for _, c := range strings.Split(strings.TrimSpace(string(read(t, "testdata/policy-valid.txt"))), "\n\n") {
		document, _, _ := strings.Cut(c, "\n----")
		documents = append(documents, document[strings.Index(document, "{"):])
	}
	for _, document := range documents {
		p, err := ParsePolicy([]byte(document))
		if err != nil {
			t.Fatal(document, err)
		}
		again, err := ParsePolicy(p.JSON())
		if err != nil {
			t.Fatal(document, err)
		}
		if !bytes.Equal(again.JSON(), p.JSON()) || again.Hash() != p.Hash() || !reflect.DeepEqual(again.Rules, p.Rules) {
			t.Errorf("%s is\n%s, and that is\n%s", document, p.JSON(), again.JSON())
		}
	}
	one, _ := ParsePolicy([]byte(`{"idle":"2000ms","disorder":"0.5s","limits":{"payload":"65536B"}}`))
	if one.Hash() != DefaultPolicy().Hash() {
		t.Errorf("the defaults in other words are %s", one.JSON())
	}
	other, _ := ParsePolicy([]byte(`{"idle":"2001ms"}`))
	if other.Hash() == one.Hash() {
		t.Error("two policies have one hash")
	}
}

func TestDefaultPolicy(t *testing.T) {
	p := DefaultPolicy()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	device, fleet := p.Views.Named(DeviceView), p.Views.Named(FleetView)
	if device == nil || fleet == nil || p.Views.Named("other") != nil || len(p.Views) != 2 {
		t.Fatalf("views %+v", p.Views)
	}
	got := fmt.Sprintln(device.GroupBy, device.Size, device.Hop, device.AllowedLateness, device.Uplink.Tier(), fleet.GroupBy, fleet.Uplink.Tier())
	if want := "[device metric] 10s 10s 1m region [class metric] center\n"; got != want {
		t.Errorf("got %swant %s", got, want)
	}
	if UplinkNone.Tier() != "" {
		t.Errorf("without an uplink windows reach %q", UplinkNone.Tier())
	}
}

// TestPolicyFor: document, then class, then tenant.
func TestPolicyFor(t *testing.T) {
	p, err := ParsePolicy([]byte(`{
		"device_classes": [{"match": "pump-*", "class": "pump"}, {"match": "*-slow", "class": "slow"}],
		"payload_format": "json",
		"classes": {"slow": {"views": [{"name": "device", "size": "1m"}, {"name": "hourly", "group_by": ["metric"], "size": "1h"}], "limits": {"depth": 4, "payload": "1KB"}}},
		"tenants": {"acme": {"limits": {"payload": "2KB"}, "payload_format": "auto"}}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	f := func(tenant, class, want string) {
		t.Helper()
		r := p.For(tenant, class)
		got := fmt.Sprintln(len(r.Views), r.Views.Named(DeviceView).Size, r.Views.Named(DeviceView).Hop, r.Limits.Depth, r.Limits.Payload, r.PayloadFormat)
		if got != want+"\n" {
			t.Errorf("%s, %s: %s, want %s", tenant, class, got, want)
		}
	}
	f("other", "pump", "2 10s 10s 8 64KB json")
	f("acme", "pump", "2 10s 10s 8 2KB auto")
	f("other", "slow", "3 1m 1m 4 1KB json")
	f("acme", "slow", "3 1m 1m 4 2KB auto")
	if got := fmt.Sprint(len(p.Views), p.Views.Named(DeviceView).Size); got != "2 10s" {
		t.Errorf("the document's own views became %s", got)
	}
	for device, want := range map[string]string{"pump-1": "pump", "pump-slow": "pump", "fan-slow": "slow", "fan": DefaultClass, "pump": DefaultClass} {
		if got := p.ClassOf(device); got != want {
			t.Errorf("%s has class %s, want %s", device, got, want)
		}
	}
	if got := fmt.Sprint(p.Lengths()); got != fmt.Sprint([]int64{int64(10 * second), int64(minute), int64(hour)}) {
		t.Errorf("lengths %s", got)
	}
}

func TestMatch(t *testing.T) {
	attrs := map[string]string{"site": "x"}
	f := func(m Match, want bool) {
		t.Helper()
		if got := m.Holds("acme", "pump", "pump-1", "temp", func(key string) string { return attrs[key] }); got != want {
			t.Errorf("%+v: %v", m, got)
		}
	}
	f(Match{}, true)
	f(Match{Tenant: "ac*", Class: "pump", Device: "pump-?", Metric: "*"}, true)
	f(Match{Tenant: "ac"}, false)
	f(Match{Class: "fan"}, false)
	f(Match{Device: "pump-??"}, false)
	f(Match{Metric: "tempo"}, false)
	f(Match{Attrs: map[string]string{"site": "x"}}, true)
	f(Match{Attrs: map[string]string{"site": "y"}}, false)
	f(Match{Attrs: map[string]string{"floor": "x"}}, false)
}

// globByDefinition tries every text for a star.
func globByDefinition(pattern, name string) bool {
	switch {
	case pattern == "":
		return name == ""
	case pattern[0] == '*':
		return globByDefinition(pattern[1:], name) || name != "" && globByDefinition(pattern, name[1:])
	case name == "":
		return false
	}
	return (pattern[0] == '?' || pattern[0] == name[0]) && globByDefinition(pattern[1:], name[1:])
}

func TestGlob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*?]{0,8}`).Draw(t, "pattern")
		name := rapid.StringMatching(`[ab]{0,10}`).Draw(t, "name")
		if got, want := Glob(pattern, name), globByDefinition(pattern, name); got != want {
			t.Fatalf("Glob(%q, %q) = %v", pattern, name, got)
		}
	})
	if Glob(strings.Repeat("*a", 30)+"b", strings.Repeat("a", 10_000)) {
		t.Error("a name without b matches a pattern that ends in b")
	}
}

func TestUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.OneOf(rapid.Int64Min(0), rapid.Map(rapid.Int64Range(0, 1e6), func(n int64) int64 { return n * 1e8 })).Draw(t, "ns"))
		var back Duration
		if err := back.UnmarshalText([]byte(d.String())); err != nil || back != d {
			t.Fatalf("%d ns is written %s and read %d, %v", int64(d), d, int64(back), err)
		}
		s := ByteSize(rapid.Int64Min(0).Draw(t, "bytes"))
		var size ByteSize
		if err := size.UnmarshalText([]byte(s.String())); err != nil || size != s {
			t.Fatalf("%d bytes are written %s and read %d, %v", int64(s), s, int64(size), err)
		}
	})
	for text, want := range map[string]string{
		"0s": "0s", "10s": "10s", "60s": "1m", "90s": "90s", "7d": "168h", "1h30m": "90m", "1.5s": "1500ms", "0": "0s",
		"": "", "d": "", "-1d": "", "-1s": "", "10": "", "10 s": "", "1.5d": "", "300000d": "", "10sec": "", "1e9h": "", "ten": "",
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); (err == nil) != (want != "") || err == nil && d.String() != want {
			t.Errorf("%q is %s, %v, want %q", text, d, err, want)
		}
	}
	for text, want := range map[string]string{
		"64KB": "64KB", "64KiB": "64KB", "65536B": "64KB", "1000B": "1000B", "1024MB": "1GB", "0B": "0B",
		"": "", "64": "", "64kb": "", "-1KB": "", "1.5MB": "", "KB": "", "99999999999GB": "",
	} {
		var s ByteSize
		if err := s.UnmarshalText([]byte(text)); (err == nil) != (want != "") || err == nil && s.String() != want {
			t.Errorf("%q is %s, %v, want %q", text, s, err, want)
		}
	}
}

// FuzzPolicy: no document hurts, and what is taken says the same when written again.
func FuzzPolicy(f *testing.F) {
	for _, file := range []string{"policy-valid.txt", "policy-invalid.txt"} {
		for _, c := range strings.Split(string(read(f, filepath.Join("testdata", file))), "\n\n") {
			document, _, _ := strings.Cut(c, "\n----")
			f.Add([]byte(document))
		}
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := ParsePolicy(document)
		if err != nil {
			return
		}
		if err := p.Check(); err != nil {
			t.Errorf("taken, but: %v", err)
		}
		again, err := ParsePolicy(p.JSON())
		if err != nil || !bytes.Equal(again.JSON(), p.JSON()) {
			t.Errorf("written again it is %s, %v, before %s", again.JSON(), err, p.JSON())
		}
		merged, err := MergeLayers(nil, document, []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if same, err := ParsePolicy(merged); err != nil || same.Hash() != p.Hash() {
			t.Errorf("merged with nothing: %v, %s", err, merged)
		}
	})
}
