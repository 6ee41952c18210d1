package policy

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/bus"
)

var whoA = schemas.DesiredQuestion{Agent: "a", Region: "r", Group: "g"}

// store is a bucket in memory.
type store struct {
	revision uint64
	entries  map[string]bus.Entry
}

func newStore(documents map[string]string) *store {
	s := &store{entries: map[string]bus.Entry{}}
	for _, key := range slices.Sorted(maps.Keys(documents)) {
		s.put(key, documents[key])
	}
	return s
}

func (s *store) put(key, document string) uint64 {
	s.revision++
	s.entries[key] = bus.Entry{Key: key, Value: []byte(document), Revision: s.revision}
	return s.revision
}

func (s *store) list() []bus.Entry { return slices.Collect(maps.Values(s.entries)) }

// do does the edits as they are and returns them in words.
func (s *store) do(t interface{ Fatalf(string, ...any) }, m *mirror) string {
	var words []string
	for _, e := range m.edits(s.list()) {
		if e.revision != s.entries[e.key].Revision {
			t.Fatalf("edit of %s at revision %d: it has %d", e.key, e.revision, s.entries[e.key].Revision)
		}
		word, revision := "-"+e.key, uint64(0)
		if delete(s.entries, e.key); e.document != nil {
			word, revision = "+"+e.key, s.put(e.key, string(e.document))
		}
		if e.local {
			word += "!"
		}
		m.done(e.key, revision)
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// text is what the store holds.
func (s *store) text() string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(s.entries)) {
		all = append(all, key+string(s.entries[key].Value))
	}
	return strings.Join(all, " ")
}

func TestMirror(t *testing.T) {
	m, s := mirror{who: whoA}, newStore(map[string]string{"agent.z": `{"mine":1}`, "group.g": `{"x":9}`})
	hash := ""
	for i, c := range []struct {
		answer  string // + the edits here before it
		local   map[string]string
		refused string
		wrong   string
		edits   string
		text    string
	}{
		{answer: `{`, wrong: "answer of 1 bytes", text: `agent.z{"mine":1} group.g{"x":9}`},
		{answer: `{"error":"no policy"}`, wrong: "no policy", text: `agent.z{"mine":1} group.g{"x":9}`},
		{answer: `{}`, wrong: "neither", text: `agent.z{"mine":1} group.g{"x":9}`},
		{answer: `{"hash":"1-x"}`, wrong: "neither", text: `agent.z{"mine":1} group.g{"x":9}`},
		{answer: `{"hash":"1-x","same":true,"layers":{}}`, wrong: "neither", text: `agent.z{"mine":1} group.g{"x":9}`},
		{answer: `{"hash":"1-x","same":true}`, wrong: "same of what was not asked", text: `agent.z{"mine":1} group.g{"x":9}`},
		{
			answer: `{"hash":"5-a","layers":{"agent.a":"{\"x\":4}","default":"{\"x\":1}","region.r":"{\"x\":2}"}}`,
			edits:  "-group.g +default +region.r +agent.a",
			text:   `agent.a{"x":4} agent.z{"mine":1} default{"x":1} region.r{"x":2}`,
		},
		{answer: `{"hash":"6-a","same":true}`, text: `agent.a{"x":4} agent.z{"mine":1} default{"x":1} region.r{"x":2}`},
		{answer: `{"hash":"6-b","same":true}`, wrong: "not asked", text: `agent.a{"x":4} agent.z{"mine":1} default{"x":1} region.r{"x":2}`},
		{ // edits made here are overruled, and the same answer is enough for it
			answer: `{"hash":"6-a","same":true}`,
			local:  map[string]string{"agent.a": `{"x":5}`, "default": "", "group.g": `{"x":6}`, "agent.y": `{}`},
			edits:  "-group.g! +default! +agent.a!",
			text:   `agent.a{"x":4} agent.y{} agent.z{"mine":1} default{"x":1} region.r{"x":2}`,
		},
		{ // what cannot be is left as it is, the rest is taken
			answer:  `{"hash":"7-c","layers":{"agent.a":"{","region.r":"{\"x\":3}","region.s":"{}","agent.b":"{}","odd":"{}","group.g":"[]"}}`,
			refused: "odd region.s group.g agent.a agent.b",
			edits:   "-default +region.r",
			text:    `agent.a{"x":4} agent.y{} agent.z{"mine":1} region.r{"x":3}`,
		},
		{
			answer: `{"hash":"8-d","layers":{}}`, edits: "-agent.a -region.r", text: `agent.y{} agent.z{"mine":1}`,
		},
		{
			answer:  `{"hash":"9-d","layers":{"default":"{\"x\":\"` + strings.Repeat("x", schemas.MaxPolicySize) + `\"}"}}`,
			refused: "default", text: `agent.y{} agent.z{"mine":1}`,
		},
	} {
		for key, document := range c.local {
			if delete(s.entries, key); document != "" {
				s.put(key, document)
			}
		}
		if m.question().Hash != hash || m.question().Agent != "a" {
			t.Errorf("%d: it asks %+v, want hash %s", i, m.question(), hash)
		}
		_, refused, err := m.take([]byte(c.answer))
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%d: error %v, want %q", i, err, c.wrong)
		}
		var keys []string
		for _, r := range refused {
			keys = append(keys, strings.Trim(strings.Fields(r.Error())[2], `":`))
		}
		if got := strings.Join(keys, " "); got != c.refused {
			t.Errorf("%d: refused %v, want %s", i, refused, c.refused)
		}
		if err == nil {
			hash = m.token
			if got := s.do(t, &m); got != c.edits {
				t.Errorf("%d: edits %q, want %q", i, got, c.edits)
			}
		}
		if got := s.text(); got != c.text {
			t.Errorf("%d: it holds %s, want %s", i, got, c.text)
		}
	}
}

