package window

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// seedPanes is a state in which every field is set.
func seedPanes() *Panes[tally] {
	spec := Spec{Size: 10, Hop: 5, Lateness: 10, MaxOpen: 4, Carry: true}
	pool := NewPool[tally](4)
	var p Panes[tally]
	for i, at := range []int64{-7, 1, 2, 6, 11, 13, 24, 3, 31, 26} {
		if acc, ok := p.Accept(&spec, at, at-8, pool); ok {
			acc.add(uint64(i))
			acc.counter.Add(at, float64(i*i%7), uint64(i), at-8)
		}
		if i%3 == 2 {
			p.Advance(&spec, at+5, at+5, at, pool, func(r Revision[tally]) { r.State.FirstN, r.State.Emitted = 7, r.Acc.n })
		}
	}
	return &p
}

func seedSources() *Sources {
	s := NewSources(Config{Disorder: 5, Idle: 20, Grace: 100})
	for id := range 4 {
		s.Add(int64(id))
	}
	s.Observe(1, 100, 50)
	s.Observe(2, -3, 51)
	s.Low(60, 10)
	s.Low(61, 1000)
	return s
}

// The bytes of version 1 stay what they are: checkpoints outlive the program that wrote them. A change of format is a
// new version with files of its own.
func TestGoldenStates(t *testing.T) {
	f := func(name string, state []byte) {
		t.Helper()
		file := "testdata/" + name + ".v1.hex"
		got := hex.EncodeToString(state) + "\n"
		if *rewrite {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v\n got %swant %s", file, err, got, want)
		}
	}
	f("panes", seedPanes().AppendBinary(nil, appendTally))
	f("sources", seedSources().AppendBinary(nil))
}

// Decoding never panics, never takes memory beyond a small multiple of its input, and what it accepts it keeps exactly.
func FuzzDecodePanes(f *testing.F) {
	f.Add(seedPanes().AppendBinary(nil, appendTally))
	f.Add((&Panes[tally]{}).AppendBinary(nil, appendTally))
	f.Add([]byte{1, 3, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		pool := NewPool[tally](4)
		var p, again Panes[tally]
		rest, err := p.Decode(b, pool, decodeTally)
		if err != nil {
			if p.Open() != 0 || p.slices != nil {
				t.Fatalf("after %v the panes hold %d windows", err, p.Open())
			}
			return
		}
		first := p.AppendBinary(nil, appendTally)
		if left, err := again.Decode(first, pool, decodeTally); err != nil || len(left) != 0 {
			t.Fatalf("what was decoded from %x does not decode again: %v", b[:len(b)-len(rest)], err)
		}
		if second := again.AppendBinary(nil, appendTally); !bytes.Equal(first, second) {
			t.Fatalf("state changed by a round trip:\n%x\n%x", first, second)
		}
		spec := Spec{Size: 10, Lateness: 10}
		p.Advance(&spec, forever, forever, forever, pool, func(Revision[tally]) {})
		if p.Open() != 0 {
			t.Fatalf("%d windows are open at the end of time", p.Open())
		}
	})
}

func FuzzDecodeSources(f *testing.F) {
	f.Add(seedSources().AppendBinary(nil))
	f.Add(NewSources(Config{}).AppendBinary(nil))
	f.Add([]byte{1, 2, 2, 2, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, again Sources
		if _, err := s.Decode(b); err != nil {
			return
		}
		first := s.AppendBinary(nil)
		if left, err := again.Decode(first); err != nil || len(left) != 0 {
			t.Fatalf("what was decoded from %x does not decode again: %v", b, err)
		}
		if second := again.AppendBinary(nil); !bytes.Equal(first, second) {
			t.Fatalf("state changed by a round trip:\n%x\n%x", first, second)
		}
		before := s.Low(1e9, 1e9)
		if after := s.Low(2e9, 1e9); after < before {
			t.Fatalf("Low went back from %d to %d", before, after)
		}
		for id := range s.LeftOut(2e9, 1e9) {
			s.Watermark(id, 2e9)
		}
	})
}

