package simulator

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/simulator/plan"
	"weir/simulator/truth"
)

// fakeWire is a product behind a connection that a test breaks.
type fakeWire struct {
	t        *rapid.T
	device   *device
	full     bool
	broken   bool
	tenacity int64
	out      []flying // sent, not answered
	taken    *takenSet
}

// takenSet is what the product has, over all connections.
type takenSet struct {
	seqs  map[uint64]int // how often each number came
	order []uint64       // first arrivals
}

func (w *fakeWire) ready() bool     { return !w.full }
func (w *fakeWire) patience() int64 { return w.tenacity }
func (w *fakeWire) drop()           { w.broken = true }

func (w *fakeWire) prove(*buffers) (bool, error) { return true, nil }

func (w *fakeWire) send(_ *buffers, payload []byte, id uint16, again bool) error {
	if w.broken {
		return errors.New("gone")
	}
	var r struct{ Seq uint64 }
	if json.Unmarshal(payload, &r) != nil {
		r.Seq = 0 // malformed
	}
	if again && r.Seq != 0 && w.taken.seqs[r.Seq] == 0 {
		w.t.Fatalf("number %d is called a resend and was never sent", r.Seq)
	}
	if r.Seq != 0 && w.taken.seqs[r.Seq] == 0 {
		w.taken.order = append(w.taken.order, r.Seq)
	}
	w.taken.seqs[r.Seq]++
	if !slices.ContainsFunc(w.out, func(f flying) bool { return f.id == id }) {
		w.out = append(w.out, flying{id: id})
	}
	if len(w.out) > maxFlight && id != 0 {
		w.t.Fatalf("%d messages in flight", len(w.out))
	}
	return nil
}

func deviceSpec(t *rapid.T) plan.Spec {
	share := rapid.Float64Range(0, 14)
	return plan.Spec{
		Run: "a", Seed: rapid.Uint64().Draw(t, "seed"), Tenant: "sim", Devices: 3, Period: int64(50 * time.Millisecond), Batch: 1,
		Pattern: plan.Steady, Lateness: int64(2 * time.Second), Size: int64(time.Second), For: int64(3 * time.Second),
		Start: 1_763_760_000_000_000_000,
		Faults: plan.Faults{
			Late: share.Draw(t, "late"), TooLate: share.Draw(t, "too late"), Reorder: share.Draw(t, "reorder"),
			Duplicate: share.Draw(t, "duplicate"), Future: share.Draw(t, "future"), Malformed: share.Draw(t, "malformed"),
		},
	}
}

// TestQoS1ArrivesWhateverBreaks breaks connections, loses and delays answers and
// fills the way, then heals: each message must have arrived, each be known to
// have, and too late ones behind what makes them so.
func TestQoS1ArrivesWhateverBreaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := plan.New(deviceSpec(t))
		if err != nil {
			t.Fatal(err)
		}
		d := newDevice(1, 1, new(latency))
		d.begin(p)
		taken := &takenSet{seqs: map[uint64]int{}}
		var w *fakeWire
		connect := func() {
			w = &fakeWire{t: t, device: d, taken: taken, tenacity: rapid.SampledFrom([]int64{forever, int64(time.Second)}).Draw(t, "patience")}
			d.connected(w)
		}
		now := int64(0)
		b := &buffers{}
		for now < p.For {
			switch rapid.IntRange(0, 7).Draw(t, "what") {
			case 0:
				d.broken(now)
			case 1, 2:
				if d.wire == nil {
					connect()
				}
			case 3:
				if w != nil {
					w.full = !w.full
				}
			case 4, 5:
				answer(t, d, w, now)
			}
			now += rapid.Int64Range(0, int64(200*time.Millisecond)).Draw(t, "wait")
			d.pump(now, b)
		}
		heal(t, d, taken, now, b)
		checkAllArrived(t, p, d, taken)
	})
}

