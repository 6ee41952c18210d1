package ingest

import (
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"weir/schemas"
)

// errorsOf is a request of n errors of a device.
func errorsOf(device string, n int) plogotlp.ExportRequest {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("device.id", device)
	for i := range n {
		l := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		l.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		l.SetSeverityNumber(plog.SeverityNumberError)
		l.Body().SetStr(fmt.Sprintf("%s %d", device, i))
	}
	return plogotlp.NewExportRequestFromLogs(ld)
}

// passingErrors passes errors through, five at once and one a second.
func passingErrors(t testing.TB) func(*Settings, *Deps) {
	return func(s *Settings, _ *Deps) {
		s.Items = program(t, `[{"name":"errors","on":"logs","action":"pass","conditions":["severity_number >= SEVERITY_NUMBER_ERROR"]}]`)
		s.Rules.LogRate, s.Rules.LogBurst = 1, 5
	}
}

// TestLogsArePassed: as many log records of a device are in frames as its limit lets pass; the
// others are counted, and held back with their reason.
func TestLogsArePassed(t *testing.T) {
	h, cc := startOTLP(t, passingErrors(t))
	client := plogotlp.NewGRPCClient(cc)
	for _, q := range []plogotlp.ExportRequest{errorsOf("a", 3), errorsOf("a", 9), errorsOf("b", 4)} {
		if _, err := client.Export(within(t), q); err != nil {
			t.Fatal(err)
		}
	}
	frames, passed := h.mustStop(t), map[string]int{}
	for _, f := range frames {
		for _, l := range f.Logs {
			passed[f.Strings[f.Sources[f.From[l.Reading]].Device]]++
		}
	}
	rows := sum(frames)
	row := func(o schemas.Outcome, why schemas.Reason) uint64 {
		return rows[schemas.Flow{Tenant: "default", Signal: schemas.Logs, Outcome: o, Reason: why}]
	}
	held := row(schemas.HeldBack, schemas.LogRate)
	if row("", "") != 16 || passed["a"] < 5 || passed["b"] != 4 || uint64(passed["a"]+passed["b"])+held != 16 {
		t.Errorf("%d arrived, %v passed through, %d held back", row("", ""), passed, held)
	}
	if fmt.Sprint(h.Status().Rules[0].Hits) != "16" {
		t.Errorf("rules did %+v", h.Status().Rules)
	}
}

// TestLogLimitFollows: a device passes at its rate, and goes on with what it has left when the
// limit changes.
func TestLogLimitFollows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		packed, err := errorsOf("x", 4).MarshalProto()
		if err != nil {
			t.Fatal(err)
		}
		h := start(t, Config{}, newMemLog(), passingErrors(t))
		for range 2 { // four, then one of four
			<-h.nats.request("tel.t.d.logs", string(packed))
		}
		time.Sleep(2 * time.Second) // two more
		<-h.nats.request("tel.t.d.logs", string(packed))
		set := DefaultSettings()
		passingErrors(t)(&set, nil)
		set.Rules.LogRate, set.Rules.LogBurst = 0, 1
		if err := h.SetConfig(t.Context(), everywhere(&h.cfg, 2, set)); err != nil {
			t.Fatal(err)
		}
		<-h.nats.request("tel.t.d.logs", string(packed))
		frames := h.mustStop(t)
		n := 0
		for _, f := range frames {
			n += len(f.Logs)
		}
		if held := sum(frames)[schemas.Flow{Tenant: "t", Signal: schemas.Logs, Outcome: schemas.HeldBack, Reason: schemas.LogRate}]; n != 7 || held != 9 {
			t.Errorf("%d passed through, %d held back; want 7 and 9", n, held)
		}
	})
}
