package aggregator

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/fold"
)

// script builds the frames of one agent, one after the other.
type script struct {
	b       schemas.FrameBuilder
	enc     schemas.FrameEncoder
	n       uint64
	arrived uint64
	numbers uint64
	frames  [][]byte
}

const ms = 1_000_000

func (s *script) reading(device string, seq uint64, at, ingest int64, values ...schemas.Value) {
	s.b.Add("acme", device, &schemas.Reading{Boot: "b1", Seq: seq, Numbered: true, EventTime: at, IngestTime: ingest, Values: values})
	s.b.AddFlow("acme", schemas.Metrics, "", "", uint64(len(values)))
}

func (s *script) reject(why schemas.Reason, n uint64) {
	s.b.AddFlow("acme", schemas.Metrics, "", "", n)
	s.b.AddFlow("acme", schemas.Metrics, schemas.Rejected, why, n)
}

// cut ends the frame with a tick at agent time now.
func (s *script) cut(now int64) { s.cutAt(now, true) }

// cutAt ends the frame, with a tick or without.
func (s *script) cutAt(now int64, tick bool) {
	s.n++
	f := s.b.Frame()
	f.Agent, f.N, f.ArrivedBefore, f.NumberedBefore = "a001", s.n, s.arrived, s.numbers
	f.HasTick, f.Tick = tick, schemas.Tick{Time: now, Wall: now}
	s.arrived, s.numbers = s.arrived+f.Arrived(), s.numbers+f.Numbered()
	s.frames = append(s.frames, s.enc.Append(nil, f))
	s.b.Reset()
}

// play folds frames from index i on and returns the encoded commits.
func play(t testing.TB, f *Fold, frames [][]byte, i int, from *position) [][]byte {
	t.Helper()
	var out [][]byte
	var enc schemas.CommitEncoder
	for ; i < len(frames); i++ {
		m := fold.Message{Subject: schemas.Journal("a001"), Seq: uint64(i + 1), Data: frames[i]}
		r, err := f.Apply(m)
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if r == nil {
			continue
		}
		for _, c := range fold.Entries("a001", from.n, m, r, 4096) {
			out = append(out, enc.Append(nil, c))
			from.n = c.N
		}
	}
	return out
}

type position struct{ n uint64 }

// randomScript is a journal with several devices, disorder, repeats, late and
// far late records, silence and rejects.
func randomScript(t *rapid.T) *script {
	s := &script{}
	start := int64(1_760_000_000_000 * ms)
	now := start
	next := map[string]uint64{}
	for range rapid.IntRange(5, 120).Draw(t, "frames") {
		now += rapid.SampledFrom([]int64{100, 250, 250, 1000, 9000}).Draw(t, "step") * ms
		for range rapid.IntRange(0, 6).Draw(t, "readings") {
			d := fmt.Sprintf("d%d", rapid.IntRange(1, 4).Draw(t, "device"))
			seq := next[d]
			if rapid.IntRange(0, 9).Draw(t, "repeat") == 0 && seq > 0 {
				seq = uint64(rapid.IntRange(0, int(seq)-1).Draw(t, "seq"))
			} else {
				next[d]++
			}
			back := rapid.SampledFrom([]int64{0, 0, 0, 10, 400, 5000, 40000, 100000, 4000000}).Draw(t, "back")
			v := float64(rapid.IntRange(-4096, 4096).Draw(t, "value")) / 1024
			s.reading(d, seq, now-back*ms, now, schemas.Value{Metric: "temp", Value: v})
		}
		if rapid.IntRange(0, 20).Draw(t, "reject") == 0 {
			s.reject(schemas.Undecodable, 1)
		}
		s.cut(now)
	}
	return s
}

// TestSameCommitsFromAnyCheckpoint: the same journal gives the same commits,
// byte for byte, from any checkpoint.
func TestSameCommitsFromAnyCheckpoint(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := randomScript(rt)
		whole := play(t, NewFold("a001", nil), s.frames, 0, &position{})

		cut := rapid.IntRange(0, len(s.frames)).Draw(rt, "checkpoint")
		f, at := NewFold("a001", nil), &position{}
		first := play(t, f, s.frames[:cut], 0, at)
		state := f.Append(nil)
		g := NewFold("a001", nil)
		if err := g.Restore(state); err != nil {
			rt.Fatalf("restore: %v", err)
		}
		if again := g.Append(nil); !bytes.Equal(state, again) {
			rt.Fatalf("restored state of %d bytes is written as %d other bytes", len(state), len(again))
		}
		second := play(t, g, s.frames, cut, at)
		got := append(first, second...)
		if len(got) != len(whole) {
			rt.Fatalf("%d commits with a checkpoint after frame %d, %d without", len(got), cut, len(whole))
		}
		for i := range whole {
			if !bytes.Equal(got[i], whole[i]) {
				rt.Fatalf("commit %d differs after a checkpoint at frame %d", i+1, cut)
			}
		}
	})
}

// TestHugeValuesStayReadable: sums of values at the end of the range of float64
// do not make a commit that nobody can read.
func TestHugeValuesStayReadable(t *testing.T) {
	s := &script{}
	start := int64(1_760_000_000_000 * ms)
	for i := range 40 {
		at := start + int64(i)*1000*ms
		back := int64(0)
		if i > 30 {
			back = 7200_000 * ms // late
		}
		s.reading("d1", uint64(i), at-back, at, schemas.Value{Metric: "t", Value: 1.7e308})
		s.cut(at)
		s.cut(at + 500*ms)
	}
	for i := range 100 {
		s.cut(start + int64(40+i)*1000*ms)
	}
	for _, b := range play(t, NewFold("a001", nil), s.frames, 0, &position{}) {
		if _, err := new(schemas.CommitDecoder).Decode(b, schemas.WithAll); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLedgerClosesAndWindowsHoldWhatIsCounted: every record that arrives is in
// one outcome, and the windows hold exactly the counted ones.
func TestLedgerClosesAndWindowsHoldWhatIsCounted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := randomScript(rt)
		end := int64(1_760_000_000_000*ms) + 3600_000*ms
		for range 10 {
			end += 10_000 * ms
			s.cut(end)
		}
		f := NewFold("a001", nil)
		latest := map[string]schemas.Window{}
		for _, b := range play(t, f, s.frames, 0, &position{}) {
			var d schemas.CommitDecoder
			c, err := d.Decode(b, schemas.WithAll)
			if err != nil {
				rt.Fatal(err)
			}
			for _, w := range c.Windows {
				latest[fmt.Sprint(w.View, w.Key, w.Start, w.FirstN)] = w
			}
		}
		counts := map[string]uint64{}
		for _, w := range latest {
			counts[w.View] += w.Count
		}
		l := schemas.NewLedger([]schemas.AgentLedger{{Agent: "a001", Rows: f.rows()}})
		if l.Totals.Unexplained != 0 || l.Totals.Received != s.arrived {
			rt.Fatalf("ledger does not close: %+v, %d arrived", l.Totals, s.arrived)
		}
		if counts["device"] != l.Totals.Counted || counts[schemas.LateView("device")] != f.tenant("acme").late {
			rt.Fatalf("windows hold %v, ledger says %+v", counts, l.Totals)
		}
	})
}
