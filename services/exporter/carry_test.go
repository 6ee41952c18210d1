package exporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/bus"
)

// disk is a store and a bucket that survive the process which uses them. After dieAt
// writes nothing works any more, until somebody revives it.
type disk struct {
	entries [][]byte
	kept    map[uint64]bus.Message
	next    uint64
	record  bus.Entry
	dieAt   int
	writes  int
}

var (
	errDead = errors.New("killed")
	errEnd  = errors.New("all is read")
)

func (d *disk) alive() error {
	if d.writes >= d.dieAt {
		return errDead
	}
	d.writes++
	return nil
}

func (d *disk) Read(ctx context.Context, _ string, from uint64, _ bool, handle func(bus.Message) error, _ ...string) error {
	for i := max(from, 1); i <= uint64(len(d.entries)); i++ {
		m := bus.Message{Subject: subject, Seq: i, Data: d.entries[i-1], Pending: uint64(len(d.entries)) - i}
		if i%4 == 0 {
			m.Pending = 0 // a reader that had caught up
		}
		if err := handle(m); err != nil {
			return err
		}
	}
	return errEnd
}

func (d *disk) Usage(context.Context, string, string) (bus.Usage, error) {
	return bus.Usage{FirstSeq: 1, LastSeq: uint64(len(d.entries))}, nil
}

func (d *disk) Get(_ context.Context, _ string, seq uint64) (bus.Message, error) {
	m, ok := d.kept[seq]
	if !ok {
		return m, bus.ErrNone
	}
	return m, nil
}

func (d *disk) Store(_ context.Context, subject string, data []byte) (uint64, error) {
	if err := d.alive(); err != nil {
		return 0, err
	}
	d.next++
	d.kept[d.next] = bus.Message{Subject: subject, Seq: d.next, Data: append([]byte(nil), data...)}
	return d.next, nil
}

func (d *disk) Purge(_ context.Context, _ string, below uint64) error {
	if err := d.alive(); err != nil {
		return err
	}
	for seq := range d.kept {
		if seq < below {
			delete(d.kept, seq)
		}
	}
	return nil
}

// asBucket is the record's side of a disk.
type asBucket struct{ *disk }

func (d asBucket) Get(context.Context, string) (bus.Entry, error) {
	if d.record.Revision == 0 {
		return bus.Entry{}, bus.ErrNone
	}
	return d.record, nil
}

func (d asBucket) Update(_ context.Context, _ string, value []byte, revision uint64) (uint64, error) {
	if err := d.alive(); err != nil {
		return 0, err
	}
	if revision != d.record.Revision {
		return 0, bus.ErrWrongLast
	}
	d.record = bus.Entry{Value: append([]byte(nil), value...), Revision: revision + 1}
	return d.record.Revision, nil
}

// receiver is one that stores what it gets and answers as it likes.
type receiver struct {
	t       tester
	form    otlpForm
	got     map[string]string // a point by its name and time
	records map[string]uint64
	said    map[string]bool // bodies of log records
	repeats int
	next    func() answer
	lies    func() bool // it has stored a request that it did not answer well
}

func (r *receiver) points(points []point) try {
	return func(context.Context) answer {
		a := r.next()
		if a.verdict == accepted || a.unsure && r.lies() {
			for i := range points {
				r.store(&points[i])
			}
		}
		return a
	}
}

// store notes a point. One that comes again must be what it was.
func (r *receiver) store(p *point) {
	name := fmt.Sprint(seriesID(p.series), p.time, p.start, p.amendment)
	if r.form.delta { // a window may be amended twice, and no two of them have equal sums here
		name += fmt.Sprint(p.sketch.Sum())
	}
	value := fmt.Sprintf("%v %+v", p.increase, p.sketch.Native())
	if was, known := r.got[name]; known {
		if r.repeats++; was != value {
			r.t.Fatalf("point at %d comes again with another value:\n%s\n%s", p.time, was, value)
		}
		return
	}
	r.got[name], r.records[name] = value, p.records
}

func (r *receiver) logs(all plog.Logs) try {
	return func(context.Context) answer {
		a := r.next()
		if a.verdict != accepted && (!a.unsure || !r.lies()) {
			return a
		}
		for _, res := range all.ResourceLogs().All() {
			for _, l := range res.ScopeLogs().At(0).LogRecords().All() {
				if r.said == nil {
					r.said = map[string]bool{}
				}
				r.said[l.Body().Str()] = true
			}
		}
		return a
	}
}
func (r *receiver) close() {}

// fastClock passes as soon as somebody waits.
func fastClock() clock {
	now := int64(0)
	return clock{
		now:   func() int64 { return now },
		sleep: func(_ context.Context, d time.Duration) bool { now += int64(d) + 1; return true },
	}
}

func carrierOf(d *disk, to sender, c choice) *carrier {
	return &carrier{
		cfg: schemas.Exporter{Name: "x", Timeout: schemas.Duration(time.Second)}, tier: schemas.TierCenter, choice: c,
		store: d, keep: newKeeper(d, asBucket{d}, schemas.TierCenter, "x"), send: to, log: slog.New(slog.DiscardHandler), brk: newBreaker(time.Second),
		clock: fastClock(),
	}
}

