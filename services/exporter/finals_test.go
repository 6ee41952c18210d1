package exporter

import (
	"fmt"
	"math"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"
	"pgregory.net/rapid"

	"weir/pkg/sketch"
	"weir/schemas"
	"weir/services/internal/fold"
)

const second = 1_000_000_000

var fleetDims = []string{"class", "metric"}

// window is a revision with values.
func window(t tester, class string, start int64, firstN uint64, revision uint32, timing schemas.Timing, values ...float64) schemas.Window {
	t.Helper()
	w := schemas.Window{
		View: "fleet", Dims: fleetDims, Key: schemas.Key{Tenant: "demo", Values: []string{class, "temp"}},
		Start: start, End: start + 10*second, Contributor: "center/0", Epoch: schemas.Epoch{1}, FirstN: firstN, Revision: revision, Timing: timing,
		Count: uint64(len(values)), Min: math.Inf(1), Max: math.Inf(-1),
	}
	var s sketch.Sketch
	for _, v := range values {
		s.Add(v)
		w.Min, w.Max = min(w.Min, v), max(w.Max, v)
		w.Exemplars = w.Exemplars.Add(schemas.Exemplar{Time: start, Value: v, TraceID: schemas.TraceID{Trace: [16]byte{byte(int(v) % 16)}, Span: [8]byte{1}}})
	}
	w.Sum = s.Sum()
	var err error
	if w.Sketch, err = s.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	return w
}

// center is a producer that keeps the contract of gateways: it revises parts, says
// how far it is final, holds back what is open behind that, and counts what it emits.
type center struct {
	t       tester
	n       uint64
	through int64
	emitted uint64
	open    []*opened
	entries [][]byte
	values  map[int64][]float64 // by start of the window: what was emitted in all
	enc     schemas.CommitEncoder
}

type opened struct {
	schemas.Window
	values []float64
	held   bool
}

// commit writes one entry: changes gives values to open or new windows by start, ends
// makes explicit finals of held ones, through moves final_through.
func (c *center) commit(changes map[int64][]float64, through int64, finish bool) {
	c.n++
	e := &schemas.Commit{
		Producer: "center/0", Epoch: schemas.Epoch{1}, N: c.n, RunFirst: c.n, End: true,
		InFirst: c.n, InLast: c.n, Time: int64(c.n) * second, Wall: int64(c.n) * second,
	}
	c.through = max(c.through, through)
	touched := map[*opened]bool{}
	for start, values := range changes {
		p := c.at(start)
		p.values = append(p.values, values...)
		c.values[start] = append(c.values[start], values...)
		c.emitted += uint64(len(values))
		touched[p] = true
	}
	var left []*opened
	for _, p := range c.open {
		timing := schemas.OnTime
		switch passed := p.End <= c.through; {
		case p.held && finish:
			timing, touched[p] = schemas.FinalTiming, true
		case passed && !p.held && !touched[p]:
			continue // final by final_through
		case passed:
			p.held = true
			left = append(left, p)
		default:
			left = append(left, p)
		}
		if touched[p] {
			p.Revision++
			e.Local = append(e.Local, window(c.t, "pump", p.Start, p.FirstN, p.Revision, timing, p.values...))
		}
	}
	c.open = left
	e.Views = []schemas.Progress{{View: "fleet", Size: 10 * second, Uplink: schemas.TierCenter, OnTimeThrough: c.through, FinalThrough: c.through, Emitted: c.emitted}}
	e.Logs = []schemas.PassedLog{{ID: c.n, Agent: "a1", Region: "north", Tenant: "t", Device: "pump", Data: oneLog(fmt.Sprint("entry ", c.n))}}
	e.Totals = []schemas.Total{{Tenant: "t", Signal: schemas.Logs, Stage: schemas.StageGateway, Outcome: schemas.Passed, N: uint64(len(c.entries)) + 1}}
	c.entries = append(c.entries, c.enc.Append(nil, e))
}

// oneLog is a log record as a commit has it.
func oneLog(body string) []byte {
	ld := plog.NewLogs()
	r := ld.ResourceLogs().AppendEmpty()
	r.Resource().Attributes().PutStr("service.name", "shop")
	r.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(body)
	data, _ := new(plog.ProtoMarshaler).MarshalLogs(ld) // never fails
	return data
}