// TestMirrorOfARegion keeps what it hands on, and nothing of other regions.
func TestMirrorOfARegion(t *testing.T) {
	m, s := mirror{who: schemas.DesiredQuestion{Region: "r"}}, newStore(map[string]string{"agent.old": `{}`, "region.s": `{}`, "note": `{}`})
	h := newHandout(some())
	if _, refused, err := m.take(h.answer(m.question())); err != nil || refused != nil {
		t.Fatal(err, refused)
	}
	if got, want := s.do(t, &m), "-agent.old +default +region.r +group.g +agent.a +agent.b"; got != want {
		t.Errorf("edits %q, want %q", got, want)
	}
	if _, is := s.entries["region.s"]; !is || len(s.entries) != 7 {
		t.Errorf("it holds %s", s.text())
	}
	if _, _, err := m.take([]byte(`{"hash":"9-x","layers":{}}`)); err != nil {
		t.Fatal(err)
	}
	if got, want := s.do(t, &m), "-agent.b -agent.a -group.g -region.r -default"; got != want {
		t.Errorf("edits %q, want %q", got, want)
	}
}

// TestTiersAgree edits a center at will. Whatever each tier hears and when, in
// the end a region and an agent below it hold what the center has for them, and
// an agent whose layers go together has what they make.
func TestTiersAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		center, _ := newLayers(numbers)
		region, _ := newLayers(numbers)
		agent, err := newDesired([]string{"a"}, places, numbers)
		if err != nil {
			t.Fatal(err)
		}
		regional, local := newStore(nil), newStore(nil)
		up, down := mirror{who: schemas.DesiredQuestion{Region: "r"}}, mirror{who: whoA}
		hear := func() { // the agent hears the region
			if h := newHandout(region.good); h.newest > 0 {
				copyTo(t, local, &down, h.answer(down.question()), func(e bus.Entry) { _, _ = agent.put(e.Key, e.Revision, e.Value) })
			}
		}
		relay := func() { // the region hears the center
			if h := newHandout(center.good); h.newest > 0 {
				copyTo(t, regional, &up, h.answer(up.question()), func(e bus.Entry) { _ = region.put(e.Key, layer{e.Revision, e.Value}) })
			}
		}
		for i := range rapid.IntRange(0, 30).Draw(t, "edits") {
			key, document := edited(t)
			_ = center.put(key, layer{uint64(i + 1), document})
			if rapid.Bool().Draw(t, "relay") {
				relay()
			}
			if rapid.Bool().Draw(t, "hear") {
				hear()
			}
		}
		relay()
		hear()
		if len(center.broken()) > 0 {
			return // the center is told that something does not go together
		}
		for _, key := range places("a").LayersOf("a") {
			if want, got := center.good[key].document, local.entries[key].Value; !bytes.Equal(want, got) {
				t.Fatalf("%s is %s at the agent, %s at the center", key, got, want)
			}
		}
		if e, err := center.chain(places("a").LayersOf("a")); err == nil && !bytes.Equal(agent.agent["a"].Document, e.Document) {
			t.Fatalf("the agent has %s, the center's layers make %s", agent.agent["a"].Document, e.Document)
		}
	})
}

// copyTo brings a bucket to an answer, and hands what changes to who watches it.
func copyTo(t *rapid.T, s *store, m *mirror, answer []byte, watch func(bus.Entry)) {
	if _, refused, err := m.take(answer); err != nil || refused != nil {
		t.Fatal(err, refused)
	}
	for _, e := range m.edits(s.list()) {
		if e.local {
			t.Fatalf("%s was edited by nobody", e.key)
		}
		s.revision++
		entry := bus.Entry{Key: e.key, Value: e.document, Revision: s.revision}
		if delete(s.entries, e.key); e.document != nil {
			s.entries[e.key] = entry
			m.done(e.key, entry.Revision)
		} else {
			m.done(e.key, 0)
		}
		watch(entry)
	}
	if again := m.edits(s.list()); len(again) > 0 {
		t.Fatalf("edits again: %+v", again)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"hash":"5-a","layers":{"agent.a":"{\"x\":4}","default":"{}"}}`))
	f.Add([]byte(`{"hash":"5-a","same":true}`))
	f.Add([]byte(`{"error":"no"}`))
	f.Add([]byte(`{"hash":"x","layers":{"default":"{","group.g":"[]"}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		m, s := mirror{who: whoA}, newStore(map[string]string{"default": `{"mine":1}`, "agent.b": `{}`})
		before := s.text()
		_, _, err := m.take(answer)
		if err == nil {
			s.do(t, &m)
			for key, e := range s.entries {
				if _, bad := schemas.MergeLayers(e.Value); bad != nil || key != "agent.b" && !m.concerns(key) {
					t.Errorf("%q stores %s: %s", answer, key, e.Value)
				}
			}
		} else if s.text() != before || m.wanted != nil {
			t.Errorf("%q is not usable, and changes something", answer)
		}
		if fmt.Sprint(s.entries["agent.b"].Revision) != "1" {
			t.Errorf("%q changes another agent's key", answer)
		}
	})
}
