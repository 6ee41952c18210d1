package fold

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/bus"
)

// purgeSafe removes the input that a process takes for safe to remove.
func (s *server) purgeSafe(l *life) {
	if st := l.stage(); st != nil {
		s.remove(schemas.StreamJournal, func(m bus.Message) bool { return m.Seq < st.SafeBefore() })
	}
}

// TestTwoOwners: one process stops in the middle and another takes over its
// stage; then the first wakes up and goes on. It is harmless: whoever starts next
// finds what an undisturbed stage writes, byte for byte.
func TestTwoOwners(t *testing.T) {
	numbers := rapid.SliceOfN(rapid.Uint64Max(300), 0, 12)
	waits := rapid.SampledFrom([]time.Duration{0, time.Second, saveEvery, 3 * saveEvery})
	rapid.Check(t, func(rt *rapid.T) {
		p := plans().Draw(rt, "plan")
		synctest.Test(t, func(*testing.T) {
			srv := newServer()
			var fed []uint64
			step := func(alive ...*life) {
				more := numbers.Draw(rt, "feed")
				for _, v := range more {
					srv.put(journal, number(v))
				}
				fed = append(fed, more...)
				later(waits.Draw(rt, "wait"))
				for _, l := range alive {
					srv.purgeSafe(l)
				}
			}
			first := p.start(srv)
			step(first)
			step(first)
			sigcont := first.sigstop() // its calls wait, what it has read stays in its memory
			step()
			second := p.start(srv)
			step(second)
			step(second)
			sigcont()
			step(first, second)
			step(second, first)
			var ends []error
			for _, l := range []*life{first, second} {
				ends = append(ends, l.stop())
			}
			for _, err := range ends {
				if err != nil && !errors.Is(err, bus.ErrWrongLast) {
					rt.Fatalf("a process ended with %v", err)
				}
			}
			last := p.start(srv)
			step(last)
			later(time.Minute)
			if err := last.stop(); err != nil {
				rt.Fatalf("the last process: %v", err)
			}
			if wrong := fromUndisturbed(srv, p.setup, fed); wrong != "" {
				rt.Fatal(wrong)
			}
		})
	})
}

// TestOldStateStaysBehind: a process that wakes up with an old state and nothing
// to commit does not put it before the newer one, whose input is gone.
func TestOldStateStaysBehind(t *testing.T) {
	bubble(t, "", func(t *testing.T, srv *server) {
		s := setup{kind: &adder{every: 1000, keys: 1}} // it commits nothing
		first := s.start(srv)
		srv.feed(1, 2)
		later(saveEvery)
		srv.feed(3) // checkpoint at 3
		sigcont := first.sigstop()
		second := s.start(srv)
		for v := range 3 {
			later(saveEvery)
			srv.feed(uint64(4 + v))
		}
		srv.purgeSafe(second)
		first.session.faults = []fault{fine, fine, diesAfter} // it writes nothing else, if it writes
		sigcont()
		synctest.Wait()
		first.crash()
		second.crash()
		manifests, _ := checkpoints(t, srv)
		for i := 1; i < len(manifests); i++ {
			if manifests[i].InLast < manifests[i-1].InLast {
				t.Errorf("a checkpoint at %d behind one at %d", manifests[i].InLast, manifests[i-1].InLast)
			}
		}
		last := s.start(srv)
		if err := last.stop(); err != nil {
			t.Fatal(err)
		}
		if last.core.n != 6 || strings.Contains(last.log.String(), "level=ERROR") {
			t.Errorf("%d of 6 messages are folded: %s", last.core.n, last.log)
		}
	})
}