// answer answers a message in flight, any of them.
func answer(t *rapid.T, d *device, w *fakeWire, now int64) {
	if w == nil || len(w.out) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.out)-1).Draw(t, "which")
	id := w.out[i].id
	w.out = slices.Delete(w.out, i, i+1)
	if rapid.IntRange(0, 9).Draw(t, "busy") == 0 {
		d.later(id, now)
	} else {
		d.answered(id, 0, now)
	}
}

func heal(t *rapid.T, d *device, taken *takenSet, now int64, b *buffers) {
	d.broken(now)
	w := &fakeWire{t: t, device: d, taken: taken, tenacity: forever}
	d.connected(w)
	d.end(now)
	for range 1000 {
		if d.pump(now, b) == forever {
			return
		}
		for _, f := range w.out {
			d.answered(f.id, 0, now)
		}
		w.out = nil
		now += int64(retryDown)
	}
	t.Fatal("the device does not settle")
}

func checkAllArrived(t *rapid.T, p *plan.Plan, d *device, taken *takenSet) {
	status, tally := d.settle()
	n := p.Messages(1, p.For)
	if !status.Equal(truth.Status{Acked: truth.Set{{0, n}}}) {
		t.Fatalf("status %+v of %d messages", status, n)
	}
	if tally.messages != n || tally.records != n || tally.acknowledged != n || tally.never != 0 {
		t.Fatalf("tally %+v of %d messages", tally, n)
	}
	if tally.copiesAcked != tally.copiesSent {
		t.Fatalf("%d copies sent, %d answered", tally.copiesSent, tally.copiesAcked)
	}
	sent := int64(0)
	for _, times := range taken.seqs {
		sent += int64(times)
	}
	if sent != n+tally.copiesSent+tally.resent {
		t.Fatalf("%d sendings, the tally says %d", sent, n+tally.copiesSent+tally.resent)
	}
	for c := (plan.Cursor{Device: 1}); c.Index < n; {
		before := p.Peek(c)
		p.Next(&c)
		if m := p.Peek(c); c.Index < n && m.Fate == plan.TooLate && slices.Index(taken.order, m.Seq) < slices.Index(taken.order, before.Seq) {
			t.Fatalf("message %d came before the one that makes it too late", m.Index)
		}
	}
}

// TestQoS0SaysWhatItDidNotSend breaks the connection: what was due meanwhile is
// never sent, what was sent just before is unknown, the rest has arrived.
func TestQoS0SaysWhatItDidNotSend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := plan.New(deviceSpec(t))
		if err != nil {
			t.Fatal(err)
		}
		d := newDevice(1, 0, new(latency))
		d.begin(p)
		taken := &takenSet{seqs: map[uint64]int{}}
		b := &buffers{}
		for now := int64(0); now < p.For; now += rapid.Int64Range(1, int64(300*time.Millisecond)).Draw(t, "wait") {
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				d.broken(now)
			case 1:
				if d.wire == nil {
					d.connected(&fakeWire{t: t, device: d, taken: taken})
				}
			case 2:
				d.proved(now)
			}
			d.pump(now, b)
		}
		d.end(p.For)
		for now := p.For; d.pump(now, b) < forever; now += int64(retryFull) {
			d.proved(now)
		}
		status, tally := d.settle()
		n := p.Messages(1, p.For)
		all := status.Acked.Without(0, n)
		if got := status.Acked.Len() + status.Unknown.Len() + status.Never.Len(); got != n || all.Len() != n-status.Acked.Len() {
			t.Fatalf("status %+v of %d messages", status, n)
		}
		if tally.messages != status.Acked.Len()+status.Unknown.Len() || tally.never != status.Never.Len() {
			t.Fatalf("tally %+v, status %+v", tally, status)
		}
		for c := (plan.Cursor{Device: 1}); c.Index < n; {
			m := p.Next(&c)
			if sent := taken.seqs[m.Seq] > 0; m.Numbered() && sent == status.Never.Has(m.Index) {
				t.Fatalf("message %d: sent %v, status %+v", m.Index, sent, status)
			}
		}
	})
}
