package aggregator

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/pkg/sketch"
	"weir/schemas"
)

// exporter plays an OTLP sender with one counter, one histogram and spans, and
// knows what they add up to.
type exporter struct {
	s       *script
	start   int64
	total   float64
	sizes   sketch.Sketch
	spans   []schemas.Exemplar
	logs    int // log records that are to be passed through
	hash    uint64
	last    []schemas.Reading
	records uint64 // sent, repeats included
	again   uint64 // of them, repeats
}

// export sends a request with everything that has come together.
func (e *exporter) export(t *rapid.T, now int64) {
	e.hash++
	sizes, err := e.sizes.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	of := func(id uint64) schemas.MetricStream { return schemas.MetricStream{ID: id, Start: e.start} }
	e.last = []schemas.Reading{
		{Values: []schemas.Value{{Metric: "orders", Value: e.total, Kind: schemas.TotalRecord, MetricStream: of(1)}}},
		{Values: []schemas.Value{{Metric: "size", Value: e.sizes.Sum(), Kind: schemas.HistogramsRecord, MetricStream: of(2), Sketch: sizes}}},
	}
	for range rapid.IntRange(0, 3).Draw(t, "spans") {
		span := schemas.Exemplar{Time: now, Value: rapid.Float64Range(0, 9).Draw(t, "duration"), TraceID: schemas.TraceID{Trace: [16]byte{15: 1}}}
		span.Trace[0], span.Span[0] = rapid.Byte().Draw(t, "trace")%16, byte(len(e.spans))
		e.last = append(e.last, schemas.Reading{Trace: span.TraceID, Values: []schemas.Value{{Metric: schemas.SpanMetric, Value: span.Value}}})
		e.spans = append(e.spans, span)
	}
	for range rapid.IntRange(0, 2).Draw(t, "logs") {
		e.last = append(e.last, schemas.Reading{Log: fmt.Appendf(nil, "log %d", e.logs), Values: []schemas.Value{{Metric: schemas.LogMetric, Value: 17}}})
		e.logs++
	}
	for i := range e.last {
		e.last[i].EventTime, e.last[i].IngestTime = now, now
		e.last[i].Request = schemas.Request{Hash: e.hash, At: uint32(i)}
	}
	e.send(0)
}

// send journals the newest request from one of its readings on.
func (e *exporter) send(from int) {
	for i := range e.last[from:] {
		r := &e.last[from+i]
		e.s.b.Add("acme", "shop", r)
		e.s.b.AddFlow("acme", schemas.SignalOf(r.Values[0].Metric), "", "", 1)
		e.records++
	}
}

// otlpScript is a journal of a sender that counts, restarts and sends again.
func otlpScript(t *rapid.T) (e *exporter, orders float64, sizes uint64) {
	now := int64(1_760_000_000_000 * ms)
	e = &exporter{s: &script{}}
	e.s.cut(now)
	e.start = now + 1
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		now += rapid.SampledFrom([]int64{250, 1000, 5000}).Draw(t, "step") * ms
		if n := rapid.IntRange(0, 5).Draw(t, "orders"); n > 0 {
			e.total += float64(n)
			orders += float64(n)
		}
		for range rapid.IntRange(0, 5).Draw(t, "sizes") {
			e.sizes.Add(rapid.Float64Range(1, 100).Draw(t, "size"))
			sizes++
		}
		e.export(t, now)
		if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
			e.s.cut(now)
			e.send(0)
			e.again += uint64(len(e.last))
		}
		if rapid.IntRange(0, 5).Draw(t, "restart") == 0 {
			now += 10 * ms
			e.start, e.total = now, 0
			e.sizes.Reset()
		}
		e.s.cut(now)
	}
	for range 10 {
		now += 20_000 * ms
		e.s.cut(now)
	}
	return e, orders, sizes
}

// What adds up at the sender is counted once: over resets, restarts of the fold
// and requests that are sent again.
func TestCumulative(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e, orders, sizes := otlpScript(rt)
		whole := play(t, NewFold("a001", nil), e.s.frames, 0, &position{})
		cut := rapid.IntRange(0, len(e.s.frames)).Draw(rt, "checkpoint")
		f, at := NewFold("a001", nil), &position{}
		got := play(t, f, e.s.frames[:cut], 0, at)
		g := NewFold("a001", nil)
		if err := g.Restore(f.Append(nil)); err != nil {
			rt.Fatal(err)
		}
		got = append(got, play(t, g, e.s.frames, cut, at)...)
		if !bytes.Equal(bytes.Join(got, nil), bytes.Join(whole, nil)) {
			rt.Fatalf("commits differ after a checkpoint at %d", cut)
		}
		sums, counts := map[string]float64{}, map[string]uint64{}
		for _, w := range newest(t, whole) {
			if w.View == "device" {
				sums[w.Dim("metric")] += w.Sum
				counts[w.Dim("metric")] += w.Count
			}
		}
		if math.Abs(sums["orders"]-orders) > 1e-6 || counts["size"] != sizes || counts[schemas.SpanMetric] != uint64(len(e.spans)) {
			rt.Fatalf("%v orders, %d sizes, %d spans; want %v, %d, %d", sums["orders"], counts["size"], counts[schemas.SpanMetric], orders, sizes, len(e.spans))
		}
		l := schemas.NewLedger([]schemas.AgentLedger{{Agent: "a001", Rows: g.rows()}})
		if l.Totals.Unexplained != 0 || l.Totals.Received != e.records || l.Totals.Duplicate != e.again || l.Signals["traces"].Unexplained != 0 ||
			l.Signals["traces"].Counted != uint64(len(e.spans)) {
			rt.Fatalf("ledger %+v, signals %+v; want %d records, %d again", l.Totals, l.Signals["traces"], e.records, e.again)
		}
		e.exemplified(rt, newest(t, whole))
		e.passed(rt, whole)
	})
}

