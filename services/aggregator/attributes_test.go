package aggregator

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/schemas"
)

// attributed has a view by site and metric, one of what is on the roof, and the
// views that always exist.
func attributed([]byte) (*Settings, error) {
	s := DefaultSettings()
	s.MaxSets = 3
	site, roof := s.Views[1], s.Views[0]
	site.Name, site.Dims = "site", []string{"attrs.site", "metric"}
	roof.Name, roof.Attrs = "roof", []string{"floor"}
	roof.Match = func(_ *DeviceID, _ string, a Attributes) bool { return a.Get("floor") == "roof" }
	s.Views = append(s.Views, site, roof)
	return s, nil
}

// attributedScript is a journal of devices that send attributes, more of them
// than they may where the names of the sites run wild.
func attributedScript(t *rapid.T) *script {
	s := &script{}
	now := int64(1_760_000_000_000 * ms)
	if rapid.Bool().Draw(t, "at once") {
		s.b.Frame().Config = &schemas.Config{Revision: 1, From: now, Document: []byte("{}")}
	}
	s.cut(now)
	for i := range rapid.IntRange(5, 60).Draw(t, "frames") {
		now += rapid.SampledFrom([]int64{100, 250, 1000, 9000}).Draw(t, "step") * ms
		if i == 20 {
			s.b.Frame().Config = &schemas.Config{Revision: 2, From: now + 5000*ms, Document: []byte("{}")}
		}
		for range rapid.IntRange(0, 6).Draw(t, "readings") {
			r := schemas.Reading{EventTime: now - rapid.Int64Range(0, 3000).Draw(t, "back")*ms, IngestTime: now}
			r.Values = []schemas.Value{{Metric: "temp", Value: float64(rapid.IntRange(-9, 9).Draw(t, "value"))}}
			for _, key := range []string{"floor", "other", "site"} {
				if v := rapid.SampledFrom([]string{"", "roof", "a", "b", "a\x00b"}).Draw(t, key); v != "" {
					r.Attrs = append(r.Attrs, schemas.Attr{Key: key, Value: v})
				}
			}
			s.b.Add("acme", fmt.Sprintf("d%d", rapid.IntRange(1, 3).Draw(t, "device")), &r)
			s.b.AddFlow("acme", schemas.Metrics, "", "", 1)
		}
		s.cut(now)
	}
	for range 10 {
		now += 20_000 * ms
		s.cut(now)
	}
	return s
}

// heldBy is how many records the newest revisions of each view hold.
func heldBy(t testing.TB, commits [][]byte) (held map[string]uint64, keys map[string]bool) {
	t.Helper()
	latest := map[string]*schemas.Window{}
	for _, b := range commits {
		c, err := new(schemas.CommitDecoder).Decode(b, schemas.WithAll)
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.Windows {
			w := &c.Windows[i]
			latest[fmt.Sprint(w.View, w.Key.ID(), w.Start, w.FirstN)] = w
		}
	}
	held, keys = map[string]uint64{}, map[string]bool{}
	for _, w := range latest {
		held[w.View] += w.Count
		keys[w.View+" "+strings.Join(w.Key.Values, ",")] = true
	}
	return held, keys
}

// A view by an attribute holds every record, however many values there are, and
// goes on the same from any checkpoint.
func TestViewsByAttributes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := attributedScript(rt)
		whole := play(t, NewFold("a001", attributed), s.frames, 0, &position{})
		cut := rapid.IntRange(0, len(s.frames)).Draw(rt, "checkpoint")
		f, at := NewFold("a001", attributed), &position{}
		got := play(t, f, s.frames[:cut], 0, at)
		g := NewFold("a001", attributed)
		if err := g.Restore(f.Append(nil)); err != nil {
			rt.Fatalf("checkpoint after %d: %v", cut, err)
		}
		got = append(got, play(t, g, s.frames, cut, at)...)
		if !bytes.Equal(bytes.Join(got, nil), bytes.Join(whole, nil)) {
			rt.Fatalf("commits differ after a checkpoint at %d", cut)
		}
		held, _ := heldBy(t, whole)
		if len(g.generations) == 1 && g.generations[0].from == -1<<63 && g.revision() == 1 && held["site"] != held["device"] {
			rt.Fatalf("windows hold %v", held)
		}
	})
}

func TestAttributesOverflow(t *testing.T) {
	s := &script{}
	now := int64(1_760_000_000_000 * ms)
	s.b.Frame().Config = &schemas.Config{Revision: 1, From: now, Document: []byte("{}")}
	s.cut(now)
	for i := range 10 {
		attrs := []schemas.Attr{{Key: "floor", Value: "roof"}, {Key: "site", Value: fmt.Sprint(i)}}
		s.b.Add("acme", "d", &schemas.Reading{EventTime: now, IngestTime: now, Attrs: attrs[i%2:], Values: []schemas.Value{{Metric: "t", Value: 1}}})
		s.b.Add("acme", "d", &schemas.Reading{EventTime: now, IngestTime: now, Values: []schemas.Value{{Metric: "t", Value: 1}}})
		s.b.AddFlow("acme", schemas.Metrics, "", "", 2)
		now += 100 * ms
		s.cut(now)
	}
	for range 10 {
		now += 20_000 * ms
		s.cut(now)
	}
	held, keys := heldBy(t, play(t, NewFold("a001", attributed), s.frames, 0, &position{}))
	for _, key := range []string{"site 0,t", "site 1,t", "site 2,t", "site ,t", "site weir.overflow,t"} {
		if !keys[key] {
			t.Errorf("no window of %q among %v", key, keys)
		}
	}
	if held["device"] != 20 || held["site"] != 20 || held["fleet"] != 20 || held["roof"] != 2 || keys["site 3,t"] {
		t.Errorf("windows hold %v, of %v", held, keys)
	}
}
