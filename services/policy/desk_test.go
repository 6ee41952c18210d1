package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/schemas"
)

// some layers, as a bucket may hold them.
func some() map[string]layer {
	return map[string]layer{
		"default":  {1, []byte(`{"x":1}`)},
		"region.r": {4, []byte(`{"x":2}`)},
		"region.s": {5, []byte(`{"x":3}`)},
		"group.g":  {6, []byte(`{"x":4}`)},
		"group.h":  {7, nil},
		"agent.a":  {2, []byte(`{"x":"<&>"}`)},
		"agent.b":  {3, []byte(`{"x":6}`)},
	}
}

// asked is a question as it is sent.
func asked(q schemas.DesiredQuestion) []byte {
	data, err := json.Marshal(q)
	if err != nil {
		panic(err)
	}
	return data
}

// read is an answer as it is read.
func read(t interface{ Fatalf(string, ...any) }, data []byte) told {
	var a told
	if err := json.Unmarshal(data, &a); err != nil {
		t.Fatalf("answer %s: %v", data, err)
	}
	return a
}

func TestHandout(t *testing.T) {
	h := newHandout(some())
	for _, c := range []struct {
		q        schemas.DesiredQuestion
		revision uint64
		keys     string
	}{
		{schemas.DesiredQuestion{Agent: "a", Region: "r", Group: "g"}, 6, "agent.a default group.g region.r"},
		{schemas.DesiredQuestion{Agent: "a", Region: "r"}, 4, "agent.a default region.r"},
		{schemas.DesiredQuestion{Agent: "c", Region: "s", Group: "h"}, 7, "default region.s"},
		{schemas.DesiredQuestion{Agent: "c", Region: "t"}, 1, "default"},
		{schemas.DesiredQuestion{Region: "r"}, 7, "agent.a agent.b default group.g region.r"},
		{schemas.DesiredQuestion{Region: "t"}, 7, "agent.a agent.b default group.g"},
	} {
		a := read(t, h.answer(c.q))
		if keys := strings.Join(slices.Sorted(maps.Keys(a.Layers)), " "); keys != c.keys || revisionOf(a.Hash) != c.revision || h.revision(c.q) != c.revision {
			t.Errorf("%+v: %s, revision %s; want %s, %d", c.q, keys, a.Hash, c.keys, c.revision)
		}
		for key, document := range a.Layers {
			if document != string(some()[key].document) {
				t.Errorf("%s came as %s", key, document)
			}
		}
		c.q.Hash = a.Hash
		if again := read(t, h.answer(c.q)); !again.Same || again.Layers != nil || again.Hash != a.Hash {
			t.Errorf("who has it is told %+v", again)
		}
	}
	if n := len(h.sheets); n != 4 {
		t.Errorf("%d answers are kept, want those without layers of single agents and those of regions", n)
	}
}

// TestSameContentOfAnotherRevision: only the revision is told.
func TestSameContentOfAnotherRevision(t *testing.T) {
	q := schemas.DesiredQuestion{Agent: "a", Region: "r"}
	layers := some()
	first := read(t, newHandout(layers).answer(q))
	layers["default"] = layer{9, layers["default"].document}
	q.Hash = first.Hash
	if second := read(t, newHandout(layers).answer(q)); !second.Same || revisionOf(second.Hash) != 9 {
		t.Errorf("told %+v after %s", second.DesiredAnswer, first.Hash)
	}
}

func TestQuestionsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct {
		region, who, question, wrong string
	}{
		{"r", "a", `{"agent":"a","region":"r"}`, ""},
		{"r", "a", `{"agent":"a","region":"r","group":"g","hash":"1-0"}`, ""},
		{"center", "r", `{"region":"r"}`, ""},
		{"r", "a", `{"agent":"b","region":"r"}`, "about itself"},
		{"r", "a", `{"region":"a"}`, "about itself"},
		{"r", "a", `{"agent":"a","region":"s"}`, "correct its configuration"},
		{"r", "a", `{"agent":"a","region":"r","group":"g.h"}`, "group name"},
		{"r", "a b", `{"agent":"a b","region":"r"}`, "asker"},
		{"r", "a", `{`, "question of a"},
		{"r", "a", `{"agent":"` + strings.Repeat("a", maxQuestion) + `"}`, "it may have 1024"},
		{"center", "r", `{"region":"s"}`, "about itself"},
		{"center", "a", `{"agent":"a","region":"r"}`, "answers regions"},
		{"center", "r", `{"region":"r","group":"g"}`, "answers regions"},
		{"center", "center", `{"region":"center"}`, "reserved"},
	} {
		d := newDesk(c.region)
		d.publish(some())
		var answer []byte
		out, err := d.ask(1, c.who, []byte(c.question), nil)
		for _, o := range out {
			answer = o.data
		}
		got := read(t, answer).Error
		if (err == nil) != (c.wrong == "") || err != nil && got != err.Error() || !strings.Contains(got, c.wrong) {
			t.Errorf("%s asks %s %.80s: %v, told %q, want %q", c.who, c.region, c.question, err, got, c.wrong)
		}
	}
}

// board is a desk with what was answered.
type board struct {
	t interface {
		Fatalf(string, ...any)
		Helper()
	}
	*desk
	layers map[string]layer
	got    map[string]told // by who asked; taken by hear
}

func newBoard(t *testing.T, layers map[string]layer) *board {
	b := &board{t, newDesk("r"), layers, map[string]told{}}
	if layers != nil {
		b.publish(layers)
	}
	return b
}

// send sends answers, as the shell does.
func (b *board) send(out []delivery) {
	for _, o := range out {
		o.reply(o.data)
	}
}

// asks asks as an agent that has an answer of that hash.
func (b *board) asks(now int64, agent, hash string) {
	out, err := b.ask(now, agent, asked(schemas.DesiredQuestion{Agent: agent, Region: "r", Hash: hash}),
		func(data []byte) { b.got[agent] = read(b.t, data) })
	if err != nil {
		b.t.Fatalf("%v", err)
	}
	b.send(out)
}

func (b *board) at(now int64) { b.send(b.tick(now, b.layers)) }

// hears wants an answer, and what it says; "": there is none yet.
func (b *board) hears(agent, what string) {
	b.t.Helper()
	a, is := b.got[agent]
	delete(b.got, agent)
	got := ""
	switch {
	case a.Error != "":
		got = a.Error
	case a.Same:
		got = "same"
	case is:
		got = strings.Join(slices.Sorted(maps.Keys(a.Layers)), " ")
	}
	if got != what {
		b.t.Fatalf("%s hears %q, want %q", agent, got, what)
	}
}

const begin = int64(1_000_000) * second

func TestAnswersComeWhenThereIsNews(t *testing.T) {
	b := newBoard(t, some())
	b.asks(begin, "a", "")
	hash := b.got["a"].Hash
	b.hears("a", "agent.a default region.r")
	b.asks(begin, "a", hash)
	b.at(begin + hold - 1)
	b.hears("a", "")
	b.at(begin + hold)
	b.hears("a", "same")

	b.asks(begin, "a", hash)
	b.layers["region.r"] = layer{8, nil}
	b.note(begin + second)
	b.at(begin + second + quiet - 1)
	b.hears("a", "")
	b.note(begin + second + quiet - 1) // more is coming
	b.at(begin + second + 2*quiet - 2)
	b.hears("a", "")
	b.at(begin + second + 2*quiet)
	b.hears("a", "agent.a default")
	if len(b.asking) != 0 || len(b.waiting) != 0 {
		t.Errorf("%v wait", b.asking)
	}
}

func TestChangesOfOthersWakeNobody(t *testing.T) {
	b := newBoard(t, some())
	b.asks(begin, "a", "")
	hash := b.got["a"].Hash
	b.hears("a", "agent.a default region.r")
	b.asks(begin, "a", hash)
	b.layers["agent.b"] = layer{9, []byte(`{}`)}
	b.layers["group.g"] = layer{10, []byte(`{}`)}
	b.note(begin)
	b.at(begin + quiet)
	b.hears("a", "")
}

