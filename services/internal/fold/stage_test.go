package fold

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/strays"
)

func TestMain(m *testing.M) { strays.Main(m) }

// fromUndisturbed says how the outbox differs from what it should be; empty: not at all.
func fromUndisturbed(srv *server, s setup, numbers []uint64) string {
	got := srv.all(boxed)
	var epoch schemas.Epoch
	if len(got) > 0 {
		c, err := new(schemas.CommitDecoder).Decode(got[0].Data, 0)
		if err != nil {
			return err.Error()
		}
		epoch = c.Epoch
	}
	size := s.size
	if size == 0 {
		size = bus.EntrySize
	}
	want := undisturbed(s.kind, numbers, epoch, size)
	if len(got) != len(want) {
		return fmt.Sprintf("%d entries, want %d", len(got), len(want))
	}
	for i := range want {
		if string(got[i].Data) != string(want[i]) {
			a, _ := new(schemas.CommitDecoder).Decode(got[i].Data, 0)
			b, _ := new(schemas.CommitDecoder).Decode(want[i], 0)
			return fmt.Sprintf("entry %d\n got %+v\nwant %+v", i+1, a, b)
		}
	}
	return ""
}

// bubble runs a test in fake time.
func bubble(t *testing.T, name string, f func(t *testing.T, srv *server)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, newServer()) })
	})
}

// small has runs of several entries and checkpoints of several parts.
var small = setup{kind: &adder{every: 3, keys: 5, sketch: 100, early: 2, padding: 1000}, size: 700}

func TestRunsAreCut(t *testing.T) {
	bubble(t, "small entries", func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.feed(upTo(7)...)
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
		wantUndisturbed(t, srv, small, upTo(7))
		all := entriesOf(t, srv)
		runs := map[uint64][]*schemas.Commit{}
		for i, c := range all {
			if c.N != uint64(i+1) {
				t.Fatalf("entry %d has number %d", i, c.N)
			}
			runs[c.RunFirst] = append(runs[c.RunFirst], c)
		}
		if len(runs) != 2 {
			t.Fatalf("%d runs, want 2 in %d entries", len(runs), len(all))
		}
		for first, run := range runs {
			checkRun(t, first, run)
		}
	})
	bubble(t, "entries as large as in production", func(t *testing.T, srv *server) {
		s := setup{kind: &adder{every: 1, keys: 7, sketch: 400 << 10}}
		l := s.start(srv)
		srv.feed(1)
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
		wantUndisturbed(t, srv, s, upTo(1))
		all := srv.all(boxed)
		if len(all) != 4 {
			t.Errorf("%d entries, want 4 of two windows or less", len(all))
		}
		for _, m := range all {
			if len(m.Data) > bus.EntrySize {
				t.Errorf("entry of %d bytes", len(m.Data))
			}
		}
	})
	bubble(t, "early values alone", func(t *testing.T, srv *server) {
		s := setup{kind: &adder{every: 1, early: 50}, size: 500}
		l := s.start(srv)
		srv.feed(1)
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
		early := 0
		for _, m := range srv.all(boxed) {
			if len(m.Data) > 2*s.size {
				t.Errorf("entry of %d bytes", len(m.Data))
			}
			c, err := new(schemas.CommitDecoder).Decode(m.Data, schemas.WithAll)
			if err != nil {
				t.Fatal(err)
			}
			early += len(c.Early)
		}
		if early != 50 {
			t.Errorf("%d early values, want 50", early)
		}
	})
}

// checkRun: only the last entry ends the run, and the parts that begin in it are
// named by their entries.
func checkRun(t *testing.T, first uint64, run []*schemas.Commit) {
	t.Helper()
	if len(run) < 2 {
		t.Errorf("the run from %d was not cut", first)
	}
	for i, c := range run {
		if c.End != (i == len(run)-1) {
			t.Errorf("entry %d of the run from %d: end %v", c.N, first, c.End)
		}
		for _, w := range append(slices.Clone(c.Windows), c.Local...) {
			if w.Revision == 1 && w.FirstN != c.N {
				t.Errorf("a part that begins in entry %d is named %d", c.N, w.FirstN)
			}
			if w.Revision == 2 && w.FirstN >= c.RunFirst {
				t.Errorf("revision 2 in entry %d of a part named %d", c.N, w.FirstN)
			}
		}
	}
}

