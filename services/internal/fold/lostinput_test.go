package fold

import (
	"testing"
	"time"

	"weir/schemas"
)

// TestLostInput: a power cut took the end of the journal but not the commits
// made from it, and the sequences are given to other messages.
func TestLostInput(t *testing.T) {
	s := setup{kind: &adder{every: 2, keys: 3, sketch: 100}, size: 300}
	f := func(name string, kept int, saved bool) {
		bubble(t, name, func(t *testing.T, srv *server) {
			l := s.start(srv)
			srv.feed(upTo(8)[:3]...) // commits at 2, 4, 6, 8; windows of two revisions each
			if saved {
				_ = l.stop()
				l = s.start(srv)
			}
			srv.feed(upTo(8)[3:]...)
			if saved {
				_ = l.stop()
			} else {
				l.crash()
			}
			written := entriesOf(t, srv)
			srv.loseEnd(schemas.StreamJournal, uint64(kept))
			l = s.start(srv)
			more := []uint64{101, 102, 103, 104, 105, 106}
			srv.feed(more...)
			later(time.Second)
			if err := l.stop(); err != nil {
				t.Fatal(err)
			}
			all := entriesOf(t, srv)
			if l.stage().Mismatches() != 1 {
				t.Errorf("%d mismatches, want the one where the inputs part", l.stage().Mismatches())
			}
			checkStanding(t, written, all)
			last := all[len(all)-1]
			if !last.End || last.InLast != uint64((kept+len(more))/2*2) || last.Totals[0].N != last.InLast {
				t.Errorf("the newest entry covers the input up to %d: %d messages", last.InLast, last.Totals[0].N)
			}
		})
	}
	f("in the middle of the commits", 5, false)
	f("right behind a commit", 4, false)
	f("all of it", 0, false)
	f("behind a checkpoint that includes what was lost", 4, true)
}

// checkStanding: entries that were written are as they were, numbers stay
// dense, and no window has more than one part.
func checkStanding(t *testing.T, written, all []*schemas.Commit) {
	t.Helper()
	parts := map[string]uint64{}
	for i, c := range all {
		if c.N != uint64(i+1) {
			t.Fatalf("entry %d has number %d", i+1, c.N)
		}
		if i < len(written) && (c.Digest != written[i].Digest || c.InHash != written[i].InHash) {
			t.Errorf("entry %d is not the one that was written", c.N)
		}
		for _, list := range [...][]schemas.Window{c.Windows, c.Local} {
			for k := range list {
				name := windowName(&list[k])
				if was := parts[name]; was != 0 && was != list[k].FirstN {
					t.Errorf("entry %d: window %q has parts %d and %d", c.N, name, was, list[k].FirstN)
				}
				parts[name] = list[k].FirstN
			}
		}
	}
	if len(all) == len(written) {
		t.Error("nothing was written after the loss")
	}
}
