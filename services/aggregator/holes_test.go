package aggregator

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/fold"
)

// holed is a journal of which frames are missing, and what the lost readings were.
type holed struct {
	script
	kept    [][]byte
	sent    map[string]map[uint64]bool // numbers that a device has made, by device
	seen    map[string]map[uint64]bool // those in frames that are kept
	unnamed uint64                     // records without numbers in frames that are missing
	here    []reading                  // of the frame that is being built
	lost    []reading
}

type reading struct {
	device string
	seq    uint64
}

func newHoled() *holed {
	return &holed{sent: map[string]map[uint64]bool{}, seen: map[string]map[uint64]bool{}}
}

// send puts a reading of a device into the frame.
func (h *holed) send(device string, seq uint64, at int64) {
	h.make(device, seq)
	h.reading(device, seq, at, at, schemas.Value{Metric: "t", Value: 1}, schemas.Value{Metric: "u", Value: 2})
	h.here = append(h.here, reading{device, seq})
}

// make notes a number that a device has used, whether it arrives or not.
func (h *holed) make(device string, seq uint64) {
	if h.sent[device] == nil {
		h.sent[device], h.seen[device] = map[uint64]bool{}, map[uint64]bool{}
	}
	h.sent[device][seq] = true
}

// end cuts the frame, which is kept or lost.
func (h *holed) end(at int64, plain int, keep bool) {
	for i := range plain {
		h.b.Add("acme", fmt.Sprint("plain", i), &schemas.Reading{EventTime: at, IngestTime: at, Values: []schemas.Value{{Metric: "t", Value: float64(i)}}})
		h.b.AddFlow("acme", schemas.Metrics, "", "", 1)
	}
	h.cut(at)
	if keep {
		h.kept = append(h.kept, h.frames[len(h.frames)-1])
		for _, r := range h.here {
			h.seen[r.device][r.seq] = true
		}
	} else {
		h.unnamed += uint64(plain)
		h.lost = append(h.lost, h.here...)
	}
	h.here = nil
}

// missing are the records that are lost, each once, and repeats those that were in
// missing frames and are not lost, or more than once.
func (h *holed) missing() (records, repeats uint64) {
	gone := map[reading]bool{}
	for device, sent := range h.sent {
		for seq := range sent {
			if !h.seen[device][seq] {
				gone[reading{device, seq}] = true
			}
		}
	}
	first := map[reading]bool{}
	for _, r := range h.lost {
		if !gone[r] || first[r] {
			repeats += 2
		}
		first[r] = true
	}
	return 2*uint64(len(gone)) + h.unnamed, repeats
}

// TestLostOnce: whatever frames are missing, and whatever never arrived, each lost
// record is declared once: nothing is left out, and only repeats that were in missing
// frames, which nobody can tell, are declared beyond. Devices number their readings, or
// do not; send again, out of order and late; and lose some on their way.
func TestLostOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := randomHoles(rt)
		records, repeats := h.missing()
		f := NewFold("a001", nil)
		cut := rapid.IntRange(0, len(h.kept)).Draw(rt, "restart")
		for i, b := range h.kept {
			if i == cut {
				g := NewFold("a001", nil)
				if err := g.Restore(f.Append(nil)); err != nil {
					rt.Fatal(err)
				}
				f = g
			}
			if _, err := f.Apply(fold.Message{Seq: uint64(i + 1), Data: b}); err != nil {
				rt.Fatal(err)
			}
		}
		var declared uint64
		for _, row := range f.rows() {
			if row.Outcome == schemas.LostDeclared {
				declared += row.N
			}
		}
		if declared < records || declared > records+repeats {
			rt.Fatalf("%d records are declared lost; %d are, and %d repeats were lost beside them", declared, records, repeats)
		}
	})
}

// randomHoles is a journal with holes. Every device that numbers its readings is heard
// before the first and after the last.
func randomHoles(t *rapid.T) *holed {
	h := newHoled()
	at := int64(1_760_000_000_000 * ms)
	devices := []string{"a", "b", "c"}[:rapid.IntRange(0, 3).Draw(t, "devices")]
	next := map[string]uint64{}
	all := func() {
		for _, d := range devices {
			h.send(d, next[d]+10, at)
			next[d]++
		}
		h.end(at, 1, true)
	}
	all()
	for range rapid.IntRange(1, 30).Draw(t, "frames") {
		at += 250 * ms
		for _, d := range devices {
			for range rapid.IntRange(0, 3).Draw(t, "readings") {
				n := next[d] + 10
				switch rapid.IntRange(0, 6).Draw(t, "how") {
				case 0: // again
					n -= min(next[d]-1, rapid.Uint64Range(0, 5).Draw(t, "back")) + 1
				case 1: // it never arrives
					h.make(d, n)
					next[d]++
					continue
				case 2: // the next one comes first
					h.send(d, n+1, at)
					next[d] += 2
				default:
					next[d]++
				}
				h.send(d, n, at)
			}
		}
		h.end(at, rapid.IntRange(0, 3).Draw(t, "plain"), rapid.IntRange(0, 2).Draw(t, "kept") > 0)
	}
	at += 250 * ms
	all()
	return h
}