func TestChangesThatNeverRest(t *testing.T) {
	b := newBoard(t, some())
	b.asks(begin, "c", "")
	hash := b.got["c"].Hash
	b.hears("c", "default region.r")
	b.asks(begin, "c", hash)
	b.layers["default"] = layer{8, []byte(`{}`)}
	for now := begin; now < begin+restless; now += quiet / 2 {
		b.note(now)
		b.at(now)
		b.hears("c", "")
	}
	b.at(begin + restless)
	b.hears("c", "default region.r")
}

// TestEmptyBucketWantsNothing: else the new disk of a hub would take away what
// agents have.
func TestEmptyBucketWantsNothing(t *testing.T) {
	b := newBoard(t, nil)
	b.asks(begin, "a", "")
	b.at(begin + second) // it has not even been read
	b.hears("a", "")
	b.layers = map[string]layer{}
	b.publish(b.layers)
	b.at(begin + hold - 1)
	b.hears("a", "")
	b.at(begin + hold)
	b.hears("a", "no policy was ever set at r")
	b.asks(begin, "a", "")
	b.layers["default"] = layer{1, []byte(`{}`)}
	b.note(begin)
	b.at(begin + quiet)
	b.hears("a", "default")
	b.layers["default"] = layer{2, nil}
	b.publish(b.layers)
	b.asks(begin, "b", "")
	b.hears("b", "")
	if a := b.revision("b"); a != 2 {
		t.Errorf("a bucket in which all was deleted is at revision %d for b", a)
	}
}

// TestAskerThatKnowsMore waits for another hub, or for this one to catch up.
func TestAskerThatKnowsMore(t *testing.T) {
	b := newBoard(t, some())
	b.asks(begin, "a", "99-0")
	b.at(begin + hold + doubt - 1)
	b.hears("a", "")
	b.at(begin + hold + doubt)
	b.hears("a", "agent.a default region.r")
}

func TestWaitingQuestionsAreBounded(t *testing.T) {
	b := newBoard(t, some())
	for range maxEach {
		b.asks(begin, "a", "4-x")
	}
	b.hears("a", "")
	b.asks(begin, "a", "4-x")
	b.hears("a", "a has asked again")
	for i := range maxWaiting - maxEach {
		b.asks(begin, fmt.Sprint("n", i), "4-x")
	}
	if len(b.waiting) != maxWaiting || len(b.got) != 0 {
		t.Fatalf("%d wait, %d were answered", len(b.waiting), len(b.got))
	}
	b.asks(begin, "z", "4-x")
	b.hears("z", fmt.Sprintf("%d questions wait here: ask again later", maxWaiting))
	for _, o := range b.close() {
		o.reply(o.data)
	}
	if b.hears("n7", "default region.r"); len(b.waiting)+len(b.asking) != 0 {
		t.Errorf("%d wait after the end", len(b.waiting))
	}
}

// TestLargeAnswersGoInBursts: what many wait for does not go at once.
func TestLargeAnswersGoInBursts(t *testing.T) {
	layers := some()
	layers["default"] = layer{1, []byte(`{"x":"` + strings.Repeat("x", 250<<10) + `"}`)}
	b := newBoard(t, layers)
	const n = 50
	for i := range n {
		b.asks(begin, fmt.Sprint("n", i), "")
	}
	first := len(b.got)
	if most := burstBytes/(250<<10) + 1; first > most || first < most-1 {
		t.Errorf("%d answers in the first burst", first)
	}
	now := int64(begin)
	for len(b.waiting) > 0 {
		next := b.next(now)
		if next <= now || next > now+burst {
			t.Fatalf("next at %d after %d", next, now)
		}
		now = next
		b.at(now)
	}
	if len(b.got) != n || now != begin+2*burst {
		t.Errorf("%d of %d answered in %d ms", len(b.got), n, (now-begin)/1e6)
	}
}

func TestRevisionForLinks(t *testing.T) {
	b := newBoard(t, some())
	if got := b.revision("a"); got != 7 {
		t.Errorf("of an agent whose group is not known: %d", got)
	}
	b.asks(begin, "a", "")
	if got := b.revision("a"); got != 4 {
		t.Errorf("of an agent without a group: %d", got)
	}
	center := newDesk(schemas.Center)
	if got := center.revision("r"); got != 0 {
		t.Errorf("of what is not known: %d", got)
	}
	center.publish(some())
	if got := center.revision("r"); got != 7 {
		t.Errorf("of a region: %d", got)
	}
}

