package otlp

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"weir/schemas"
)

// passingAll chooses all log records.
type passingAll struct{ strict }

func (passingAll) Log(plog.ResourceLogs, plog.ScopeLogs, plog.LogRecord) (schemas.Reason, bool) {
	return "", true
}

// passedBy reads a request all of whose log records are chosen.
func passedBy(ld plog.Logs, limit PassLimit, bytes int) *Batch {
	r := judgedBy(passingAll{})
	r.Pass, r.PassBytes = func(string) PassLimit { return limit }, bytes
	return Logs(ld, r)
}

// bodies is a request of log records with such bodies.
func bodies(all ...string) (plog.Logs, plog.ResourceLogs) {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "shop")
	sl := rl.ScopeLogs().AppendEmpty()
	for _, body := range all {
		l := sl.LogRecords().AppendEmpty()
		l.SetTimestamp(pcommon.Timestamp(now))
		l.Body().SetStr(body)
	}
	return ld, rl
}

func heldOf(b *Batch) (s string) {
	for _, h := range b.Held {
		s += fmt.Sprintf("%s %s %d; ", h.Device, h.Reason, h.N)
	}
	return s
}

// TestPassedWhole: a log record is passed through with its resource and scope, as it came.
func TestPassedWhole(t *testing.T) {
	ld, rl := bodies("first", "second")
	rl.SetSchemaUrl("resource.schema")
	rl.Resource().SetDroppedAttributesCount(3)
	sl := rl.ScopeLogs().At(0)
	sl.SetSchemaUrl("scope.schema")
	sl.Scope().SetName("checkout")
	sl.Scope().SetVersion("1")
	l := sl.LogRecords().At(1)
	l.SetSeverityNumber(plog.SeverityNumberError)
	l.SetSeverityText("bad")
	l.SetEventName("pay")
	l.SetTraceID(pcommon.TraceID{1})
	l.SetSpanID(pcommon.SpanID{2})
	l.SetObservedTimestamp(9)
	l.SetFlags(1)
	l.Body().SetEmptyMap().PutEmptySlice("n").AppendEmpty().SetInt(7)
	l.Attributes().PutBool("paid", false)
	want := plog.NewLogs()
	ld.CopyTo(want)
	want.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().RemoveIf(func(l plog.LogRecord) bool { return l.SeverityText() == "" })
	b := passedBy(ld, PassLimit{Records: 9, Size: 1000}, 1000)
	data, _ := wire.MarshalLogs(want)
	if len(b.Items) != 2 || string(b.Items[1].Reading.Log) != string(data) || heldOf(b) != "" {
		t.Errorf("got %q\nwant %q, held %s", b.Items[1].Reading.Log, data, heldOf(b))
	}
}

// TestHeldBack: beyond the limits of a device and of a request log records are counted and not
// passed through.
func TestHeldBack(t *testing.T) {
	f := func(what string, ld plog.Logs, limit PassLimit, bytes, passed int, held string) {
		t.Helper()
		b := passedBy(ld, limit, bytes)
		n := 0
		for _, it := range b.Items {
			if len(it.Reading.Log) > 0 {
				n++
			}
		}
		if n != passed || heldOf(b) != held || len(b.Items) != ld.LogRecordCount() {
			t.Errorf("%s: %d of %d are passed through, %s; want %d, %s", what, n, len(b.Items), heldOf(b), passed, held)
		}
	}
	three, _ := bodies("a", "b", "c")
	f("all", three, PassLimit{9, 1000}, 1000, 3, "")
	f("two at once", three, PassLimit{2, 1000}, 1000, 2, "shop log_rate 1; ")
	f("none", three, PassLimit{}, 1000, 0, "shop log_rate 3; ")
	f("bytes of a request", three, PassLimit{9, 1000}, 150, 2, "shop log_too_large 1; ")
	long, _ := bodies("a", strings.Repeat("x", 1000), "c")
	f("one is too large", long, PassLimit{9, 500}, 5000, 2, "shop log_too_large 1; ")
	fat, rl := bodies("a", "b")
	rl.Resource().Attributes().PutStr("x", strings.Repeat("x", 1000))
	rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetTimestamp(pcommon.Timestamp(now))
	f("the resource is too large", fat, PassLimit{9, 500}, 5000, 0, "shop log_too_large 3; ")
	wide, rl := bodies("a", "b")
	rl.ScopeLogs().At(0).Scope().Attributes().PutStr("x", strings.Repeat("x", 1000))
	rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetTimestamp(pcommon.Timestamp(now))
	f("a scope is too large, the next is not", wide, PassLimit{9, 500}, 5000, 1, "shop log_too_large 2; ")
}

// TestFutureIsNotPassed: what is refused is neither passed through nor held back.
func TestFutureIsNotPassed(t *testing.T) {
	ld, rl := bodies("a")
	rl.ScopeLogs().At(0).LogRecords().At(0).SetTimestamp(pcommon.Timestamp(now + int64(time.Hour)))
	if b := passedBy(ld, PassLimit{0, 1000}, 1000); len(b.Refused) != 1 || len(b.Held)+len(b.Items) != 0 {
		t.Errorf("got %+v", b)
	}
}

// TestMended: what is passed through is text where it should be.
func TestMended(t *testing.T) {
	ld, rl := bodies("a\xff", "b")
	rl.Resource().Attributes().PutStr("x", "\xff")
	rl.Resource().Attributes().PutStr("\xff", "no name")
	l := rl.ScopeLogs().At(0).LogRecords().At(1)
	l.SetSeverityText("\xc3")
	l.Body().SetEmptySlice().AppendEmpty().SetEmptyMap().PutStr("deep", "\xff!")
	b := passedBy(ld, PassLimit{9, 1000}, 1000)
	for i, want := range []string{`map[service.name:shop x:�] a�  `, `map[service.name:shop x:�] [{"deep":"�!"}] � `} {
		got, err := new(plog.ProtoUnmarshaler).UnmarshalLogs(b.Items[i].Reading.Log)
		if err != nil {
			t.Fatal(err)
		}
		r := got.ResourceLogs().At(0)
		l := r.ScopeLogs().At(0).LogRecords().At(0)
		if text := fmt.Sprint(r.Resource().Attributes().AsRaw(), " ", l.Body().AsString(), " ", l.SeverityText(), " "); text != want || !utf8.ValidString(text) {
			t.Errorf("got %q, want %q", text, want)
		}
	}
	if rl.ScopeLogs().At(0).LogRecords().At(0).Body().Str() != "a\xff" {
		t.Error("what was sent has been changed")
	}
}

// TestPassingABomb: a resource of a megabyte with a hundred thousand log records is looked at
// once, not with each of them.
func TestPassingABomb(t *testing.T) {
	ld, rl := bodies()
	rl.Resource().Attributes().PutStr("x", strings.Repeat("x", 1<<20))
	for range 100 {
		all := rl.ScopeLogs().AppendEmpty().LogRecords()
		all.EnsureCapacity(1000)
		for range 1000 {
			all.AppendEmpty().SetTimestamp(pcommon.Timestamp(now))
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b := passedBy(ld, PassLimit{1 << 20, 1000}, MaxBytes)
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(200<<20); got > most || len(b.Held) != 1 || b.Held[0].N != 100_000 {
		t.Errorf("%d bytes were taken, want at most %d; %s", got, most, heldOf(b))
	}
}