// TestIncompleteRun dies in the middle of a run: the next life writes the rest
// and nothing twice.
func TestIncompleteRun(t *testing.T) {
	for _, how := range []fault{diesBefore, diesAfter, failsBefore, failsAfter} {
		for _, onSight := range []bool{false, true} {
			bubble(t, fmt.Sprintf("fault %d, on sight %v", how, onSight), func(t *testing.T, srv *server) {
				s := small
				s.onSight = onSight
				l := s.start(srv, fine, fine, fine, fine, how) // two to open, then the third entry
				srv.feed(upTo(4)...)
				later(time.Second)
				l.crash()
				before := len(srv.all(boxed))
				l = s.start(srv)
				later(time.Second)
				if n := l.stage().Mismatches(); n != 0 {
					t.Errorf("%d mismatches", n)
				}
				srv.feed(5, 6)
				if err := l.stop(); err != nil {
					t.Fatal(err)
				}
				wantUndisturbed(t, srv, s, upTo(6))
				if how == diesBefore && before != 2 || how == diesAfter && before != 3 {
					t.Errorf("%d entries survived the crash", before)
				}
			})
		}
	}
}

// TestMismatch: what is written stands, and the difference is told.
func TestMismatch(t *testing.T) {
	mismatch(t, "shorter runs", func(a *adder) { a.keys = 1 })
	mismatch(t, "other values in runs of the same length", func(a *adder) { a.keys-- })
	mismatch(t, "longer runs", func(a *adder) { a.keys *= 3 })
}

// mismatch changes the core between two lives, as a change of the code may.
func mismatch(t *testing.T, name string, change func(a *adder)) {
	bubble(t, name, func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.feed(upTo(6)...)
		l.crash()
		written := srv.all(boxed)
		other := small
		other.kind = small.kind.fresh()
		change(other.kind)
		l = other.start(srv)
		later(time.Second)
		if n := l.stage().Mismatches(); n != 2 {
			t.Errorf("%d mismatches, want one per commit", n)
		}
		if !strings.Contains(l.log.String(), "commit made again differs") {
			t.Errorf("the log does not tell: %s", l.log)
		}
		if got := srv.all(boxed); len(got) != len(written) {
			t.Errorf("%d entries, want the %d that were written", len(got), len(written))
		}
		srv.feed(7, 8, 9)
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
		all := entriesOf(t, srv)
		end := all[len(all)-1]
		if next := all[len(written)]; next.N != uint64(len(written)+1) || next.RunFirst != next.N || end.InFirst != 7 {
			t.Errorf("the next commit is %d of a run from %d with input from %d", next.N, next.RunFirst, end.InFirst)
		}
	})
}

// TestIntruder: another writer ends the stage.
func TestIntruder(t *testing.T) {
	f := func(name string, intrude func(srv *server)) {
		bubble(t, name, func(t *testing.T, srv *server) {
			l := small.start(srv)
			srv.feed(upTo(3)...)
			intrude(srv)
			srv.feed(upTo(3)...)
			later(time.Minute)
			select {
			case err := <-l.done:
				if !errors.Is(err, bus.ErrWrongLast) || !strings.Contains(err.Error(), "somebody else") {
					t.Errorf("error %v", err)
				}
			default:
				t.Error("the stage goes on")
				_ = l.stop()
			}
			if n := len(srv.all(state)); n != 0 {
				t.Errorf("%d parts of a checkpoint of a state that is ahead", n)
			}
			l.cancel()
		})
	}
	f("writes", func(srv *server) { srv.put(boxed, []byte("x")) })
	f("purges", func(srv *server) {
		srv.remove(schemas.StreamAgentOutbox, func(bus.Message) bool { return true })
	})
}

