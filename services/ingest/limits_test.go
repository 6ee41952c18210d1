package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/schemas"
)

func TestTenantLimit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{}, newMemLog(), func(s *Settings, _ *Deps) { s.Tenants = 2 })
		f := func(tenant, payload, want string) {
			t.Helper()
			if g := <-h.nats.request("tel."+tenant+".d.metrics", payload); g.text != want {
				t.Errorf("tenant %s: got %s, want %s", tenant, g.text, want)
			}
		}
		f("t1", "1", `{"records":1,"journaled":1}`)
		f("t2", "x", `{"error":"undecodable","detail":"payload begins with byte 0x78: want a JSON object, array or number, or a msgpack map or array"}`)
		f("t3", `{"a":1,"b":2}`, `{"records":2,"journaled":0,"rejected":[{"reason":"tenant_limit","n":2,"at":0}]}`)
		f("t2", "1", `{"records":1,"journaled":1}`)
		for w := range sum(h.mustStop(t)) {
			if w.Tenant == "t3" {
				t.Error("a tenant that may not exist has a row in the ledger")
			}
		}
	})
}

// Beyond the limit of series counts stay exact under one name.
func TestOverflowConserves(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{}, newMemLog(), func(s *Settings, _ *Deps) { s.Rules.Series = 3 })
		for i := range 10 {
			h.nats.publish("tel.t.d.metrics", fmt.Sprintf(`{"m%d":1,"m0":2}`, i))
		}
		h.nats.publish("tel.t.other.metrics", `{"m9":1}`)
		count := map[string]int{}
		frames := h.mustStop(t)
		for _, f := range frames {
			for _, m := range f.Metric {
				count[f.Strings[m]]++
			}
		}
		want := map[string]int{"m0": 10, "m1": 1, "m2": 1, "m9": 1, OverflowMetric: 7}
		for m, n := range want {
			if count[m] != n {
				t.Errorf("%d records of %s, want %d (%v)", count[m], m, n, count)
			}
		}
		if st := h.Status().Agents[0]; st.Overflow != 7 {
			t.Errorf("overflow counted %d, want 7", st.Overflow)
		}
	})
}

// The table of devices is bounded; silent ones make room.
func TestDeviceLimit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{}, newMemLog(), func(s *Settings, _ *Deps) { s.Devices = 2 })
		send := func(device string) string {
			return (<-h.nats.request("tel.t."+device+".metrics", `{"a":1,"seq":3}`)).text
		}
		const good = `{"records":1,"journaled":1}`
		send("d1")
		send("d2")
		if got := send("d3"); got != `{"records":1,"journaled":0,"rejected":[{"reason":"too_many","n":1,"at":0}]}` {
			t.Errorf("third device: %s", got)
		}
		time.Sleep(2 * time.Minute)
		for _, d := range []string{"d3", "d1", "d3"} {
			if got := send(d); got != good {
				t.Errorf("%s after two minutes: %s", d, got)
			}
		}
		if n := len(h.Devices("a1")); n != 2 {
			t.Errorf("%d devices remembered, want 2", n)
		}
		h.mustStop(t)
	})
}

func TestDevices(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{}, newMemLog(), nil)
		begin := time.Now()
		h.nats.publish("tel.t.d.metrics", `{"a":1,"seq":1,"9":3}`)
		time.Sleep(time.Second)
		h.nats.publish("tel.t.d.metrics", `[{"a":1,"seq":2},{"ts":1,"b":2}]`)
		d := h.Devices("a1")[0]
		if d.Tenant != "t" || d.Device != "d" || d.Agent != "a1" || d.Records != 2 || !d.Numbered ||
			!d.First.Equal(begin) || d.Last.Sub(d.First) != time.Second || d.Rejected[schemas.BadName] != 1 || d.Rejected[schemas.BadTime] != 1 {
			t.Errorf("%+v", d)
		}
		h.mustStop(t)
	})
}

