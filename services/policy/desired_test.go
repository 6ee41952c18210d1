package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// numbers is a language for tests: documents are objects of numbers; "size" is
// needed and positive, and "size" and "cap" may not be equal.
var numbers = Language{BuiltIn: []byte(`{"size":1}`), Merge: mergeNumbers, Check: checkNumbers}

func mergeNumbers(document, layer []byte) ([]byte, error) {
	var d, l map[string]int64
	if err := errors.Join(json.Unmarshal(document, &d), json.Unmarshal(layer, &l)); err != nil {
		return nil, err
	}
	maps.Copy(d, l)
	return json.Marshal(d)
}

func checkNumbers(document []byte) (Whole, error) {
	var d map[string]int64
	if err := json.Unmarshal(document, &d); err != nil {
		return Whole{}, err
	}
	if d["size"] <= 0 || d["size"] == d["cap"] {
		return Whole{}, fmt.Errorf("size: %d is not positive or equals cap %d", d["size"], d["cap"])
	}
	return Whole{Document: document, Lengths: []int64{d["size"]}, NotUntil: d["from"]}, nil
}

// step is one revision; the revision is its place, from 1.
type step struct {
	key, document string // "": deleted
	changed       string // agents, joined by a space
	refused       string // part of the error; "": taken
}