// TestKilledAnywhere: whatever the receiver answers, and wherever the exporter is killed, every record arrives, and what
// comes twice is the same to the bit or counted.
func TestKilledAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawn(t)
		form := all
		form.delta, form.logs = rapid.Bool().Draw(t, "delta"), true
		to := &receiver{
			t: t, form: otlpForm{delta: form.delta}, got: map[string]string{}, records: map[string]uint64{},
			next: func() answer {
				return rapid.SampledFrom([]answer{{}, {}, {}, {verdict: again, why: "busy"}, {verdict: again, unsure: true, why: "no answer"}}).Draw(t, "answer")
			},
			lies: func() bool { return rapid.Bool().Draw(t, "stored") },
		}
		d := &disk{kept: map[uint64]bus.Message{}, dieAt: 1000}
		first := carrierOf(d, to, form)
		if err := first.life(t.Context()); !errors.Is(err, errEnd) { // it begins before there is anything
			t.Fatal(err)
		}
		d.entries = c.entries
		var last *carrier
		for kills := rapid.IntRange(0, 6).Draw(t, "kills"); kills >= 0; kills-- {
			d.writes, d.dieAt = 0, 1000
			if kills > 0 {
				d.dieAt = rapid.IntRange(1, 12).Draw(t, "dies at")
			}
			last = carrierOf(d, to, form)
			if err := last.life(t.Context()); err == nil || kills == 0 && !errors.Is(err, errEnd) {
				t.Fatal(err)
			}
		}
		var records uint64
		for _, n := range to.records {
			records += n
		}
		if records != c.emitted {
			t.Fatalf("%d of %d records arrived", records, c.emitted)
		}
		if len(to.said) != len(c.entries) || last.rec.LogsRejected != 0 {
			t.Fatalf("%d of %d log records arrived, %d rejected", len(to.said), len(c.entries), last.rec.LogsRejected)
		}
		if l := last.core.ledger; l.Shown != c.emitted || l.Off != 0 || last.rec.Resets != 0 {
			t.Fatalf("ledger %+v, %d resets; emitted %d", l, last.rec.Resets, c.emitted)
		}
		if to.repeats > 0 && last.rec.Repeated == 0 { // a kill may take the count of repeats before the last
			t.Fatalf("%d points came again, and none is counted", to.repeats)
		}
	})
}

// TestRefusedOnesAreLeft: of a request that is refused only what the receiver cannot take is lost, and counted.
func TestRefusedOnesAreLeft(t *testing.T) {
	c := newCenter(t)
	for i := range int64(9) {
		c.commit(map[int64][]float64{i * 10 * second: {float64(i)}}, (i-1)*10*second, false)
	}
	form := all
	form.delta = true
	d := &disk{kept: map[uint64]bus.Message{}, dieAt: 1000}
	to := &receiver{t: t, form: otlpForm{delta: true}, got: map[string]string{}, records: map[string]uint64{}, next: func() answer { return answer{} }}
	bad := picky{to}
	k := carrierOf(d, bad, form)
	if err := k.life(t.Context()); !errors.Is(err, errEnd) {
		t.Fatal(err)
	}
	d.entries = c.entries
	k = carrierOf(d, bad, form)
	if err := k.life(t.Context()); !errors.Is(err, errEnd) {
		t.Fatal(err)
	}
	if k.rec.Rejected != 1 || k.rec.Points != uint64(len(to.got)) || len(to.got) < 5 {
		t.Errorf("%d rejected, %d accepted, %d there", k.rec.Rejected, k.rec.Points, len(to.got))
	}
}

// picky refuses each request that holds the window that starts at 20 s.
type picky struct{ *receiver }

func (p picky) points(points []point) try {
	for i := range points {
		if points[i].start == 20*second {
			return func(context.Context) answer { return answer{verdict: refused, why: "bad point"} }
		}
	}
	return p.receiver.points(points)
}

// TestNoRoom: a receiver that takes a few points at a time, and none for a while, gets all of them.
func TestNoRoom(t *testing.T) {
	c := newCenter(t)
	for i := range int64(9) {
		c.commit(map[int64][]float64{i * 10 * second: {float64(i)}}, (i-1)*10*second, false)
	}
	d := &disk{kept: map[uint64]bus.Message{}, dieAt: 1000}
	full := 30
	to := &receiver{t: t, got: map[string]string{}, records: map[string]uint64{}, next: func() answer { return answer{} }}
	tight := cramped{to, &full}
	for _, entries := range [][][]byte{nil, c.entries} {
		d.entries = entries
		if err := carrierOf(d, tight, all).life(t.Context()); !errors.Is(err, errEnd) {
			t.Fatal(err)
		}
	}
	var records uint64
	for _, n := range to.records {
		records += n
	}
	if records != 7 { // the last two windows are not final
		t.Errorf("%d records arrived", records)
	}
}

// cramped takes nothing full times, then two points at a time.
type cramped struct {
	*receiver
	full *int
}

func (r cramped) points(points []point) try {
	return func(ctx context.Context) answer {
		if *r.full--; *r.full > 0 || len(points) > 2 {
			return answer{verdict: tooLarge, why: "no room"}
		}
		return r.receiver.points(points)(ctx)
	}
}