// passed: each log record is in one commit, and the totals of the last one say how many there are.
func (e *exporter) passed(t *rapid.T, commits [][]byte) {
	came, said := map[string]bool{}, uint64(0)
	for _, b := range commits {
		c, err := new(schemas.CommitDecoder).Decode(b, schemas.WithLogs)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range c.Logs {
			if came[string(l.Data)] || l.Severity != 17 || l.Agent != "a001" || l.Tenant != "acme" || l.Device != "shop" {
				t.Fatalf("log record %+v, there already: %v", l, came[string(l.Data)])
			}
			came[string(l.Data)] = true
		}
		for _, row := range c.Totals {
			if row.Outcome == schemas.Passed {
				said = row.N
			}
		}
	}
	if len(came) != e.logs || said != uint64(e.logs) {
		t.Fatalf("%d log records are in commits, which say %d; want %d", len(came), said, e.logs)
	}
}

// exemplified: the parts of each window have the exemplars of all spans in it, and no
// other windows have any.
func (e *exporter) exemplified(t *rapid.T, windows map[string]schemas.Window) {
	got := map[string]schemas.Exemplars{}
	for _, w := range windows {
		at := fmt.Sprint(w.View, w.Dim("metric"), w.Start)
		got[at] = got[at].Merge(w.Exemplars)
	}
	for _, w := range windows {
		var want schemas.Exemplars
		for _, s := range e.spans {
			if w.Dim("metric") == schemas.SpanMetric && w.Start <= s.Time && s.Time < w.End {
				want = want.Add(s)
			}
		}
		if at := fmt.Sprint(w.View, w.Dim("metric"), w.Start); !slices.Equal(got[at], want) {
			t.Fatalf("%s: exemplars\n got %v\nwant %v", at, got[at], want)
		}
	}
}

// What was added up before tallies had exemplars is read.
func TestTallyWithoutExemplars(t *testing.T) {
	var a, b tally
	a.add(schemas.Point{Time: 1, Value: 2, ID: 3})
	state := appendTally(nil, &a)
	rest, err := readTally(&b, state[:len(state)-1], 4, 0)
	if err != nil || len(rest) > 0 || !bytes.Equal(appendTally(nil, &b), state) {
		t.Errorf("%d bytes are left (%v), read %+v", len(rest), err, b)
	}
	a.exemplify(schemas.Exemplar{Time: 1, Value: 2, TraceID: schemas.TraceID{Trace: [16]byte{1}}})
	state = appendTally(nil, &a)
	for n := range state {
		if _, err := readTally(new(tally), state[:n], stateVersion, 0); err == nil {
			t.Errorf("%d of %d bytes were read", n, len(state))
		}
	}
}

// newest are the newest revisions of all parts.
func newest(t testing.TB, commits [][]byte) map[string]schemas.Window {
	t.Helper()
	latest := map[string]schemas.Window{}
	for _, b := range commits {
		c, err := new(schemas.CommitDecoder).Decode(b, schemas.WithAll)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range c.Windows {
			latest[fmt.Sprint(w.View, w.Key.ID(), w.Start, w.FirstN)] = w
		}
	}
	return latest
}

// What a sender had counted before anybody looked is nobody's increase.
func TestCumulativeFromBefore(t *testing.T) {
	var s streams
	at := func(start, at int64, value float64) float64 {
		st, known := s.at(streamKey{"x", 1})
		return st.increase(&schemas.Value{Kind: schemas.TotalRecord, Value: value, MetricStream: schemas.MetricStream{Start: start}}, at, 100, known)
	}
	for i, c := range []struct {
		start, at   int64
		value, want float64
	}{
		{50, 110, 1000, 0}, {50, 120, 1010, 10}, {50, 115, 1005, 0}, {50, 130, 1010, 0}, {50, 140, 3, 3}, {145, 150, 7, 7}, {145, 160, 8, 1},
	} {
		if got := at(c.start, c.at, c.value); got != c.want {
			t.Errorf("%d: %v since %d at %d is an increase of %v, want %v", i, c.value, c.start, c.at, got, c.want)
		}
	}
	for i := range maxStreams {
		s.at(streamKey{"y", uint64(i)})
	}
	if st, _ := s.at(streamKey{"z", 1}); st != nil {
		t.Error("one stream too many")
	}
}

// The oldest request is forgotten, and no other.
func TestRequestsRemembered(t *testing.T) {
	var q requests
	for i := range uint64(maxRequests) {
		if q.repeat(schemas.Request{Hash: i + 1, At: 2}) {
			t.Fatalf("request %d is new", i)
		}
	}
	if !q.repeat(schemas.Request{Hash: 1, At: 1}) || q.repeat(schemas.Request{Hash: 1, At: 3}) {
		t.Error("the first request: what is behind its third reading is new, and only that")
	}
	if q.repeat(schemas.Request{Hash: 9999}); q.repeat(schemas.Request{Hash: 1}) || !q.repeat(schemas.Request{Hash: 3}) {
		t.Error("the oldest is forgotten, the others are not")
	}
}
