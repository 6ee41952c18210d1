package schemas

import (
	"encoding/json"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// cloudEvent is what CloudEvents 1.0 wants of an event in the JSON format: context attributes are strings in lower case
// letters and digits, four of them must be there, and none that is there is empty.
const cloudEvent = `{
	"type": "object",
	"required": ["id", "source", "specversion", "type"],
	"properties": {
		"id": {"type": "string", "minLength": 1},
		"source": {"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9/:._~-]+$"},
		"specversion": {"const": "1.0"},
		"type": {"type": "string", "minLength": 1},
		"subject": {"type": "string", "minLength": 1},
		"time": {"type": "string", "pattern": "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$"},
		"datacontenttype": {"const": "application/json"},
		"data": {"type": "object", "required": ["id", "revision", "state", "severity", "kind", "tenant", "started"]}
	},
	"propertyNames": {"pattern": "^[a-z0-9]{1,20}$"}
}`

// TestFindingEvent: whatever the finding, its event is one by the specification, and another revision is another event.
func TestFindingEvent(t *testing.T) {
	var schema jsonschema.Schema
	if err := json.Unmarshal([]byte(cloudEvent), &schema); err != nil {
		t.Fatal(err)
	}
	rules, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for revision, change := range []func(*Finding){
		func(*Finding) {},
		func(f *Finding) { f.State = FindingUpdate },
		func(f *Finding) { f.State, f.Ended = FindingClosed, f.Updated },
		func(f *Finding) { f.Device, f.Region = "", "" },
	} {
		f := sampleFinding()
		f.Revision = uint32(revision + 1)
		change(&f)
		event := FindingEvent(Center, &f)
		text, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		var read map[string]any
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if err := rules.Validate(read); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if event.Type != "weir.finding."+f.State.String() || ids[event.ID] {
			t.Errorf("event %+v; before it: %v", event, ids)
		}
		ids[event.ID] = true
		read["id"] = ""
		if rules.Validate(read) == nil {
			t.Fatal("an event without an id passes")
		}
	}
}