func FuzzDecodeCounters(f *testing.F) {
	var c Counters
	for i := range int64(20) {
		c.Of(uint64(i%3)<<50).Add(i*i, float64(i%6)/4, uint64(i), never)
	}
	f.Add(c.AppendBinary(nil))
	f.Add([]byte{2, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var c, again Counters
		if _, err := c.Decode(b); err != nil {
			if len(c.series) != 0 || len(c.counts) != 0 {
				t.Fatalf("after %v there are %d counters", err, len(c.counts))
			}
			return
		}
		first := c.AppendBinary(nil)
		if left, err := again.Decode(first); err != nil || len(left) != 0 {
			t.Fatalf("what was decoded from %x does not decode again: %v", b, err)
		}
		if second := again.AppendBinary(nil); !bytes.Equal(first, second) {
			t.Fatalf("state changed by a round trip:\n%x\n%x", first, second)
		}
	})
}

func FuzzDecodeCounter(f *testing.F) {
	var c Counter
	for i := range int64(20) {
		c.Add(i*i, float64(i%6)/4, uint64(i), never)
	}
	c.fold(5)
	f.Add(c.AppendBinary(nil))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var c, again Counter
		if _, err := c.Decode(b); err != nil {
			return
		}
		first := c.AppendBinary(nil)
		if left, err := again.Decode(first); err != nil || len(left) != 0 {
			t.Fatalf("what was decoded from %x does not decode again: %v", b, err)
		}
		if second := again.AppendBinary(nil); !bytes.Equal(first, second) {
			t.Fatalf("state changed by a round trip:\n%x\n%x", first, second)
		}
		c.Merge(&again)
		c.Increase(&again)
	})
}

// Every prefix of a state is refused with a message that says what is missing where, and leaves things as promised.
func TestDecodeRefusesWhatIsCutOff(t *testing.T) {
	panes := seedPanes().AppendBinary(nil, appendTally)
	sources := seedSources()
	kept := sources.AppendBinary(nil)
	pool := NewPool[tally](4)
	for n := range panes {
		var p Panes[tally]
		if _, err := p.Decode(panes[:n], pool, decodeTally); err == nil || !strings.HasPrefix(err.Error(), "decode panes: byte ") {
			t.Errorf("panes cut off at %d of %d: %v", n, len(panes), err)
		}
	}
	for n := range kept {
		if _, err := sources.Decode(kept[:n]); err == nil || !strings.HasPrefix(err.Error(), "decode sources: byte ") {
			t.Errorf("sources cut off at %d of %d: %v", n, len(kept), err)
		}
	}
	if !bytes.Equal(sources.AppendBinary(nil), kept) {
		t.Error("refused states changed the sources")
	}
}

func TestDecodeNamesWhatIsWrong(t *testing.T) {
	f := func(b []byte, want string) {
		t.Helper()
		var p Panes[tally]
		if _, err := p.Decode(b, NewPool[tally](1), decodeTally); err == nil || err.Error() != want {
			t.Errorf("%v: %v, want %s", b, err, want)
		}
	}
	f([]byte{9, 0, 0, 0}, "decode panes: byte 1 of 4: version 9: this program reads version 1")
	f([]byte{1, 0, 200, 1, 0}, "decode panes: byte 4 of 5: 200 windows cannot be in 1 bytes")
	f([]byte{1, 0, 1, 20, 0, 0, 0, 0, 0, 0}, "decode panes: byte 10 of 10: 1 windows cannot share 0 slices")
	f([]byte{1, 0, 2, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "decode panes: byte 9 of 14: window end 10 is out of order or range")
	var s Sources
	if _, err := s.Decode([]byte{1, 1, 0, 0, 0, 0}); err == nil || !strings.Contains(err.Error(), "disorder -1ns") {
		t.Errorf("negative disorder: %v", err)
	}
	var c Counter
	if _, err := c.Decode([]byte{2, 20, 0, 0, 0, 1, 0, 0, 0}); err == nil || !strings.Contains(err.Error(), "sample 1 is out of order") {
		t.Errorf("samples out of order: %v", err)
	}
}
