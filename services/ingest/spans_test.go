package ingest

import (
	"strings"
	"testing"

	"weir/schemas"
)

// Spans in a message of a device are its own, whatever their resource says, and
// are answered like readings.
func TestSpansOfADevice(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		packed, err := spans(3).MarshalProto()
		if err != nil {
			t.Fatal(err)
		}
		text, err := spans(2).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		many, err := spans(20).MarshalProto()
		if err != nil {
			t.Fatal(err)
		}
		h := start(t, Config{}, newMemLog(), func(s *Settings, _ *Deps) { s.Rules.Readings = 10 })
		for _, c := range []struct{ payload, reply, fault string }{
			{string(packed), `{"records":3,"journaled":2,"rejected":[{"reason":"bad_value","n":1,"at":2}]}`, ""},
			{string(packed), `{"records":3,"journaled":2,"rejected":[{"reason":"bad_value","n":1,"at":2}]}`, ""},
			{" " + string(text), `{"records":2,"journaled":2}`, ""},
			{"{}", `{"records":1,"journaled":0,"rejected":[{"reason":"no_values","n":1,"at":0}]}`, ""},
			{"", `{"error":"undecodable","detail":"empty payload"}`, "undecodable"},
			{"21.5", `{"error":"undecodable","detail":"decode 4 bytes of traces: no protobuf of OTLP"}`, "undecodable"},
			{string(many), `{"error":"too_many","detail":"20 records of traces: at most 10"}`, "too_many"},
			{strings.Repeat("x", 70_000), `{"error":"too_large","detail":"payload of 70000 bytes: at most 65536"}`, "too_large"},
		} {
			if g := <-h.nats.request("tel.t.d.traces", c.payload); g.text != c.reply || g.header != c.fault {
				t.Errorf("%.20q: got %q %s, want %q %s", c.payload, g.header, g.text, c.fault, c.reply)
			}
		}
		if d := h.Devices("a1"); len(d) != 1 || d[0].Device != "d" || d[0].Tenant != "t" {
			t.Errorf("devices %+v", d)
		}
		requests := map[uint64]int{}
		for _, f := range h.mustStop(t) {
			for _, r := range f.Requests {
				requests[r.Hash]++
			}
		}
		if len(requests) != 2 {
			t.Errorf("requests %v: the same bytes are the same request", requests)
		}
	})
}

// Over MQTT, too, the PUBACK comes when they are in the journal, and what is sent
// again is known by its bytes, not by its packet.
func TestSpansOverMQTT(t *testing.T) {
	packed, err := spans(3).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	h := startMQTT(t, nil)
	c := connect(t, h.Addr(), true, "c1", "")
	for _, dup := range []bool{false, true} {
		c.publish("tel/t/d/traces", string(packed), 1, 9, dup)
		if code := c.acked(9); code != 0 {
			t.Errorf("PUBACK %#x", code)
		}
		if n := h.Status().Agents[0].Journaled; n == 0 || n%2 != 0 {
			t.Errorf("%d records in the journal at the PUBACK", n)
		}
	}
	frames := h.mustStop(t)
	for _, f := range frames {
		if len(f.Packets) > 0 {
			t.Errorf("packets %+v", f.Packets)
		}
	}
	rows := sum(frames)
	if n := rows[schemas.Flow{Tenant: "t", Signal: schemas.Traces}]; n != 6 {
		t.Errorf("%d spans arrived, want 6: %v", n, rows)
	}
}
