package aggregator

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestNumbersAgainstASet: whatever the order, a number is new exactly once, and
// what is missing is what lies between the least and the greatest and was not
// seen.
func TestNumbersAgainstASet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := &numbers{}
		seen := map[uint64]bool{}
		least, most := uint64(1<<63), uint64(0)
		for range rapid.IntRange(1, 300).Draw(rt, "readings") {
			seq := rapid.Uint64Range(0, 400).Draw(rt, "seq")
			if n.add(seq, frames{}) == seen[seq] {
				rt.Fatalf("number %d: new %v, seen %v", seq, !seen[seq], seen[seq])
			}
			seen[seq] = true
			least, most = min(least, seq), max(most, seq)
			if missing := most - least + 1 - uint64(len(seen)); n.lost() != missing {
				rt.Fatalf("%d missing, want %d", n.lost(), missing)
			}
		}
	})
}

// TestUnorderedResendIsNotARepeat: a client that has hundreds of readings in
// flight and sends them again in any order after an outage loses none.
func TestUnorderedResendIsNotARepeat(t *testing.T) {
	n := &numbers{}
	order := rand.New(rand.NewPCG(1, 2)).Perm(900)
	for _, seq := range order {
		if !n.add(uint64(seq), frames{}) {
			t.Fatalf("number %d is taken for a repeat", seq)
		}
	}
	if n.lost() != 0 || len(n.seen) != 1 {
		t.Errorf("%d declared lost in %d intervals, want none in one", n.lost(), len(n.seen))
	}
}

// TestOldestGapIsClosedAndDeclared: beyond the bound the oldest gap is given up:
// it stays declared, and what comes from it is a repeat.
func TestOldestGapIsClosedAndDeclared(t *testing.T) {
	n := &numbers{}
	for i := range uint64(maxIntervals + 1) {
		n.add(2*i, frames{})
	}
	if len(n.seen) != maxIntervals || n.lost() != maxIntervals || n.add(1, frames{}) {
		t.Errorf("%d intervals, %d lost; number 1 must be a repeat", len(n.seen), n.lost())
	}
}
