package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// places of three agents: a and b are in one region, a and c in one group.
func places(agent string) Place {
	return map[string]Place{"a": {"r", "g"}, "b": {"r", ""}, "c": {"s", "g"}}[agent]
}

func newPlaced(t interface{ Fatal(...any) }) *desired {
	d, err := newDesired([]string{"a", "b", "c"}, places, numbers)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestLayers: what several layers make of the agents below them. In this language
// size and cap may not be equal.
func TestLayers(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []step
		want  map[string]string // agent: revision and document
	}{
		{"each changes those below", []step{
			{key: "default", document: `{"size":10,"x":1}`, changed: "a b c"},
			{key: "agent.a", document: `{"x":4}`, changed: "a"},
			{key: "group.g", document: `{"x":3,"y":3}`, changed: "a c"},
			{key: "region.r", document: `{"x":2,"y":2,"z":2}`, changed: "a b"},
		}, map[string]string{
			"a": `4 {"size":10,"x":4,"y":3,"z":2}`, "b": `4 {"size":10,"x":2,"y":2,"z":2}`, "c": `3 {"size":10,"x":3,"y":3}`,
		}},
		{"an invalid region", []step{
			{key: "default", document: `{"size":10}`, changed: "a b c"},
			{key: "region.r", document: `{"x":2}`, changed: "a b"},
			{key: "region.r", document: `{"size":0}`, refused: "key region.r revision 3: size: 0"},
			{key: "default", document: `{"size":20}`, changed: "a b c"},
		}, map[string]string{"a": `4 {"size":20,"x":2}`, "b": `4 {"size":20,"x":2}`, "c": `4 {"size":20}`}},
		{"layers that do not go together", []step{
			{key: "region.r", document: `{"size":5}`, changed: "a b"},
			{key: "group.g", document: `{"cap":5}`, changed: "c", refused: "key group.g revision 2: region.r < group.g: size: 5"},
			{key: "group.g", document: `{"cap":6}`, changed: "a c"},
		}, map[string]string{"a": `3 {"cap":6,"size":5}`, "b": `1 {"size":5}`, "c": `3 {"cap":6,"size":1}`}},
		{"and later do", []step{
			{key: "region.r", document: `{"size":5}`, changed: "a b"},
			{key: "agent.a", document: `{"cap":5}`, refused: "agent.a revision 2: region.r < agent.a: size: 5"},
			{key: "region.r", document: `{"size":6}`, changed: "a b"},
		}, map[string]string{"a": `3 {"cap":5,"size":6}`, "b": `3 {"size":6}`}},
		{"what was refused is good with another default", []step{
			{key: "default", document: `{"size":5}`, changed: "a b c"},
			{key: "group.g", document: `{"cap":5}`, refused: "group.g revision 2: size: 5"},
			{key: "region.r", document: `{"cap":5}`, refused: "region.r revision 3: size: 5"},
			{key: "region.r", document: `{"cap":7}`, changed: "a b"},
			{key: "default", document: `{"size":6}`, changed: "a b c"},
		}, map[string]string{"a": `5 {"cap":5,"size":6}`, "b": `5 {"cap":7,"size":6}`, "c": `5 {"cap":5,"size":6}`}},
		{"an agent that is behind says so for its keys only", []step{
			{key: "region.r", document: `{"size":5}`, changed: "a b"},
			{key: "agent.a", document: `{"cap":5}`, refused: "agent.a revision 2: region.r < agent.a: size: 5"},
			{key: "agent.b", document: `{"cap":6}`, changed: "b"},
		}, nil},
		{"a layer that is good only on another is not good", []step{
			{key: "default", document: `{"size":7}`, changed: "a b c"},
			{key: "region.r", document: `{"size":5}`, changed: "a b"},
			{key: "agent.a", document: `{"cap":7}`, refused: "agent.a revision 3: size: 7"},
		}, map[string]string{"a": `2 {"size":5}`}},
		{"a default that does not go with two layers", []step{
			{key: "region.r", document: `{"cap":5}`, changed: "a b"},
			{key: "group.g", document: `{"x":1}`, changed: "a c"},
			{key: "default", document: `{"size":5}`, changed: "c", refused: "default revision 3: default < region.r: size: 5"},
			{key: "region.r", document: `{"cap":6}`, changed: "a b"},
		}, map[string]string{"a": `4 {"cap":6,"size":5,"x":1}`, "b": `4 {"cap":6,"size":5}`}},
		{"layers of others", []step{
			{key: "region.t", document: `{"size":0}`, refused: "no agent of this process"},
			{key: "group.h", document: `{}`, refused: "no agent of this process"},
			{key: "region.center", document: `{}`, refused: "reserved"},
			{key: "region.center"},
		}, map[string]string{"a": `0 {"size":1}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newPlaced(t)
			for i, s := range c.steps {
				play(t, d, uint64(i+1), s)
			}
			for a, want := range c.want {
				if got := fmt.Sprint(d.agent[a].revision, " ", string(d.agent[a].Document)); got != want {
					t.Errorf("agent %s: got %s, want %s", a, got, want)
				}
			}
		})
	}
}

// TestManyProblemsAreToldInFew: a default that fits nobody says so a few times.
func TestManyProblemsAreToldInFew(t *testing.T) {
	var agents []string
	for i := range 20 {
		agents = append(agents, fmt.Sprint("a", i))
	}
	d, err := newDesired(agents, nil, numbers)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range agents {
		if _, err := d.put(AgentKey(a), uint64(i+1), []byte(`{"cap":5}`)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = d.put(DefaultKey, 99, []byte(`{"size":5}`))
	if err == nil || strings.Count(err.Error(), "\n") != maxProblems || !strings.Contains(err.Error(), "15 more") {
		t.Errorf("it says: %v", err)
	}
}

// edited draws an edit of the bucket.
func edited(t *rapid.T) (key string, document []byte) {
	key = rapid.SampledFrom([]string{"default", "region.r", "region.s", "group.g", "agent.a", "agent.b", "agent.c", "agent.z", "x"}).Draw(t, "key")
	text := rapid.SampledFrom([]string{
		"", "{", `{"size":1}`, `{"size":2}`, `{"cap":1}`, `{"cap":2}`, `{"size":0}`, `{"size":3,"cap":4}`, `{"x":1}`,
	}).Draw(t, "document")
	if text != "" {
		document = []byte(text)
	}
	return key, document
}

// TestLayersAreAlwaysValid puts anything anywhere. Every agent has a valid
// document whose revision never goes back; one that is not behind has what its
// good layers make; whoever is not below a key does not notice it; and what a
// process that sees all keys refuses is refused by all.
func TestLayersAreAlwaysValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newPlaced(t)
		hub, err := newLayers(numbers)
		if err != nil {
			t.Fatal(err)
		}
		for revision := range uint64(rapid.IntRange(1, 40).Draw(t, "edits")) {
			key, document := edited(t)
			before := map[string]effective{}
			for name, e := range d.agent {
				before[name] = e
			}
			_, err := d.put(key, revision+1, document)
			if refused := hub.put(key, layer{revision + 1, document}); refused != nil && err == nil {
				t.Fatalf("%s %s: refused by the hub only: %v", key, document, refused)
			}
			for _, a := range d.agents {
				checkAgent(t, d, a, key, before[a.name])
			}
		}
	})
}

func checkAgent(t *rapid.T, d *desired, a resident, key string, before effective) {
	t.Helper()
	e := d.agent[a.name]
	if _, err := numbers.Check(e.Document); err != nil || e.revision < before.revision {
		t.Fatalf("agent %s after %s: revision %d, %s, %v", a.name, key, e.revision, e.Document, err)
	}
	if !slices.Contains(a.keys, key) && d.behind[a.name] == nil && !e.same(before) {
		t.Fatalf("agent %s has changed by %s", a.name, key)
	}
	document := numbers.BuiltIn
	for _, k := range a.keys {
		if layer := d.good[k].document; layer != nil {
			document, _ = numbers.Merge(document, layer)
		}
	}
	if d.behind[a.name] == nil && len(d.good) > 0 && e.revision > 0 && string(document) != string(e.Document) {
		t.Fatalf("agent %s has %s, its layers make %s", a.name, e.Document, document)
	}
}

// TestPeers: where documents are written, a layer is checked against all others.
func TestPeers(t *testing.T) {
	l, err := newLayers(sameLanguage())
	if err != nil {
		t.Fatal(err)
	}
	l.fit = l.together
	for i, s := range []step{
		{key: "group.g", document: `{"same":1}`},
		{key: "agent.a", document: `{"same":2}`, refused: "but not with group.g: same: 2 is not 1"},
		{key: "group.g", document: `{"same":2}`},
		{key: "agent.a", document: `{"same":2}`},
		{key: "region.r", document: `{"same":1}`, refused: "but not with agent.a"},
		{key: "default", document: `{"same":3}`},
		{key: "region.r", document: `{"cap":9}`}, // group.g and agent.a are no measure now
		{key: "group.g"},
	} {
		next := layer{revision: uint64(i + 1)}
		if s.document != "" {
			next.document = []byte(s.document)
		}
		err := l.put(s.key, next)
		if (err != nil) != (s.refused != "") || err != nil && !strings.Contains(err.Error(), s.refused) {
			t.Errorf("revision %d: %v, want %q", i+1, err, s.refused)
		}
	}
	if err := few(l.broken()); err == nil || err.Error() != "key default revision 6: default < agent.a: same: 2 is not 3" {
		t.Errorf("broken: %v", err)
	}
}