// The numbers of refused readings are noted: the fold does not miss them.
func TestRefusedNumbersAreNoted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{}, newMemLog(), nil)
		<-h.nats.request("tel.t.d.metrics", `[{"a":1,"seq":1,"boot":"b"},{"a":1,"seq":2,"boot":"b","ts":5,"attrs":{"k":"v"}},{"seq":3},{"9":1,"seq":4},{"ts":9e17,"a":1,"seq":5}]`)
		var noted []string
		for _, f := range h.mustStop(t) {
			for _, r := range f.Refused {
				s := f.Sources[r.Source]
				noted = append(noted, fmt.Sprintf("%s/%s/%s#%d", f.Strings[s.Tenant], f.Strings[s.Device], f.Strings[s.Boot], r.Seq))
			}
		}
		if got := strings.Join(noted, " "); got != "t/d/b#2 t/d/#3 t/d/#4 t/d/#5" {
			t.Errorf("noted %s", got)
		}
	})
}

// Subjects that name no device are refused, whatever is behind them.
func TestBadSubjects(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{}, newMemLog(), nil)
		subjects := []string{"tel.t.d", "tel.t.d.metrics.x", "tel.t.d.foo", "tel.t..metrics", "tel.t.d e.metrics", "tel/t/d/metrics", "tel.t.\r\n.metrics"}
		for _, s := range subjects {
			if g := <-h.nats.request(s, "1"); g.header != string(schemas.BadSubject) {
				t.Errorf("%q: %+v", s, g)
			}
		}
		for _, s := range []string{"traces", "logs"} {
			if g := <-h.nats.request("tel.t.d."+s, "1"); g.header != string(schemas.Undecodable) {
				t.Errorf("%s: %+v", s, g)
			}
		}
		rows := sum(h.mustStop(t))
		w := schemas.Flow{Tenant: noTenant, Signal: schemas.Metrics, Outcome: schemas.Rejected, Reason: schemas.BadSubject}
		if rows[w] != uint64(len(subjects)) || rows[schemas.Flow{Tenant: "t", Signal: schemas.Logs, Outcome: schemas.Rejected, Reason: schemas.Undecodable}] != 1 {
			t.Errorf("rows %v", rows)
		}
	})
}

// Refused messages are sampled: a few a second, a bounded piece of each.
func TestPark(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var parked []Parked
		h := start(t, Config{}, newMemLog(), func(_ *Settings, d *Deps) {
			d.Park = func(subject string, data []byte) error {
				var p Parked
				if err := json.Unmarshal(data, &p); err != nil || subject != schemas.Parked("a1", p.Tenant) {
					return fmt.Errorf("%s: %w", subject, err)
				}
				parked = append(parked, p)
				return nil
			}
		})
		h.nats.publish("tel.t.d.metrics", `{"a":1}`)
		h.nats.publish("tel.t.d.metrics", `{"a":1,"ts":3}`)
		h.nats.publish("tel.t.d.metrics", "\x93\xff"+strings.Repeat("y", 9000))
		h.nats.publish("tel.bad", `<&>`)
		for range 100 {
			h.nats.publish("tel.t.d.metrics", `{`)
		}
		time.Sleep(time.Second)
		h.nats.publish("tel.t.d.metrics", `{`)
		synctest.Wait()
		if len(parked) != parkPerSecond+1 {
			t.Fatalf("%d parked, want %d in the first second and one in the next", len(parked), parkPerSecond)
		}
		if p := parked[0]; p.Reason != schemas.BadTime || p.Text != `{"a":1,"ts":3}` || p.Device != "d" || p.Detail == "" || p.Size != 14 {
			t.Errorf("%+v", p)
		}
		if p := parked[1]; p.Text != "" || len(p.Payload) != parkPayload || p.Size != 9002 {
			t.Errorf("text %q, %d bytes of %d", p.Text, len(p.Payload), p.Size)
		}
		if p := parked[2]; p.Tenant != noTenant || p.Reason != schemas.BadSubject || p.Text != "<&>" {
			t.Errorf("%+v", p)
		}
		h.mustStop(t)
	})
}

// A park that fails stops nothing.
func TestParkFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{}, newMemLog(), func(_ *Settings, d *Deps) {
			d.Park = func(string, []byte) error { return errors.New("no stream") }
		})
		if g := <-h.nats.request("tel.t.d.metrics", `{`); g.header != "undecodable" {
			t.Errorf("%+v", g)
		}
		h.mustStop(t)
	})
}
