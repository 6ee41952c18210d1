package fold

import (
	"errors"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// TestLostInput: a power cut took the end of the journal but not the commits
// made from it, and the sequences are given to other messages.
func TestLostInput(t *testing.T) {
	lostInput{kept: 5}.check(t, "in the middle of the commits")
	lostInput{kept: 4}.check(t, "right behind a commit")
	lostInput{kept: 0}.check(t, "all of it")
	lostInput{kept: 4, saved: true}.check(t, "behind a checkpoint that includes what was lost")
	lostInput{kept: 4, saved: true, refilled: true}.check(t, "and other messages have the sequences")
	lostInput{kept: 5, forwarded: true}.check(t, "and the region has taken the commits")
}

type lostInput struct {
	kept      int  // messages that the journal still holds, of eight
	saved     bool // there are checkpoints at 3 and 8
	refilled  bool // others were written before the stage opens
	forwarded bool // only the newest commit is still in the outbox
}

var pairs = setup{kind: &adder{every: 2, keys: 3, sketch: 100}, size: 300} // commits at 2, 4, 6, 8; two revisions of each window

func (c lostInput) check(t *testing.T, name string) {
	bubble(t, name, func(t *testing.T, srv *server) {
		c.before(srv)
		if c.forwarded {
			srv.remove(schemas.StreamAgentOutbox, func(m bus.Message) bool { return m.Seq < 7 })
		}
		written := entriesOf(t, srv)
		srv.loseEnd(schemas.StreamJournal, uint64(c.kept))
		more := []uint64{101, 102, 103, 104, 105, 106}
		if c.refilled {
			srv.feed(more...)
		}
		l := pairs.start(srv)
		if !c.refilled {
			srv.feed(more...)
		}
		later(time.Second)
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
		if l.stage().Mismatches() != 1 {
			t.Errorf("%d mismatches, want the one where the inputs part", l.stage().Mismatches())
		}
		all := entriesOf(t, srv)
		checkStanding(t, written, all)
		last := all[len(all)-1]
		if !last.End || last.InLast != uint64((c.kept+len(more))/2*2) || last.Totals[0].N != last.InLast {
			t.Errorf("the newest entry covers the input up to %d: %d messages", last.InLast, last.Totals[0].N)
		}
	})
}

// before is what happened before the power cut.
func (c lostInput) before(srv *server) {
	l := pairs.start(srv)
	srv.feed(upTo(8)[:3]...)
	if c.saved {
		_ = l.stop()
		l = pairs.start(srv)
	}
	srv.feed(upTo(8)[3:]...)
	if c.saved {
		_ = l.stop()
		return
	}
	l.crash()
}

// TestLostCheckpoints: without them and without the input's beginning commits cannot be
// made again, and what would come after the newest one would count some of it again.
func TestLostCheckpoints(t *testing.T) {
	bubble(t, "", func(t *testing.T, srv *server) {
		lostInput{}.before(srv)
		srv.remove(schemas.StreamAgentOutbox, func(m bus.Message) bool { return m.Seq < 10 }) // but for the newest commit
		srv.remove(schemas.StreamJournal, func(m bus.Message) bool { return m.Seq < 5 })
		left := len(srv.all(boxed))
		l := pairs.start(srv)
		srv.feed(9, 10)
		if err := <-l.done; !errors.Is(err, errNoCheckpoint) || len(srv.all(boxed)) != left {
			t.Errorf("%d entries, of which %d were there, %v", len(srv.all(boxed)), left, err)
		}
		l.cancel()
	})
}

// checkStanding: entries that were written are as they were, numbers stay
// dense, and no window has more than one part.
func checkStanding(t *testing.T, written, all []*schemas.Commit) {
	t.Helper()
	parts := map[string]uint64{}
	for i, c := range all {
		if c.N != all[0].N+uint64(i) {
			t.Fatalf("entry %d behind %d has number %d", i, all[0].N, c.N)
		}
		if i < len(written) && (c.Digest != written[i].Digest || c.InHash != written[i].InHash) {
			t.Errorf("entry %d is not the one that was written", c.N)
		}
		for _, list := range [...][]schemas.Window{c.Windows, c.Local} {
			for k := range list {
				name := WindowName(&list[k])
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
