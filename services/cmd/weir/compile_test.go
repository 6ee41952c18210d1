package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/aggregator"
	"weir/services/ingest"
)

func parsed(t *testing.T, document string) *schemas.Policy {
	t.Helper()
	p, err := schemas.ParsePolicy([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDefaultsAgree: a program without a document does what the built-in one says.
func TestDefaultsAgree(t *testing.T) {
	whole, err := checkPolicy(builtInPolicy())
	if err != nil {
		t.Fatal(err)
	}
	got, err := compileViews(whole.Document)
	if err != nil {
		t.Fatal(err)
	}
	want := aggregator.DefaultSettings()
	if len(got.Views) != len(want.Views) || got.MaxPast != want.MaxPast || got.ClassOf("d") != want.ClassOf("d") {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for i, v := range got.Views {
		w := want.Views[i]
		if v.Name != w.Name || v.Sketch != w.Sketch || v.Uplink != w.Uplink || v.Counter || v.Publish || v.Match != nil ||
			v.Spec.Size != w.Spec.Size || v.Spec.Lateness != w.Spec.Lateness || strings.Join(v.Dims, " ") != strings.Join(w.Dims, " ") {
			t.Errorf("view %d: got %+v, want %+v", i, v, w)
		}
	}
	if s, d := ingestSettings(schemas.DefaultPolicy()), ingest.DefaultSettings(); s.Rules != d.Rules || s.Tenants != d.Tenants || s.Devices != d.Devices || s.Connections != d.Connections {
		t.Errorf("ingest: got %+v, want %+v", s, d)
	}
}

func TestViewsOfTenantsAndClasses(t *testing.T) {
	const document = `{
		"views": [{"name":"device","size":"1s","allowed_lateness":"2s"}, {"name":"hot","match":{"metric":"temp*"},"group_by":["metric"]},
			{"name":"at","match":{"attrs":{"site":"x"}},"group_by":["attrs.floor"]}],
		"tenants": {"slow": {"views":[{"name":"device","size":"5s"}]}, "plain": {"limits":{"depth":3}}},
		"classes": {"pump": {"views":[{"name":"fleet","size":"20s"}]}},
		"device_classes": [{"match":"pump-*","class":"pump"}]
	}`
	s, err := compileViews([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if class := s.ClassOf("pump-3"); class != "pump" {
		t.Errorf("class %q", class)
	}
	for _, c := range []struct{ tenant, device, metric, site, want string }{
		{"any", "d", "temp", "", "device 1s, fleet 10s, hot 10s"},
		{"any", "d", "hum", "y", "device 1s, fleet 10s"},
		{"any", "d", "hum", "x", "device 1s, fleet 10s, at 10s"},
		{"plain", "d", "temp", "", "device 1s, fleet 10s, hot 10s"},
		{"slow", "d", "temp", "", "device 5s, fleet 10s, hot 10s"},
		{"any", "pump-1", "hum", "", "device 1s, fleet 20s"},
		{"slow", "pump-1", "hum", "", "device 5s, fleet 20s"},
		{"slow", "pump-1", "hum", "x", "device 5s, fleet 20s, at 10s"},
	} {
		id := &aggregator.DeviceID{Tenant: c.tenant, Device: c.device, Class: s.ClassOf(c.device)}
		var got []string
		for _, v := range s.Views {
			if v.Match == nil || v.Match(id, c.metric, aggregator.Attributes{{Key: "site", Value: c.site}}) {
				got = append(got, v.Name+" "+time.Duration(v.Spec.Size).String())
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s of %s/%s: views %s, want %s", c.metric, c.tenant, c.device, strings.Join(got, ", "), c.want)
		}
	}
}

// TestWhoseLimits: the document, then the class, the tenant last.
func TestWhoseLimits(t *testing.T) {
	s := ingestSettings(parsed(t, `{"limits":{"depth":5,"payload":"4KB"},
		"device_classes":[{"match":"pump-*","class":"pump"}],
		"classes":{"pump":{"limits":{"depth":6,"payload":"2KB","series_per_device":7},"payload_format":"msgpack"}},
		"tenants":{"acme":{"limits":{"payload":"1KB"},"payload_format":"json"}}}`))
	if class := s.ClassOf("pump-3"); class != "pump" {
		t.Errorf("pump-3 is of class %s", class)
	}
	for _, c := range []struct {
		of             ingest.Owner
		depth, payload int
		series         int
		format         ingest.Format
	}{
		{ingest.Owner{Tenant: "acme"}, 5, 1024, 256, ingest.JSON},
		{ingest.Owner{Class: "pump"}, 6, 2048, 7, ingest.Msgpack},
		{ingest.Owner{Tenant: "acme", Class: "pump"}, 6, 1024, 7, ingest.JSON},
	} {
		r := s.Own[c.of]
		if r == nil || r.Depth != c.depth || r.Payload != c.payload || r.Series != c.series || r.Format != c.format {
			t.Errorf("%+v has %+v, want %+v", c.of, r, c)
		}
	}
	if s.Rules.Depth != 5 || s.Rules.Payload != 4096 || len(s.Own) != 3 {
		t.Errorf("got %+v", s)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

func TestLimitsOfTenants(t *testing.T) {
	s := ingestSettings(parsed(t, `{"max_future":"9s", "limits":{"depth":5,"tenants":7,"connections":8,"devices":9},
		"tenants":{"acme":{"limits":{"payload":"1KB"},"payload_format":"json"}}}`))
	if s.Tenants != 7 || s.Connections != 8 || s.Devices != 9 || s.Rules.Depth != 5 || s.Rules.MaxFuture != 9e9 || s.Rules.Format != ingest.AnyFormat {
		t.Errorf("got %+v", s)
	}
	if r := s.Own[ingest.Owner{Tenant: "acme"}]; r == nil || r.Payload != 1024 || r.Depth != 5 || r.Format != ingest.JSON {
		t.Errorf("acme has %+v", r)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

func TestCheckPolicyNamesTheField(t *testing.T) {
	for document, field := range map[string]string{
		`{"views":[{"name":"device","size":"0s"}]}`: "views",
		`{"limits":{"depth":-1}}`:                   "limits.depth",

		`{"views":[{"name":"x","group_by":["metric"],"uplink":"none","publish":true}]}`:                                       `views["x"].publish`,
		`{"tenants":{"t":{"views":[{"name":"fleet","uplink":"region"}]}}}`:                                                    `tenants.t.views["fleet"].uplink: region`,
		`{"classes":{"c":{"views":[{"name":"device","publish":true}]}}}`:                                                      `classes.c.views["device"].publish: true`,
		`{"classes":{"c":{"views":[{"name":"fleet","group_by":["metric"]}]}}}`:                                                `classes.c.views["fleet"].group_by`,
		`{"views":[{"name":"x","group_by":["device","metric"]}],"classes":{"c":{"views":[{"name":"x","kind":"counter"}]}}}`:   `classes.c.views["x"].kind: counter`,
		`{"tenants":{"a":{"views":[{"name":"x","group_by":["device"]}]},"b":{"views":[{"name":"x","group_by":["metric"]}]}}}`: `views["x"].group_by`,
		`{"classes":{"c":{"limits":{"connections":5}}}}`:                                                                      "classes.c.limits.connections",
		`{"tenants":{"t":{"limits":{"devices":5}}}}`:                                                                          "tenants.t.limits.devices",
		`{"tenants":{` + named("t", 120) + `},"classes":{` + named("c", 120) + `}}`:                                           "tenants: 14641",
		`{"wiews":[]}`: "wiews",
		`{`:            "JSON",
	} {
		_, err := checkPolicy([]byte(document))
		if _, ok := errors.AsType[*schemas.PolicyError](err); !ok || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v does not name %s", document, err, field)
		}
	}
}

// named is n members of an object with empty overrides.
func named(prefix string, n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%q:{}", fmt.Sprint(prefix, i)))
	}
	return strings.Join(all, ",")
}

// TestOverridesThatAreOffered: times, limits, resolution and matches may differ.
func TestOverridesThatAreOffered(t *testing.T) {
	for _, document := range []string{
		`{"classes":{"c":{"views":[{"name":"fleet","size":"1m","hop":"10s","scale":4,"zero_width":1,"allowed_lateness":"1s","match":{"metric":"a*"}}]}}}`,
		`{"tenants":{"t":{"views":[{"name":"own","group_by":["metric"],"publish":true}]}}}`,
	} {
		if _, err := checkPolicy([]byte(document)); err != nil {
			t.Errorf("%s: %v", document, err)
		}
	}
}

func TestAgentsAgree(t *testing.T) {
	const common = `{"limits":{"tenants":7}, "views":[{"name":"hot","group_by":["metric"]},{"name":"sum","group_by":["device","metric"]}], "tenants":{"t":{"views":[{"name":"own","group_by":["metric"]}]}}}`
	for layer, field := range map[string]string{
		`{"limits":{"depth":3,"devices":4},"idle":"9s","views":[{"name":"device","size":"1s","allowed_lateness":"2s"},{"name":"cold","group_by":["class"]}]}`: "",
		`{"limits":{"tenants":7}}`:                                                             "",
		`{"limits":{"tenants":8}}`:                                                             "limits.tenants: 8",
		`{"limits":{"connections":8}}`:                                                         "limits.connections: 8",
		`{"limits":null}`:                                                                      "limits.tenants: 100",
		`{"views":[{"name":"fleet","uplink":"region"}]}`:                                       `views["fleet"].uplink: region`,
		`{"views":[{"name":"hot","group_by":["metric","device"]}]}`:                            `views["hot"].group_by`,
		`{"views":[{"name":"sum","group_by":["device","metric"],"kind":"counter"}]}`:           `views["sum"].kind: counter`,
		`{"views":[{"name":"hot","group_by":["metric"],"publish":true}]}`:                      "",
		`{"tenants":{"t":{"views":[{"name":"own","group_by":["metric"],"uplink":"center"}]}}}`: `tenants.t.views["own"].uplink: center`,
		`{"tenants":{"t":{"limits":{"depth":3}}},"classes":{"c":{"limits":{"depth":4}}}}`:      "",
	} {
		below, err := mergePolicy(builtInPolicy(), []byte(common))
		if err != nil {
			t.Fatal(err)
		}
		_, err = agreed(language)(below, []byte(layer))
		if field == "" && err != nil || field != "" && (err == nil || !strings.Contains(err.Error(), field)) {
			t.Errorf("%s: %v, want %q", layer, err, field)
		}
	}
}

// TestExamplesAreValid: what the examples and the reference show can be put in force.
func TestExamplesAreValid(t *testing.T) {
	files, err := filepath.Glob("../../../examples/policy-*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("examples %v, %v", files, err)
	}
	documents := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents[file] = string(data)
	}
	for _, page := range []string{"policy.md", "rules.md"} {
		reference, err := os.ReadFile("../../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(reference), "```json\n")[1:] {
			documents[fmt.Sprintf("block %d of %s", i+1, page)], _, _ = strings.Cut(block, "```")
		}
	}
	for name, document := range documents {
		if err := checkDefault([]byte(document)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