// TestEveryQuestionIsAnsweredOnce: within hold and doubt and a tick, whatever
// happens, and never sooner than there is a reason.
func TestEveryQuestionIsAnsweredOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layers := some()
		d := newDesk("r")
		d.publish(layers)
		now, revision := begin, uint64(10)
		askedAt, answered := map[int]int64{}, map[int]int{}
		send := func(out []delivery) {
			for _, o := range out {
				o.reply(o.data)
			}
		}
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += rapid.Int64Range(0, 3*second).Draw(t, "pause")
			switch rapid.SampledFrom([]string{"ask", "edit", "tick"}).Draw(t, "step") {
			case "ask":
				who := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "who")
				hash := fmt.Sprintf("%d-x", rapid.Uint64Range(0, revision+1).Draw(t, "has"))
				askedAt[i] = now
				out, err := d.ask(now, who, asked(schemas.DesiredQuestion{Agent: who, Region: "r", Hash: hash}), func([]byte) { answered[i]++ })
				if err != nil {
					t.Fatal(err)
				}
				send(out)
			case "edit":
				revision++
				layers[rapid.SampledFrom([]string{"default", "agent.a", "region.s"}).Draw(t, "key")] = layer{revision, []byte(`{}`)}
				d.note(now)
			case "tick":
				send(d.tick(now, layers))
			}
			if next := d.next(now); len(d.waiting) > 0 && (next == 0 || next > now+second) {
				t.Fatalf("%d wait, and the next tick is at %d after %d", len(d.waiting), next, now)
			}
		}
		for i, at := range askedAt {
			if answered[i] > 1 {
				t.Fatalf("question %d was answered %d times", i, answered[i])
			}
			now = max(now, at+hold+doubt)
		}
		send(d.tick(now, layers))
		for i := range askedAt {
			if answered[i] != 1 {
				t.Fatalf("question %d was answered %d times", i, answered[i])
			}
		}
	})
}

func FuzzQuestion(f *testing.F) {
	f.Add("a", []byte(`{"agent":"a","region":"r","group":"g","hash":"12-00ff"}`))
	f.Add("r", []byte(`{"region":"r","hash":"x"}`))
	f.Add("a", []byte(`[]`))
	f.Fuzz(func(t *testing.T, who string, question []byte) {
		for _, region := range []string{"r", schemas.Center} {
			d := newDesk(region)
			d.publish(some())
			answers := 0
			out, err := d.ask(begin, who, question, func([]byte) { answers++ })
			if err == nil {
				out = append(out, d.tick(begin+hold+doubt, nil)...)
			}
			if len(out) != 1 {
				t.Errorf("%d answers to %s %q", len(out), who, question)
			}
			read(t, out[0].data)
		}
	})
}

// BenchmarkThousandAskers is one edit that a thousand agents wait for, and the
// questions that follow.
func BenchmarkThousandAskers(b *testing.B) {
	layers := some()
	d := newDesk("r")
	d.publish(layers)
	hash := map[string]string{}
	ask := func(now int64, who string) {
		q := schemas.DesiredQuestion{Agent: who, Region: "r", Hash: hash[who]}
		out, _ := d.ask(now, who, asked(q), func(data []byte) { hash[who] = read(b, data).Hash })
		for _, o := range out {
			o.reply(o.data)
		}
	}
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprint("a", i))
	}
	now := int64(begin)
	for _, who := range names {
		ask(now, who)
	}
	for i := 0; b.Loop(); i++ {
		now += second
		for _, who := range names {
			ask(now, who)
		}
		layers["default"] = layer{uint64(100 + i), fmt.Appendf(nil, `{"x":%d}`, i)}
		d.note(now)
		for len(d.waiting) > 0 {
			now += quiet
			for _, o := range d.tick(now, layers) {
				o.reply(o.data)
			}
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "answers/s")
}
