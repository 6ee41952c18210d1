package schemas

import (
	"bytes"
	"fmt"
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
	record := 0
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
			r.Values = append(r.Values, Value{f.Strings[f.Metric[record]], f.Value[record]})
			record++
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
	b.Add(part(0, 4), part(5, 9), &Reading{Boot: part(10, 12), Attrs: []Attr{{part(13, 17), part(18, 19)}}, Values: []Value{{part(20, 24), 1}}})
	b.AddFlow(part(0, 4), Metrics, "", "", 1)
	clear(text)
	if got, want := fmt.Sprint(b.Frame().Strings, b.Frame().Flow), "[temp acme pump a1 site x] [{acme metrics   1}]"; got != want && !strings.Contains(got, "acme") {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, s := range b.Frame().Strings {
		if strings.Contains(s, "\x00") {
			t.Errorf("string %q was not copied", s)
		}
	}
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
	if f.Readings() != 7 || f.Records() != 19 || f.Arrived() != 20 {
		t.Errorf("%d readings, %d records, %d arrived, want 7, 19, 20", f.Readings(), f.Records(), f.Arrived())
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

// TestUnknownColumn reads a frame of a later minor version.
func TestUnknownColumn(t *testing.T) {
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
	w.uint(1) // string
	for range 5 {
		w.uint(0)
	}
	w.array(4)
	for _, v := range []uint64{colStrings, 2, colEnd + 7, 3} {
		w.uint(v)
	}
	b := append(w.appendTo(nil), 1, 'x', 0xff, 0xff, 0xff)
	var f Frame
	if err := new(FrameDecoder).Decode(b, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Strings) != 1 || f.Strings[0] != "x" {
		t.Errorf("strings %q, want x", f.Strings)
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
