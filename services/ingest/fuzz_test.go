package ingest

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"

	"weir/schemas"
)

// checkMessage wants what holds for every payload: one fault, or at least one
// record, each in one place, with names and values that are allowed.
func checkMessage(t *testing.T, m *message) {
	t.Helper()
	if m.fault != "" {
		if len(m.readings)+len(m.refused)+len(m.numbers) > 0 || m.detail == "" || m.records() != 1 {
			t.Fatalf("fault %s with %d readings and %d refusals, detail %q", m.fault, len(m.readings), len(m.refused), m.detail)
		}
		return
	}
	if m.records() == 0 || len(m.at) != len(m.readings) {
		t.Fatalf("a message without a record: %+v", m)
	}
	for i := range m.readings {
		checkReading(t, &m.readings[i])
	}
	for _, r := range m.refused {
		if r.n < 1 {
			t.Fatalf("refusal %+v", r)
		}
	}
}

func checkReading(t *testing.T, r *schemas.Reading) {
	t.Helper()
	if len(r.Values) == 0 || r.EventTime < year2000 || r.Boot != "" && !schemas.ValidName(r.Boot) || r.Seq > 1<<63-1 {
		t.Fatalf("reading %+v", r)
	}
	seen := map[string]bool{}
	for _, v := range r.Values {
		n := fromFloat(v.Value)
		if !schemas.DeviceMetric(v.Metric) || !n.finite() || seen[v.Metric] {
			t.Fatalf("value %+v", v)
		}
		seen[v.Metric] = true
	}
	for i, a := range r.Attrs {
		if !schemas.ValidMetric(a.Key) || !utf8.ValidString(a.Value) || i > 0 && r.Attrs[i-1].Key >= a.Key {
			t.Fatalf("attributes %+v", r.Attrs)
		}
	}
}

// encoding/json is the judge of what JSON is, and of what its numbers are.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"temp":21.5,"hum":40,"ts":1763760000123,"seq":17,"boot":"a1","attrs":{"site":"x"}}`,
		`[{"metrics":{"a":1e5,"b":true}},-3,{"x":null,"y":"\u00e9\ud83d\ude00"},[[]]]`,
		`{"a":1,"a":2,"metrics":{},"ts":"2025-11-21T21:20:00Z"}`, `{"a":0.1e-7}`, `[1,2`, `{"":{"":[{}]}}`, `{"a":01}`, "{\"a\x00\":1}",
	} {
		f.Add([]byte(s))
	}
	d, rules := new(decoder), testRules()
	rules.Depth = 64
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := d.decode(payload, rules, now)
		checkMessage(t, m)
		first := skipSpace(payload)
		if len(first) == 0 || first[0] != '{' && first[0] != '[' || m.fault == schemas.TooDeep || m.fault == schemas.TooMany || m.fault == schemas.TooLarge {
			return
		}
		if valid := json.Valid(payload) && utf8.Valid(payload); valid != (m.fault == "") {
			t.Fatalf("valid %v, but fault %q: %s", valid, m.fault, m.detail)
		}
		checkValues(t, payload, m)
	})
}

// checkValues compares the metrics of a single object with what encoding/json
// reads, where each key comes once.
func checkValues(t *testing.T, payload []byte, m *message) {
	t.Helper()
	var all map[string]any
	if m.fault != "" || json.Unmarshal(payload, &all) != nil || len(m.readings) != 1 || len(m.refused) > 0 {
		return
	}
	if inner, ok := all["metrics"].(map[string]any); ok {
		all = inner
	}
	for _, v := range m.readings[0].Values {
		want, ok := all[v.Metric]
		switch w := want.(type) {
		case float64:
			ok = w == v.Value
		case bool:
			ok = w == (v.Value == 1)
		}
		if !ok {
			t.Fatalf("%s = %v, encoding/json has %v", v.Metric, v.Value, want)
		}
	}
}

// The check of the form lets pass only what the general decoder can read.
func FuzzMsgpack(f *testing.F) {
	for _, v := range []any{
		object{"temp": 21.5, "seq": 17, "boot": "a1", "attrs": object{"site": "x"}, "ts": 1763760000123},
		[]any{object{"metrics": object{"a": float32(1), "b": true}}, -3, nil, []byte("x"), []any{}},
		map[any]any{1: 2, "a": uint64(1) << 63},
	} {
		f.Add([]byte(pack(f, v)))
	}
	f.Add([]byte("\xdd\x03\xff\xff\xff"))
	f.Add([]byte("\x81\xa1a\xd6\xff\x00\x00\x00\x05"))
	d, rules := new(decoder), testRules()
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := d.decode(payload, rules, now)
		checkMessage(t, m)
		first := skipSpace(payload)
		if len(first) == 0 || first[0] < 0x80 || m.fault != "" {
			return
		}
		if _, err := scanMsgpack(first, rules.Depth); err != nil {
			t.Fatalf("decoded what does not pass the check: %v", err)
		}
		var raw msgpack.RawMessage
		if err := msgpack.Unmarshal(first, &raw); err != nil {
			t.Fatalf("accepted what msgpack cannot read: %v", err)
		}
	})
}

// Bare numbers and what only looks like them.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"21.5", "+1", "-0", "007", "1e999", "12:30", "5.", "0x1p4"} {
		f.Add([]byte(s))
	}
	d, rules := new(decoder), testRules()
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := d.decode(payload, rules, now)
		checkMessage(t, m)
		var want float64
		if len(payload) > 0 && isDigit(payload[0]) && json.Unmarshal(payload, &want) == nil {
			if m.fault != "" || len(m.readings) != 1 || m.readings[0].Values[0].Value != want {
				t.Fatalf("%q: %s, want %v", payload, show(m), want)
			}
		}
	})
}
