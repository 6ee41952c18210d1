package schemas

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// ref refers to a definition of the schema.
func ref(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/$defs/" + name} }

func enum(c chooser) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, word := range c.choices() {
		s.Enum = append(s.Enum, word)
	}
	return s
}

// policySchema makes the schema from the types.
func policySchema(t *testing.T) *jsonschema.Schema {
	types := map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[Duration]():      ref("duration"),
		reflect.TypeFor[ByteSize]():      ref("size"),
		reflect.TypeFor[Instant]():       {Type: "string", Format: "date-time"},
		reflect.TypeFor[ViewKind]():      enum(Gauge),
		reflect.TypeFor[Uplink]():        enum(UplinkNone),
		reflect.TypeFor[PayloadFormat](): enum(FormatAuto),

		reflect.TypeFor[ExporterKind](): enum(ExportOTLP),
		reflect.TypeFor[Protocol]():     enum(ProtocolHTTP),
		reflect.TypeFor[ExporterTier](): enum(ExportAtCenter),
		reflect.TypeFor[Temporality]():  enum(Cumulative),
		reflect.TypeFor[Granularity]():  enum(ResourceGateway),

		reflect.TypeFor[ItemKind]():    enum(OnSpans),
		reflect.TypeFor[RuleAction]():  enum(DropItems),
		reflect.TypeFor[RuleFailure](): enum(FailedKept),

		reflect.TypeFor[ReceiverKind](): enum(Webhook),
		reflect.TypeFor[ReceiverTier](): enum(TellAtCenter),
		reflect.TypeFor[LeastWord]():    enum(LeastWord("")),
		reflect.TypeFor[KindWord]():     enum(KindWord("")),
		reflect.TypeFor[GroupWord]():    enum(GroupWord("")),
	}
	define := func(name string, of reflect.Type, defaults any, required ...string) *jsonschema.Schema {
		s, err := jsonschema.ForType(of, &jsonschema.ForOptions{TypeSchemas: types})
		if err != nil {
			t.Fatal(err)
		}
		s.Required = required
		for _, p := range s.Properties {
			if len(p.Types) == 2 && p.Types[0] == "null" { // a nil slice, which no policy has
				p.Type, p.Types = p.Types[1], nil
			}
		}
		setDefaults(t, s, defaults)
		types[of] = ref(name)
		return s
	}
	p := DefaultPolicy()
	defs := map[string]*jsonschema.Schema{
		"duration": {
			Type: "string", Pattern: `^([0-9]+d|0|([0-9]*\.?[0-9]+(ns|us|µs|ms|s|m|h))+)$`,
			Description: "A length of time with its unit.", Examples: []any{"10s", "500ms", "1h30m", "7d"},
		},
		"size": {
			Type: "string", Pattern: `^[0-9]+(B|KB|MB|GB|KiB|MiB|GiB)$`,
			Description: "A number of bytes with its unit, a power of 1024.", Examples: []any{"64KB"},
		},
		"match":  define("match", reflect.TypeFor[Match](), nil),
		"view":   define("view", reflect.TypeFor[View](), newView(""), "name"),
		"limits": define("limits", reflect.TypeFor[Limits](), p.Limits),
		"class":  define("class", reflect.TypeFor[DeviceClass](), nil, "match", "class"),

		"metric_facts":  define("metric_facts", reflect.TypeFor[MetricFacts](), nil),
		"joint_metrics": define("joint_metrics", reflect.TypeFor[JointMetrics](), nil, "metrics"),
		"receiver":      define("receiver", reflect.TypeFor[Receiver](), newReceiver(), "name", "kind", "url"),

		"rule":     define("rule", reflect.TypeFor[ItemRule](), ItemRule{OnError: FailedKept}, "name", "on", "action"),
		"exporter": define("exporter", reflect.TypeFor[Exporter](), newExporter(), "name", "kind", "endpoint"),
	}
	defs["detect"] = define("detect", reflect.TypeFor[Detect](), p.Detect)
	defs["override"] = define("override", reflect.TypeFor[Rules](), nil)
	types[reflect.TypeFor[Override]()] = ref("override")
	delete(types, reflect.TypeFor[Rules]())
	s := define("policy", reflect.TypeFor[Policy](), p)
	s.Schema, s.Defs = "https://json-schema.org/draft/2020-12/schema", defs
	s.Title, s.Description = "Weir policy", "A layer of policy: what it leaves out keeps its default."
	defs["view"].Properties["hop"].Default = nil // it is the size
	return s
}

// setDefaults writes the defaults of single values into a schema.
func setDefaults(t *testing.T, s *jsonschema.Schema, defaults any) {
	b, err := json.Marshal(defaults)
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(b, &values); err != nil {
		t.Fatal(err)
	}
	for name, v := range values {
		if property := s.Properties[name]; property != nil && !bytes.ContainsAny(v[:1], "{[") && string(v) != `""` {
			property.Default = v
		}
	}
}

func TestPolicySchemaIsOfTheTypes(t *testing.T) {
	want, err := json.MarshalIndent(policySchema(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	const name = "policy.schema.json"
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not that of the types: go test -run Schema -update ./schemas", name)
	}
}

// validator judges documents by the schema alone.
func validator(t *testing.T) func(document []byte) error {
	var s jsonschema.Schema
	if err := json.Unmarshal([]byte(PolicySchema), &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(document []byte) error {
		var v any
		if err := json.Unmarshal(document, &v); err != nil {
			return err
		}
		return resolved.Validate(v)
	}
}

// TestExamples: every example and every document in the docs is good, for the parser and for the schema.
func TestExamples(t *testing.T) {
	valid := validator(t)
	documents := map[string][]byte{"the defaults": DefaultPolicy().JSON()}
	examples, err := filepath.Glob("../examples/policy-*.json")
	if err != nil || len(examples) < 2 {
		t.Fatal(examples, err)
	}
	for _, name := range examples {
		documents[name] = read(t, name)
	}
	page := string(read(t, "../docs/policy.md"))
	for i, part := range strings.Split(page, "```json\n")[1:] {
		document, _, _ := strings.Cut(part, "\n```")
		documents["docs/policy.md, example "+string(rune('1'+i))] = []byte(document)
	}
	if len(documents) < 7 {
		t.Fatalf("%d documents: the page has no examples", len(documents))
	}
	for name, document := range documents {
		if _, err := ParsePolicy(document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := valid(document); err != nil {
			t.Errorf("%s, by the schema: %v", name, err)
		}
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