func (c *center) at(start int64) *opened {
	for _, p := range c.open {
		if p.Start == start {
			return p
		}
	}
	p := &opened{}
	p.Start, p.End, p.FirstN = start, start+10*second, c.n
	c.open = append(c.open, p)
	return p
}

func newCenter(t tester) *center {
	return &center{t: t, through: math.MinInt64, values: map[int64][]float64{}}
}

// drawn is a center with a history.
func drawn(t *rapid.T) *center {
	c := newCenter(t)
	newest, distinct := int64(0), 0.0
	for range rapid.IntRange(1, 30).Draw(t, "commits") {
		changes := map[int64][]float64{}
		for range rapid.IntRange(0, 3).Draw(t, "windows") {
			start := (newest + int64(rapid.IntRange(-4, 2).Draw(t, "window"))) * 10 * second
			for _, v := range rapid.SliceOfN(rapid.Float64Range(-50, 50), 1, 12).Draw(t, "values") {
				distinct += 0x1p-20
				changes[start] = append(changes[start], v+distinct)
			}
		}
		newest += int64(rapid.IntRange(0, 1).Draw(t, "step"))
		c.commit(changes, (newest-2)*10*second, rapid.Bool().Draw(t, "finish"))
	}
	c.commit(nil, math.MaxInt64/2, true) // what is held is put out again …
	c.commit(nil, math.MaxInt64/2, true) // … and ends
	return c
}

// tester is a test, or one try of rapid.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

const subject = "weir.outbox.center.0.commit"

var all = choice{want: func(_ string, ends bool) bool { return ends }, counter: func(string) bool { return false }}

// read gives entries to a core as messages from sequence 1 on; those in missing are left out.
func read(t tester, c *core, entries [][]byte, missing func(i int) bool) batch {
	t.Helper()
	var b batch
	for i, data := range entries {
		if missing != nil && missing(i) {
			continue
		}
		if err := c.apply(&b, subject, uint64(i+1), data); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// TestEveryRecordOnce: however windows are revised, held and amended, the points hold what was emitted, once.
func TestEveryRecordOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawn(t)
		form := all
		form.delta = rapid.Bool().Draw(t, "delta")
		k := newCore(form, 0)
		b := read(t, k, c.entries, nil)
		var records uint64
		got := map[int64]*sketch.Sketch{}
		last := int64(math.MinInt64)
		for _, p := range b.points {
			records += p.records
			if !form.delta {
				if p.time <= last {
					t.Fatalf("point at %d after one at %d", p.time, last)
				}
				last = p.time
				continue
			}
			if got[p.start] == nil {
				got[p.start] = new(sketch.Sketch)
			}
			got[p.start].Merge(p.sketch)
		}
		if records != c.emitted || k.ledger.Shown != c.emitted || k.ledger.Off != 0 || k.ledger.Shed != 0 || k.open() != 0 {
			t.Fatalf("%d records in points, emitted %d; %+v; %d open", records, c.emitted, k.ledger, k.open())
		}
		if form.delta {
			for start, values := range c.values {
				sameBuckets(t, fmt.Sprint("window ", start), got[start], values)
			}
			return
		}
		var whole []float64
		for _, values := range c.values {
			whole = append(whole, values...)
		}
		if len(whole) > 0 {
			sameBuckets(t, "sum", b.points[len(b.points)-1].sketch, whole)
		}
	})
}

func sameBuckets(t tester, what string, got *sketch.Sketch, values []float64) {
	var want sketch.Sketch
	for _, v := range values {
		want.Add(v)
	}
	g, w := got.Native(), want.Native()
	if g.Count != w.Count || g.ZeroCount != w.ZeroCount || fmt.Sprint(g.Positive, g.Negative) != fmt.Sprint(w.Positive, w.Negative) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, g, w)
	}
}

// TestWhatIsMissingIsShed: of entries that have fallen out of the outbox every record is accounted for.
func TestWhatIsMissingIsShed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawn(t)
		from := rapid.IntRange(1, len(c.entries)-1).Draw(t, "from")
		to := rapid.IntRange(from, len(c.entries)-1).Draw(t, "to")
		k := newCore(all, 0)
		read(t, k, c.entries, func(i int) bool { return i >= from && i < to })
		var inOpen uint64
		for _, s := range k.sources {
			for _, m := range s.marks {
				inOpen += uint64(m.debt)
			}
			for _, p := range s.open {
				inOpen += p.Count
			}
		}
		if sum := k.ledger.Shown + k.ledger.Shed + inOpen; sum != c.emitted || k.ledger.Off != 0 {
			t.Fatalf("%d of %d: %+v, %d open", sum, c.emitted, k.ledger, inOpen)
		}
	})
}

