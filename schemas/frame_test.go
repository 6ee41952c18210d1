package schemas

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestFrameHoldsReadings builds frames and takes the readings out again.
func TestFrameHoldsReadings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := sents().Draw(t, "sent")
		var b FrameBuilder
		for _, s := range all {
			b.Add(s.tenant, s.device, s.Reading)
		}
		var f Frame
		if err := new(FrameDecoder).Decode(new(FrameEncoder).Append(nil, b.Frame()), &f); err != nil {
			t.Fatal(err)
		}
		for i := range all {
			r := all[i].Reading
			r.IngestTime = r.IngestTime / 1e6 * 1e6
			if r.Packet.ID == 0 {
				r.Packet = Packet{}
			}
		}
		if got := unpack(&f); !equal(got, all) {
			t.Fatalf("\n got %s\nwant %s", repr(got), repr(all))
		}
	})
}

// unpack is what a fold does with a frame.
func unpack(f *Frame) (out []sent) {
	record, streams, sketches := 0, f.Streams, f.Sketches
	var request Request
	for i, from := range f.From {
		src := f.Sources[from]
		r := &Reading{
			Boot: f.Strings[src.Boot], Seq: f.Seq[i], Numbered: src.Numbered,
			EventTime: f.EventTime[i], IngestTime: f.IngestTime[i],
		}
		for k := 0; k < len(src.Attrs); k += 2 {
			r.Attrs = append(r.Attrs, Attr{f.Strings[src.Attrs[k]], f.Strings[src.Attrs[k+1]]})
		}
		for range f.Values[i] {
			v := Value{Metric: f.Strings[f.Metric[record]], Value: f.Value[record]}
			if len(f.Kinds) > 0 {
				v.Kind = f.Kinds[record]
			}
			if v.Kind.Cumulative() {
				v.MetricStream, streams = streams[0], streams[1:]
			}
			if v.Kind.Histogram() {
				v.Sketch, sketches = sketches[0], sketches[1:]
			}
			r.Values = append(r.Values, v)
			record++
		}
		for _, q := range f.Requests {
			if int(q.Reading) == i {
				request = q.Request
			}
		}
		if r.Request = request; request != (Request{}) {
			request.At++
		}
		for _, t := range f.Traces {
			if int(t.Reading) == i {
				r.Trace = t.TraceID
			}
		}
		for _, l := range f.Logs {
			if int(l.Reading) == i {
				r.Log = l.Data
			}
		}
		for _, p := range f.Packets {
			if int(p.Reading) == i {
				r.Packet = p.Packet
			}
		}
		out = append(out, sent{f.Strings[src.Tenant], f.Strings[src.Device], r})
	}
	return out
}

// TestFrameReuse runs frames through one builder, encoder, decoder and frame:
// nothing of an earlier frame is left in a later one.
func TestFrameReuse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b FrameBuilder
		var e FrameEncoder
		var d FrameDecoder
		var got Frame
		for range rapid.IntRange(2, 5).Draw(t, "frames") {
			b.Reset()
			var fresh FrameBuilder
			for _, s := range sents().Draw(t, "sent") {
				b.Add(s.tenant, s.device, s.Reading)
				fresh.Add(s.tenant, s.device, s.Reading)
			}
			if !equal(b.Frame(), fresh.Frame()) {
				t.Fatalf("a used builder gives %s, a new one %s", repr(b.Frame()), repr(fresh.Frame()))
			}
			want := fillFrame(t, &b)
			buf := e.Append([]byte("in front"), want)[len("in front"):]
			if one := new(FrameEncoder).Append(nil, want); !bytes.Equal(buf, one) {
				t.Fatalf("a used encoder gives\n%x, a new one\n%x", buf, one)
			}
			if err := d.Decode(buf, &got); err != nil {
				t.Fatal(err)
			}
			if !equal(&got, want) {
				t.Fatalf("\n got %s\nwant %s", repr(&got), repr(want))
			}
			head, err := d.Head(buf)
			if err != nil {
				t.Fatal(err)
			}
			if want := (FrameHead{want.Agent, want.N, want.ArrivedBefore, want.Flow, want.Records()}); !equal(head, want) {
				t.Fatalf("head\n got %s\nwant %s", repr(head), repr(want))
			}
		}
	})
}

// TestFrameBuilderForgets fills a builder beyond what it may remember.
func TestFrameBuilderForgets(t *testing.T) {
	var b FrameBuilder
	site := strings.Repeat("x", 1000)
	for frame := range 60 {
		b.Reset()
		for i := range 100 {
			b.Add("acme", "pump", &Reading{Attrs: []Attr{{"site", fmt.Sprint(site, frame, i)}}})
		}
		if got := len(b.Frame().Sources); got != 100 {
			t.Fatalf("frame %d has %d sources, want 100", frame, got)
		}
		if b.held > maxHeld+300_000 {
			t.Fatalf("frame %d: the builder holds %d bytes, want at most %d and a frame", frame, b.held, maxHeld)
		}
	}
}

