package aggregator

import (
	"slices"
	"testing"

	"weir/schemas"
	"weir/services/internal/fold"
)

// losing is a fold with a planted bug: it loses the frame with the given
// sequence without a word.
type losing struct {
	*Fold
	seq uint64
}

func (l losing) Apply(m fold.Message) (*fold.Results, error) {
	if m.Seq == l.seq {
		return nil, nil
	}
	return l.Fold.Apply(m)
}

// threeFrames is a journal of three frames with two, three and one records.
func threeFrames() [][]byte {
	s := &script{}
	at := int64(1_760_000_000_000 * ms)
	for i, n := range []int{2, 3, 1} {
		for k := range n {
			s.reading("d1", uint64(10*i+k), at, at, schemas.Value{Metric: "t", Value: 1})
		}
		at += 250 * ms
		s.cut(at)
	}
	return s.frames
}

func ledgerAfter(t *testing.T, f *Fold, core core, frames [][]byte, read map[int]bool) *schemas.Ledger {
	t.Helper()
	d := &door{core: core}
	d.opened(nil)
	for i, b := range frames {
		if !read[i] {
			continue
		}
		m := fold.Message{Seq: uint64(i + 1), Data: b}
		d.seen(m)
		if _, err := d.Apply(m); err != nil {
			t.Fatal(err)
		}
	}
	l := f.report(0)
	l.Flight = append(l.Flight, d.flight()...)
	return schemas.NewLedger([]schemas.AgentLedger{l})
}

var allRead = map[int]bool{0: true, 1: true, 2: true}

// TestAFrameLostByTheFoldIsUnexplained: the ledger's received is counted before
// the fold, so a frame that the fold loses shows to the record.
func TestAFrameLostByTheFoldIsUnexplained(t *testing.T) {
	f := NewFold("a001", nil)
	l := ledgerAfter(t, f, losing{f, 3}, threeFrames(), allRead)
	if l.Totals.Unexplained != 1 {
		t.Errorf("unexplained %d, want the 1 record of the last frame: %+v", l.Totals.Unexplained, l.Totals)
	}
}

// TestAFrameMissingInTheJournalIsDeclared: a hole in the frame numbers is declared with
// the number of its records, less those that are missing by number, and nothing is
// unexplained. The device numbers its readings 0, 1, [10, 11, 12,] 20.
func TestAFrameMissingInTheJournalIsDeclared(t *testing.T) {
	f := NewFold("a001", nil)
	l := ledgerAfter(t, f, f, threeFrames(), map[int]bool{0: true, 2: true})
	want := []schemas.ReasonCount{{Stage: schemas.StageAggregator, Outcome: schemas.LostDeclared, Reason: schemas.DeviceHole, N: 18}}
	if f.hole != 3 || !slices.Equal(l.Reasons, want) || l.Totals.Unexplained != 0 {
		t.Errorf("hole of %d records, want 3; declared %+v, want %+v; %+v", f.hole, l.Reasons, want, l.Totals)
	}
}

// TestAHoleWithoutNumbersIsDeclared: of a device that does not number its readings the
// hole alone tells.
func TestAHoleWithoutNumbersIsDeclared(t *testing.T) {
	h := newHoled()
	at := int64(1_760_000_000_000 * ms)
	for i, keep := range []bool{true, false, true} {
		h.end(at+int64(i)*250*ms, 2+i, keep)
	}
	f := NewFold("a001", nil)
	l := ledgerAfter(t, f, f, h.kept, map[int]bool{0: true, 1: true})
	if l.Totals.LostDeclared != 3 || l.Totals.Unexplained != 0 || l.Totals.Received != 6 {
		t.Errorf("%+v, %+v", l.Totals, l.Reasons)
	}
}

// TestWithoutALossTheLedgerCloses is the other half of the two above.
func TestWithoutALossTheLedgerCloses(t *testing.T) {
	f := NewFold("a001", nil)
	l := ledgerAfter(t, f, f, threeFrames(), allRead)
	want := schemas.Account{Received: 6, Counted: 0, InFlight: 6}
	want.LostDeclared = l.Totals.LostDeclared // the numbers jump between the frames
	if l.Totals != want {
		t.Errorf("got %+v, want %+v", l.Totals, want)
	}
}

// TestADamagedFrameStopsNobody: a journal message that cannot be decoded is a
// hole, declared with its records; what comes after it is counted.
func TestADamagedFrameStopsNobody(t *testing.T) {
	frames := threeFrames()
	frames[1] = []byte{frames[1][0], 0xc1, 0xff}
	f := NewFold("a001", nil)
	l := ledgerAfter(t, f, f, frames, allRead)
	if f.hole != 3 || l.Totals.Received != 3 || l.Totals.Unexplained != 0 {
		t.Errorf("hole of %d records, want 3: %+v", f.hole, l.Totals)
	}
	frames[1][0] = schemas.FrameVersion + 1
	if _, err := NewFold("a001", nil).Apply(fold.Message{Seq: 1, Data: frames[1]}); err == nil {
		t.Error("a frame of a newer version must stop the fold, not be skipped")
	}
}