func TestDesired(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []step
		want  map[string]string // agent: revision and document
	}{
		{"what is built in", nil, map[string]string{"a": `0 {"size":1}`}},
		{"default for all", []step{
			{key: "default", document: `{"size":10}`, changed: "a b"},
		}, map[string]string{"a": `1 {"size":10}`, "b": `1 {"size":10}`}},
		{"a layer of one agent", []step{
			{key: "default", document: `{"size":10}`, changed: "a b"},
			{key: "agent.a", document: `{"cap":3}`, changed: "a"},
			{key: "default", document: `{"size":20}`, changed: "a b"},
		}, map[string]string{"a": `3 {"cap":3,"size":20}`, "b": `3 {"size":20}`}},
		{"a layer before the default", []step{
			{key: "agent.a", document: `{"cap":3}`, changed: "a"},
			{key: "default", document: `{"size":10}`, changed: "a b"},
		}, map[string]string{"a": `2 {"cap":3,"size":10}`, "b": `2 {"size":10}`}},
		{"deleting a layer", []step{
			{key: "default", document: `{"size":10}`, changed: "a b"},
			{key: "agent.a", document: `{"cap":3}`, changed: "a"},
			{key: "agent.a", changed: "a"},
		}, map[string]string{"a": `3 {"size":10}`, "b": `1 {"size":10}`}},
		{"an invalid default", []step{
			{key: "default", document: `{"size":10}`, changed: "a b"},
			{key: "default", document: `{"size":-1}`, refused: "size: -1"},
			{key: "agent.a", document: `{"cap":3}`, changed: "a"},
		}, map[string]string{"a": `3 {"cap":3,"size":10}`, "b": `1 {"size":10}`}},
		{"no JSON", []step{
			{key: "default", document: `{"size":10}`, changed: "a b"},
			{key: "default", document: `{`, refused: "default revision 2"},
		}, map[string]string{"a": `1 {"size":10}`, "b": `1 {"size":10}`}},
		{"an invalid layer", []step{
			{key: "default", document: `{"size":10}`, changed: "a b"},
			{key: "agent.a", document: `{"size":0}`, refused: "agent.a revision 2"},
			{key: "default", document: `{"size":20}`, changed: "a b"},
		}, map[string]string{"a": `3 {"size":20}`, "b": `3 {"size":20}`}},
		{"a default that does not go with a layer", []step{
			{key: "default", document: `{"size":10}`, changed: "a b"},
			{key: "agent.a", document: `{"cap":3}`, changed: "a"},
			{key: "default", document: `{"size":3}`, changed: "b", refused: "default < agent.a"},
		}, map[string]string{"a": `2 {"cap":3,"size":10}`, "b": `3 {"size":3}`}},
		{"deleting the default", []step{
			{key: "default", document: `{"size":10}`, changed: "a b"},
			{key: "agent.a", document: `{"cap":3}`, changed: "a"},
			{key: "default", changed: "a b"},
		}, map[string]string{"a": `3 {"cap":3,"size":1}`, "b": `3 {"size":1}`}},
		{"deleting a default that a layer needs", []step{
			{key: "default", document: `{"size":10}`, changed: "a b"},
			{key: "agent.a", document: `{"cap":1}`, changed: "a"},
			{key: "default", changed: "b", refused: "default < agent.a"},
		}, map[string]string{"a": `2 {"cap":1,"size":10}`, "b": `3 {"size":1}`}},
		{"unknown keys", []step{
			{key: "klass.x", document: `{}`, refused: "no such layer"},
			{key: "agent.z", document: `{}`, refused: "no agent of this process"},
		}, map[string]string{"a": `0 {"size":1}`, "b": `0 {"size":1}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newNumbers(t)
			for i, s := range c.steps {
				play(t, d, uint64(i+1), s)
			}
			for _, a := range d.agents {
				got := fmt.Sprint(d.agent[a.name].revision, " ", string(d.agent[a.name].Document))
				if want := c.want[a.name]; want != "" && got != want {
					t.Errorf("agent %s: got %s, want %s", a.name, got, want)
				}
			}
		})
	}
}

func newNumbers(t interface{ Fatal(...any) }) *desired {
	d, err := newDesired([]string{"a", "b"}, nil, numbers)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func play(t *testing.T, d *desired, revision uint64, s step) {
	t.Helper()
	var document []byte
	if s.document != "" {
		document = []byte(s.document)
	}
	changed, err := d.put(s.key, revision, document)
	if got := strings.Join(changed, " "); got != s.changed {
		t.Errorf("revision %d changed %q, want %q", revision, got, s.changed)
	}
	if (err != nil) != (s.refused != "") || err != nil && !strings.Contains(err.Error(), s.refused) {
		t.Errorf("revision %d: error %v, want %q", revision, err, s.refused)
	}
}

// sameLanguage is numbers in which agents that have "same" have the same.
func sameLanguage() Language {
	l := numbers
	l.Agree = func(others, one []byte) error {
		var o, e map[string]int64
		err := errors.Join(json.Unmarshal(others, &o), json.Unmarshal(one, &e))
		if was, ok := o["same"]; ok && was != e["same"] {
			err = fmt.Errorf("same: %d is not %d", e["same"], was)
		}
		return err
	}
	return l
}

// TestAgentsThatDisagree: "same" may not differ between agents that have it.
func TestAgentsThatDisagree(t *testing.T) {
	d, err := newDesired([]string{"a", "b"}, nil, sameLanguage())
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []step{
		{key: "agent.a", document: `{"same":1}`, changed: "a"},
		{key: "agent.b", document: `{"same":2}`, refused: "agent b would differ from agent a: same: 2 is not 1"},
		{key: "agent.b", document: `{"cap":2,"same":1}`, changed: "b"},
		{key: "default", document: `{"same":3}`, refused: "default revision 4: default < agent.a: same: 1 is not 3"},
		{key: "agent.a", document: `{"same":1}`, refused: "agent.a revision 5: same: 1 is not 3"},
		{key: "agent.a", changed: "a"},
		{key: "default", document: `{"same":1}`, changed: "a b"},
		{key: "agent.b", document: `{"same":2}`, refused: "agent.b revision 8: same: 2 is not 1"},
	} {
		play(t, d, uint64(i+1), s)
	}
}

// TestAgentsThatDisagreedNoMore: who stayed behind because of another agent has
// its own as soon as that has gone.
func TestAgentsThatDisagreedNoMore(t *testing.T) {
	d, err := newDesired([]string{"a", "b"}, places, sameLanguage())
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []step{
		{key: "agent.a", document: `{"same":1}`, changed: "a"},
		{key: "agent.b", document: `{"same":2}`, refused: "agent b would differ from agent a"},
		{key: "agent.a", changed: "a b"},
		{key: "region.r", document: `{"same":3}`, changed: "a", refused: "agent b would differ from agent a: same: 2 is not 3"},
		{key: "agent.b", changed: "b"},
		{key: "region.r", document: `{"same":4}`, changed: "a b"},
	} {
		play(t, d, uint64(i+1), s)
	}
	if len(d.behind) > 0 {
		t.Errorf("behind: %v", d.behind)
	}
}