// TestFrameBuilderCopies changes the memory behind a reading after it was added.
func TestFrameBuilderCopies(t *testing.T) {
	text := []byte("acme pump a1 site x temp")
	part := func(from, to int) string { return alias(text[from:to]) }
	var b FrameBuilder
	b.Add(part(0, 4), part(5, 9), &Reading{Boot: part(10, 12), Attrs: []Attr{{part(13, 17), part(18, 19)}}, Values: []Value{{Metric: part(20, 24), Value: 1}}})
	b.AddFlow(part(0, 4), Metrics, "", "", 1)
	clear(text)
	wantEqual(t, "strings", b.Frame().Strings, []string{"acme", "pump", "a1", "site", "x", "temp"})
	wantEqual(t, "flow", b.Frame().Flow, []Flow{{"acme", Metrics, "", "", 1}})
}

func TestFrameBuilderSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b FrameBuilder
		for _, s := range sents().Draw(t, "sent") {
			b.Add(s.tenant, s.device, s.Reading)
		}
		b.AddFlow("acme", Metrics, Rejected, TenantLimit, 1)
		const head, much = 120, 11 // a far event time or number takes up to 10 bytes more than a near one
		got := len(new(FrameEncoder).Append(nil, b.Frame()))
		if most := head + b.Size() + 3*much*b.Frame().Readings(); got > most {
			t.Fatalf("%d bytes of a frame estimated at %d", got, b.Size())
		}
	})
	f := fleetFrame(500, 100, 3, decimals)
	var b FrameBuilder
	addFleet(&b, fleetReadings(500, 100, 3, decimals), 100)
	if got := len(new(FrameEncoder).Append(nil, f)); got > b.Size() {
		t.Errorf("%d bytes of an ordinary frame estimated at %d", got, b.Size())
	}
}

func TestFrameAccounts(t *testing.T) {
	f := sampleFrame()
	if f.Readings() != 10 || f.Records() != 23 || f.Arrived() != 24 {
		t.Errorf("%d readings, %d records, %d arrived, want 10, 23, 24", f.Readings(), f.Records(), f.Arrived())
	}
	var b FrameBuilder
	if !b.Empty() {
		t.Error("a new builder is not empty")
	}
	b.AddFlow("acme", Metrics, "", "", 1)
	b.AddFlow("acme", Metrics, Rejected, Future, 1)
	b.AddFlow("acme", Metrics, "", "", 2)
	wantEqual(t, "flow", b.Frame().Flow, []Flow{{"acme", Metrics, "", "", 3}, {"acme", Metrics, Rejected, Future, 1}})
	if b.Empty() {
		t.Error("a builder with a discard is empty")
	}
}

// rawColumn is a column with its id, as a peer may write it.
type rawColumn struct {
	id    uint64
	bytes []byte
}

// rawFrame writes a frame with the given counts (strings, sources, refused,
// readings, records, packets) and columns, whether they make sense or not.
func rawFrame(counts [6]uint64, columns ...rawColumn) []byte {
	w := newHeadWriter()
	w.reset(FrameVersion)
	w.array(14)
	w.str("agent-1")
	for range 3 {
		w.uint(0)
	}
	for range 3 {
		w.array(0)
	}
	for _, n := range counts {
		w.uint(n)
	}
	w.array(2 * len(columns))
	var body []byte
	for _, c := range columns {
		w.uint(c.id)
		w.uint(uint64(len(c.bytes)))
		body = append(body, c.bytes...)
	}
	return append(w.appendTo(nil), body...)
}