func TestFullOutbox(t *testing.T) {
	bubble(t, "waits, then goes on", func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.setFull(schemas.StreamAgentOutbox, true)
		srv.feed(upTo(9)...)
		later(time.Hour)
		if n := len(srv.all(boxed)); n != 0 {
			t.Fatalf("%d entries in a full outbox", n)
		}
		srv.setFull(schemas.StreamAgentOutbox, false)
		later(longestWait)
		wantUndisturbed(t, srv, small, upTo(9))
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
	})
	bubble(t, "stopped while it waits, it leaves no checkpoint", func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.feed(upTo(2)...)
		srv.setFull(schemas.StreamAgentOutbox, true)
		srv.feed(3)
		later(time.Minute)
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
		if n := len(srv.all(state)); n != 0 {
			t.Fatalf("%d parts of a checkpoint of a state that is ahead", n)
		}
		srv.setFull(schemas.StreamAgentOutbox, false)
		l = small.start(srv)
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
		wantUndisturbed(t, srv, small, upTo(3))
	})
	bubble(t, "the end of the reader ends it", func(t *testing.T, srv *server) {
		srv.setFull(schemas.StreamAgentOutbox, true)
		l := small.start(srv)
		broken := errors.New("the stream is gone")
		l.cancel()
		<-l.done
		r := NewRunner(l.runner.cfg, failingReader{l.session, broken, 3}, l.runner.log)
		srv.feed(upTo(3)...)
		if err := r.Run(t.Context(), producer); !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
	})
}

// failingReader fails after some messages.
type failingReader struct {
	*session
	err   error
	after uint64
}

func (f failingReader) Read(ctx context.Context, stream string, from uint64, stopAtEnd bool, handle func(bus.Message) error, subjects ...string) error {
	return f.session.Read(ctx, stream, from, stopAtEnd, func(m bus.Message) error {
		err := handle(m)
		if m.Seq == f.after {
			later(time.Second)
			return f.err
		}
		return err
	}, subjects...)
}

// TestLostAnswer: an entry whose acknowledgment was lost is not written twice.
func TestLostAnswer(t *testing.T) {
	bubble(t, "read back at once", func(t *testing.T, srv *server) {
		l := small.start(srv, fine, fine, failsAfter, fine, failsAfter)
		srv.feed(upTo(9)...)
		wantUndisturbed(t, srv, small, upTo(9))
		_ = l.stop()
	})
	bubble(t, "read back later", func(t *testing.T, srv *server) {
		l := small.start(srv, fine, fine, failsAfter, failsBefore, failsAfter, failsBefore)
		srv.feed(upTo(9)...)
		later(time.Minute)
		wantUndisturbed(t, srv, small, upTo(9))
		_ = l.stop()
	})
}

// TestUndecodable: an error of the core ends the stage and the runner with it.
func TestUndecodable(t *testing.T) {
	bubble(t, "", func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.put(journal, nil)
		if err := <-l.done; err == nil || !strings.Contains(err.Error(), "stage a at 1: no number") {
			t.Errorf("error %v", err)
		}
		if n := len(srv.all(state)); n != 0 {
			t.Errorf("%d parts of a checkpoint of a state that nobody trusts", n)
		}
		l.cancel()
	})
}

// TestCancelWhileOpening: a process that is stopped before it is open has not failed.
func TestCancelWhileOpening(t *testing.T) {
	bubble(t, "", func(t *testing.T, srv *server) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		l := small.start(srv)
		_ = l.stop()
		cfg := l.runner.cfg
		cfg.Make = func(p string) *Stage { return NewStage(p, l.core, boxed, slowLog{l.session}, l.runner.log) }
		if err := NewRunner(cfg, l.session, l.runner.log).Run(ctx, producer); err != nil {
			t.Errorf("error %v", err)
		}
	})
}

// slowLog answers no sooner than the caller gives up.
type slowLog struct{ *session }

func (slowLog) Last(ctx context.Context, _ string) (uint64, []byte, error) {
	<-ctx.Done()
	return 0, nil, ctx.Err()
}
