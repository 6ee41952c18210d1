package schemas

import (
	"strings"
	"testing"
)

func TestExportersHaveDefaults(t *testing.T) {
	p, err := ParsePolicy([]byte(`{"exporters":[
		{"name":"a","kind":"otlp","endpoint":"http://127.0.0.1:4318"},
		{"name":"b","kind":"remote_write","endpoint":"https://p.example/api/v1/write","at":"region","views":["dev*"],"timeout":"3s"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	a, b := p.Exporters[0], p.Exporters[1]
	if a.Protocol != ProtocolHTTP || a.At != ExportAtCenter || a.Temporality != Cumulative || a.Resource != ResourceGateway || a.Timeout != 10*second {
		t.Errorf("otlp: %+v", a)
	}
	if b.Protocol != ProtocolRemoteWrite1 || b.At != ExportAtRegion || b.Timeout != 3*second {
		t.Errorf("remote_write: %+v", b)
	}
	if !a.Exports("fleet", true) || a.Exports("fleet", false) || !b.Exports("device", false) || b.Exports("fleet", true) {
		t.Error("views are not selected as they are named")
	}
	again, err := ParsePolicy(p.JSON())
	if err != nil || string(again.JSON()) != string(p.JSON()) {
		t.Errorf("written out it reads as %s: %v", again.JSON(), err)
	}
}

func TestExportersAreChecked(t *testing.T) {
	for entry, want := range map[string]string{
		`{"name":"a b","kind":"otlp","endpoint":"http://h:1"}`:                                                  "exporters[0].name",
		`{"name":"a","endpoint":"http://h:1"}`:                                                                  "exporters[0].kind: want otlp or remote_write",
		`{"name":"a","kind":"kafka","endpoint":"http://h:1"}`:                                                   "want otlp or remote_write",
		`{"name":"a","kind":"otlp","endpoint":"localhost:4318"}`:                                                "want a URL such as",
		`{"name":"a","kind":"otlp","endpoint":"http://u:pw@h:1"}`:                                               "headers_file or token_file",
		`{"name":"a","kind":"otlp","protocol":"2.0","endpoint":"http://h:1"}`:                                   "otlp speaks http or grpc",
		`{"name":"a","kind":"remote_write","temporality":"delta","endpoint":"http://h:1"}`:                      "cumulative only",
		`{"name":"a","kind":"otlp","endpoint":"http://h:1","token_file":"/etc/passwd"}`:                         "without a path",
		`{"name":"a","kind":"otlp","endpoint":"http://h:1","timeout":"1h"}`:                                     "want 100ms to 5m",
		`{"name":"a","kind":"otlp","endpoint":"http://h:1","token":"secret"}`:                                   "there is no such field",
		`{"name":"a","kind":"otlp","endpoint":"http://h:1"},{"name":"a","kind":"otlp","endpoint":"http://h:1"}`: "another exporter has that name",
		`{"name":"a","kind":"otlp","endpoint":"http://h:1","at":"agent"}`:                                       "want center or region",
		`{"name":"a","kind":"remote_write","endpoint":"http://h:1","findings":true}`:                            "only otlp carries them",
		`{"name":"a","kind":"otlp","endpoint":"http://h:1","views":["a b"]}`:                                    "exporters[0].views[0]",
	} {
		_, err := ParsePolicy([]byte(`{"exporters":[` + entry + `]}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\nwant %s", entry, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "pw@") {
			t.Errorf("a password is shown: %v", err)
		}
	}
}
