package main

import (
	"errors"
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
	if s, d := ingestSettings(schemas.DefaultPolicy()), ingest.DefaultSettings(); s.Rules != d.Rules || s.Tenants != d.Tenants || s.Devices != d.Devices {
		t.Errorf("ingest: got %+v, want %+v", s, d)
	}
}

func TestViewsOfTenantsAndClasses(t *testing.T) {
	const document = `{
		"views": [{"name":"device","size":"1s","allowed_lateness":"2s"}, {"name":"hot","match":{"metric":"temp*"},"group_by":["metric"]}],
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
	for _, c := range []struct{ tenant, device, metric, want string }{
		{"any", "d", "temp", "device 1s, fleet 10s, hot 10s"},
		{"any", "d", "hum", "device 1s, fleet 10s"},
		{"plain", "d", "temp", "device 1s, fleet 10s, hot 10s"},
		{"slow", "d", "temp", "device 5s, fleet 10s, hot 10s"},
		{"any", "pump-1", "hum", "device 1s, fleet 20s"},
		{"slow", "pump-1", "hum", "device 5s, fleet 20s"},
	} {
		id := &aggregator.DeviceID{Tenant: c.tenant, Device: c.device, Class: s.ClassOf(c.device)}
		var got []string
		for _, v := range s.Views {
			if v.Match == nil || v.Match(id, c.metric) {
				got = append(got, v.Name+" "+time.Duration(v.Spec.Size).String())
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s of %s/%s: views %s, want %s", c.metric, c.tenant, c.device, strings.Join(got, ", "), c.want)
		}
	}
}

func TestLimitsOfTenants(t *testing.T) {
	s := ingestSettings(parsed(t, `{"max_future":"9s", "limits":{"depth":5,"tenants":7},
		"tenants":{"acme":{"limits":{"payload":"1KB"},"payload_format":"json"}}}`))
	if s.Tenants != 7 || s.Rules.Depth != 5 || s.Rules.MaxFuture != 9e9 || s.Rules.Format != ingest.AnyFormat {
		t.Errorf("got %+v", s)
	}
	if r := s.Tenant["acme"]; r == nil || r.Payload != 1024 || r.Depth != 5 || r.Format != ingest.JSON {
		t.Errorf("acme has %+v", r)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

func TestCheckPolicyNamesTheField(t *testing.T) {
	for document, field := range map[string]string{
		`{"views":[{"name":"device","size":"0s"}]}`:                                  "views",
		`{"limits":{"depth":-1}}`:                                                    "limits.depth",
		`{"views":[{"name":"x","group_by":["attrs.site"]}]}`:                         `views["x"].group_by`,
		`{"views":[{"name":"x","group_by":["metric"],"match":{"attrs":{"a":"b"}}}]}`: `views["x"].match.attrs`,
		`{"wiews":[]}`: "wiews",
		`{`:            "JSON",
	} {
		_, err := checkPolicy([]byte(document))
		if _, ok := errors.AsType[*schemas.PolicyError](err); !ok || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v does not name %s", document, err, field)
		}
	}
}
