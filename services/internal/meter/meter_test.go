package meter_test

import (
	"testing"

	"pgregory.net/rapid"

	"weir/services/internal/bus"
	"weir/services/internal/meter"
)

func TestWhatWasThereBefore(t *testing.T) {
	m := meter.New(bus.Usage{Bytes: 1000, Messages: 10, LastSeq: 50, Subjects: map[string]uint64{"a": 7, "b": 3}})
	m.Purged(50)
	if a, b := m.Bytes("a"), m.Bytes("b"); a != 700 || b != 300 {
		t.Errorf("a takes %d and b %d of 1000 bytes", a, b)
	}
	m.Purged(51)
	if a, b := m.Bytes("a"), m.Bytes("b"); a != 0 || b != 0 {
		t.Errorf("a takes %d and b %d of nothing", a, b)
	}
}

func TestEmptyStream(t *testing.T) {
	if n := meter.New(bus.Usage{}).Bytes("a"); n != 0 {
		t.Errorf("%d bytes", n)
	}
}

// TestLikeAList compares with a plain list of what is stored.
func TestLikeAList(t *testing.T) {
	type stored struct {
		subject string
		seq     uint64
		bytes   int64
	}
	const perMessage = 64
	rapid.Check(t, func(t *rapid.T) {
		m := meter.New(bus.Usage{})
		var list []stored
		seq, first := uint64(0), uint64(0)
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "purge") {
				first = rapid.Uint64Range(first, seq+1).Draw(t, "first")
				m.Purged(first)
			} else {
				seq++
				s := stored{rapid.SampledFrom([]string{"a", "b"}).Draw(t, "subject"), seq, rapid.Int64Range(0, 9).Draw(t, "bytes")}
				list = append(list, s)
				m.Stored(s.subject, s.seq, int(s.bytes))
			}
			want := map[string]int64{}
			for _, s := range list {
				if s.seq >= first {
					want[s.subject] += s.bytes + perMessage
				}
			}
			for _, subject := range []string{"a", "b"} {
				if got := m.Bytes(subject); got != want[subject] {
					t.Fatalf("%s takes %d bytes, want %d", subject, got, want[subject])
				}
			}
		}
	})
}