func TestFrameRefuses(t *testing.T) {
	var (
		good = map[uint64][]byte{
			colStrings: {1, 'a', 1, 'b'}, colSources: {0, 1, 1, 2, 0, 1}, colRefused: {0, 9}, colFrom: {0}, colSeq: {2}, colEvent: {9, 2},
			colIngest: {2}, colMetric: {1}, colScale: {1, 1}, colScaled: {2}, colPackets: {0, 3, 1, 2, 3, 4},
		}
		counts = [6]uint64{2, 1, 1, 1, 1, 1}
	)
	frame := func(id uint64, column []byte, counts [6]uint64) []byte {
		var columns []rawColumn
		for c := uint64(1); c < colEnd; c++ {
			if b := good[c]; c == id {
				columns = append(columns, rawColumn{c, column})
			} else if b != nil {
				columns = append(columns, rawColumn{c, b})
			}
		}
		return rawFrame(counts, columns...)
	}
	f := func(id uint64, want string, column ...byte) {
		t.Helper()
		var got Frame
		if err := new(FrameDecoder).Decode(frame(id, column, counts), &got); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("column %d of %x: error %v, want %q", id, column, err, want)
		}
	}
	f(0, "")
	f(colStrings, "column strings: length or index", 1, 'a', 2, 'b')
	f(colStrings, "column strings: bytes left over", 1, 'a', 0, 'b')
	f(colSources, "column sources: length or index", 2, 1, 1, 0)
	f(colSources, "column sources: length or index", 0, 2, 1, 0)
	f(colSources, "column sources: length or index", 0, 1, 4, 0)
	f(colSources, "column sources: length or index", 0, 1, 1, 1, 0)
	f(colSources, "column sources: length or index", 0, 1, 1, 2, 0, 2)
	f(colRefused, "column refused: length or index", 1, 9)
	f(colFrom, "column from: length or index", 1)
	f(colFrom, "column 4 has 0 bytes for 1 elements")
	f(colSeq, "column seq: truncated")
	f(colSeq, "column seq: bytes left over", 2, 2)
	f(colEvent, "column 6 has 0 bytes for 1 elements")
	f(colEvent, "unit of 10^4 ns", 4, 2)
	f(colEvent, "column event time: length or index", binary.AppendVarint([]byte{9}, 1<<40)...)
	f(colEvent, "column event time: length or index", binary.AppendVarint([]byte{9}, -1<<40)...)
	f(colEvent, "", binary.AppendVarint([]byte{0}, math.MinInt64)...)
	f(colIngest, "column ingest time: length or index", binary.AppendVarint(nil, math.MaxInt64/1_000_000+1)...)
	f(colValues, "", 1)
	f(colValues, "column values: 0 records, want 1", 0)
	f(colValues, "column values: length or index", 2)
	f(colValues, "column values: bytes left over", 1, 0)
	f(colMetric, "column metric: truncated")
	f(colMetric, "column metric: length or index", 2)
	f(colMetric, "column metric: bytes left over", 0, 1)
	f(colScale, "column scale: length or index", 2, 1)
	f(colScale, "scale 13 is unknown", 1, 13)
	f(colScale, "column scale: truncated", 1)
	f(colScaled, "columns 11 and 12 have 0 bytes for 1 records")
	f(colScaled, "column scaled: bytes left over", 2, 2)
	f(colWide, "column wide: bytes left over", 1)
	f(colPackets, "column packets: length or index", 1, 3, 1, 2, 3, 4)
	f(colPackets, "column packets: length or index", 0, 0x80, 0x80, 0x08, 2, 3, 4, 5)
	f(colPackets, "column 13 has 5 bytes for 1 elements of at least 6", 0, 3, 1, 2, 3)

	good[colScale] = []byte{1, byte(scaleFloat32)}
	good[colScaled] = nil
	f(colWide, "", 0, 0, 0x80, 0x3f)
	f(colWide, "value +Inf is not finite", 0, 0, 0x80, 0x7f)
	f(colWide, "value NaN is not finite", 0, 0, 0xc0, 0x7f)
	good[colScale] = nil
	f(colWide, "value -Inf is not finite", 0, 0, 0, 0, 0, 0, 0xf0, 0xff)
	f(colWide, "column wide: truncated", 0, 0, 0, 0)
}

// TestFrameColumns: a reader skips what a later minor version adds, and wants rising ids.
func TestFrameColumns(t *testing.T) {
	var f Frame
	text, later := rawColumn{colStrings, []byte{1, 'x'}}, rawColumn{colEnd + 7, []byte{0xff, 0xff, 0xff}}
	if err := new(FrameDecoder).Decode(rawFrame([6]uint64{1}, text, later), &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Strings) != 1 || f.Strings[0] != "x" {
		t.Errorf("strings %q, want x", f.Strings)
	}
	for _, columns := range [][]rawColumn{{later, text}, {text, text}, {{0, nil}, text}} {
		if err := new(FrameDecoder).Decode(rawFrame([6]uint64{1}, columns...), &f); err == nil {
			t.Errorf("columns %v were decoded", columns)
		}
	}
}

// TestFrameNames: a decoder remembers a bounded number of words, and none that is long.
func TestFrameNames(t *testing.T) {
	var d FrameDecoder
	for i := range 3 * maxNames {
		f := &Frame{Agent: fmt.Sprint("agent-", i), Flow: []Flow{{Tenant: strings.Repeat("x", MaxMetricLen+1+i)}}}
		head, err := d.Head(new(FrameEncoder).Append(nil, f))
		if err != nil || head.Agent != f.Agent || head.Flow[0].Tenant != f.Flow[0].Tenant {
			t.Fatal(head, err)
		}
	}
	if n := len(d.head.names); n == 0 || n > maxNames {
		t.Errorf("%d words remembered, want 1 to %d", n, maxNames)
	}
	for name := range d.head.names {
		if len(name) > MaxMetricLen {
			t.Errorf("a word of %d bytes is remembered", len(name))
		}
	}
}

// TestFrameSteadyState: a fold decodes without allocating, and ingest builds and encodes so.
func TestFrameSteadyState(t *testing.T) {
	all := fleetReadings(500, 100, 3, decimals)
	for i := range all {
		all[i].Attrs = []Attr{{"site", "x"}}
	}
	var b FrameBuilder
	var e FrameEncoder
	var d FrameDecoder
	var f Frame
	var buf []byte
	got := testing.AllocsPerRun(20, func() {
		b.Reset()
		addFleet(&b, all, 100)
		buf = e.Append(buf[:0], b.Frame())
		if err := d.Decode(buf, &f); err != nil {
			t.Error(err)
		}
	})
	if got > 1 { // a row of the ledger copies its tenant
		t.Errorf("%v allocations per frame of %d records, want at most 1", got, f.Records())
	}
}