// TestFull: parts that find no room are shed to the record.
func TestFull(t *testing.T) {
	c := newCenter(t)
	c.commit(map[int64][]float64{0: {1}, 10 * second: {2, 3}}, math.MinInt64, false)
	c.commit(map[int64][]float64{0: {4}, 10 * second: {5}}, math.MinInt64, false)
	c.commit(nil, 100*second, false)
	s := newSource("center/0")
	var dec schemas.CommitDecoder
	var finals, shed uint64
	for _, data := range c.entries {
		e, err := dec.Decode(data, schemas.WithLocal|schemas.WithWindows|schemas.WithLogs)
		if err != nil {
			t.Fatal(err)
		}
		took := s.apply(e, all.want, func() bool { return len(s.open) >= 1 })
		for _, f := range took.finals {
			finals += f.Count
		}
		shed += took.shed
		if took.off != 0 {
			t.Errorf("%d off", took.off)
		}
	}
	if finals+shed != c.emitted || shed == 0 {
		t.Errorf("%d final and %d shed of %d", finals, shed, c.emitted)
	}
}

// TestStateIsWhole: a core that was stopped anywhere and restored makes the same points as one that was not.
func TestStateIsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawn(t)
		at := rapid.IntRange(0, len(c.entries)).Draw(t, "at")
		whole := newCore(all, 0)
		want := read(t, whole, c.entries, nil)
		first := newCore(all, 0)
		got := read(t, first, c.entries[:at], nil)
		again := newCore(all, 0)
		if err := again.restore(first.append(nil)); err != nil {
			t.Fatal(err)
		}
		for i := at; i < len(c.entries); i++ {
			if err := again.apply(&got, subject, uint64(i+1), c.entries[i]); err != nil {
				t.Fatal(err)
			}
		}
		if again.ledger != whole.ledger {
			t.Fatalf("ledger %+v, want %+v", again.ledger, whole.ledger)
		}
		a, _ := writeRequest(want.points, false)
		b, _ := writeRequest(got.points, false)
		if string(a) != string(b) {
			t.Fatalf("points differ after a restart at %d", at)
		}
	})
}

// What was open before parts had exemplars is read.
func TestPartWithoutExemplars(t *testing.T) {
	p := &part{final: final{Window: window(t, "a", 0, 1, 1, schemas.OnTime, 1, 2)}}
	p.Exemplars = nil
	state := p.append(nil, true)
	r := fold.StateReader{B: state[:len(state)-1]}
	got, fresh := readPart(&r, p.producer, 1)
	if err := r.Done(); err != nil || !fresh || string(got.append(nil, true)) != string(state) {
		t.Errorf("%v: read %+v", err, got)
	}
}

func TestStateRefuses(t *testing.T) {
	c := newCenter(t)
	c.commit(map[int64][]float64{0: {1, 2, 3}}, math.MinInt64, false)
	c.commit(map[int64][]float64{10 * second: {1}}, 10*second, false)
	k := newCore(all, 0)
	read(t, k, c.entries, nil)
	state := k.append(nil)
	for n := range state {
		if newCore(all, 0).restore(state[:n]) == nil {
			t.Fatalf("a state cut at %d of %d is taken", n, len(state))
		}
	}
}

// TestGapInWhatWasSent: sums of which a part is lost begin anew rather than fall.
func TestGapInWhatWasSent(t *testing.T) {
	c := newCenter(t)
	for i := range int64(8) {
		c.commit(map[int64][]float64{i * 10 * second: {1}}, (i-1)*10*second, false)
	}
	k := newCore(all, 0)
	k.sent = 6
	b := read(t, k, c.entries, func(i int) bool { return i == 4 })
	if k.resets != 1 || k.ledger.Shed != 0 {
		t.Errorf("%d resets, %+v", k.resets, k.ledger)
	}
	if p := b.points[len(b.points)-1]; p.start == 0 {
		t.Errorf("the sum still claims to begin at 0: %+v", p)
	}
}
