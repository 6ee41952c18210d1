package fold

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// checkpoints are the manifests that the server holds.
func checkpoints(t *testing.T, srv *server) (manifests []*schemas.Checkpoint, parts int) {
	t.Helper()
	for _, m := range srv.all(state) {
		c, err := schemas.DecodeCheckpoint(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		parts++
		if c.Manifest() {
			manifests = append(manifests, c)
		}
	}
	return manifests, parts
}

// drop loses one message of a stream.
func (s *server) drop(stream string, seq uint64) {
	s.remove(stream, func(m bus.Message) bool { return m.Seq == seq })
}

// spoil changes one message of a stream.
func (s *server) spoil(stream string, seq uint64, change func([]byte) []byte) {
	s.change(func() {
		for i, m := range s.streams[stream].messages {
			if m.Seq == seq {
				s.streams[stream].messages[i].Data = change(slices.Clone(m.Data))
			}
		}
	})
}

// lastTwo are the sequences of the parts of the two newest checkpoints.
func lastTwo(t *testing.T, srv *server) (older, newest []uint64) {
	t.Helper()
	manifests, _ := checkpoints(t, srv)
	if len(manifests) < 2 {
		t.Fatalf("%d checkpoints", len(manifests))
	}
	all := srv.all(state)
	end := all[len(all)-1].Seq
	newest = append(slices.Clone(manifests[len(manifests)-1].Seqs), end)
	m := manifests[len(manifests)-2]
	older = append(slices.Clone(m.Seqs), manifests[len(manifests)-1].Prev)
	return older, newest
}

func TestCheckpoints(t *testing.T) {
	bubble(t, "in parts, two are kept", func(t *testing.T, srv *server) {
		l := small.start(srv)
		for i := range 5 {
			later(saveEvery)
			srv.feed(uint64(i))
			manifests, parts := checkpoints(t, srv)
			if want := min(i+1, 2); len(manifests) != want || parts != 2*want {
				t.Fatalf("%d checkpoints in %d parts after message %d", len(manifests), parts, i+1)
			}
			if got, want := l.stage().SafeBefore(), uint64(i); got != want {
				t.Errorf("safe before %d after checkpoints at 1 … %d, want %d", got, i+1, want)
			}
		}
		_ = l.stop()
		if _, parts := checkpoints(t, srv); parts != 4 {
			t.Errorf("%d parts: a stop without news must write none", parts)
		}
	})
	bubble(t, "a restored one and a new one make two", func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.feed(upTo(4)...)
		_ = l.stop()
		l = small.start(srv)
		if st := l.stage(); st.SafeBefore() != 0 || st.Start() != 4 {
			t.Errorf("safe before %d, started behind %d", st.SafeBefore(), st.Start())
		}
		srv.feed(5)
		_ = l.stop()
		if got := l.stage().SafeBefore(); got != 4 {
			t.Errorf("safe before %d, want 4", got)
		}
	})
	bubble(t, "none while commits are made again", func(t *testing.T, srv *server) {
		s := small
		s.kind = &adder{every: 1, keys: 2, sketch: 100}
		l := s.start(srv)
		srv.feed(upTo(6)...)
		l.crash()
		srv.streams[schemas.StreamJournal].messages = srv.streams[schemas.StreamJournal].messages[:3]
		l = s.start(srv)
		later(saveEvery)
		_ = l.stop()
		if n := len(srv.all(state)); n != 0 {
			t.Errorf("%d parts of a checkpoint that is older than the outbox", n)
		}
	})
	bubble(t, "a full store only delays them", func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.setFull(schemas.StreamCheckpoint, true)
		later(saveEvery)
		srv.feed(1)
		if !strings.Contains(l.log.String(), "checkpoint not written") || l.stage().SafeBefore() != 0 {
			t.Errorf("safe before %d, log %s", l.stage().SafeBefore(), l.log)
		}
		srv.setFull(schemas.StreamCheckpoint, false)
		later(saveEvery)
		srv.feed(2)
		if manifests, _ := checkpoints(t, srv); len(manifests) != 1 {
			t.Errorf("%d checkpoints", len(manifests))
		}
		_ = l.stop()
	})
}

// TestTornCheckpoint: the older one is used, and with it all is as if nothing
// had been.
func TestTornCheckpoint(t *testing.T) {
	f := func(name string, tear func(t *testing.T, srv *server), start uint64) {
		bubble(t, name, func(t *testing.T, srv *server) {
			l := small.start(srv)
			for i := range 5 {
				srv.feed(uint64(i + 1))
				later(saveEvery)
			}
			l.crash() // checkpoints at 4 and 5
			srv.remove(schemas.StreamJournal, func(m bus.Message) bool { return m.Seq < 4 })
			tear(t, srv)
			torn := srv.streams[schemas.StreamCheckpoint].last
			l = small.start(srv)
			if got := l.stage().Start(); got != start {
				t.Errorf("started behind %d, want %d", got, start)
			}
			srv.feed(6, 7)
			if all := srv.all(state); start == 4 && all[len(all)-1].Seq == torn {
				t.Error("the torn one is still the newest")
			}
			srv.feed(8, 9)
			if n := l.stage().Mismatches(); n != 0 {
				t.Errorf("%d mismatches", n)
			}
			_ = l.stop()
			wantUndisturbed(t, srv, small, upTo(9))
		})
	}
	newest := func(t *testing.T, srv *server) []uint64 {
		_, n := lastTwo(t, srv)
		return n
	}
	f("not at all", func(*testing.T, *server) {}, 5)
	f("the manifest is missing", func(t *testing.T, srv *server) {
		n := newest(t, srv)
		srv.drop(schemas.StreamCheckpoint, n[len(n)-1])
	}, 4)
	f("a part is missing", func(t *testing.T, srv *server) { srv.drop(schemas.StreamCheckpoint, newest(t, srv)[0]) }, 4)
	f("a part is another", func(t *testing.T, srv *server) {
		srv.spoil(schemas.StreamCheckpoint, newest(t, srv)[0], func(b []byte) []byte {
			b[len(b)-1]++
			return b
		})
	}, 4)
	f("a part is cut short", func(t *testing.T, srv *server) {
		srv.spoil(schemas.StreamCheckpoint, newest(t, srv)[0], func(b []byte) []byte { return b[:3] })
	}, 4)
	f("the payload of the manifest is another", func(t *testing.T, srv *server) {
		n := newest(t, srv)
		srv.spoil(schemas.StreamCheckpoint, n[len(n)-1], func(b []byte) []byte {
			b[len(b)-1]++
			return b
		})
	}, 4)
}

func TestNoCheckpoint(t *testing.T) {
	bubble(t, "the first one is torn: from the beginning", func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.feed(upTo(4)...)
		_ = l.stop()
		all := srv.all(state)
		srv.drop(schemas.StreamCheckpoint, all[len(all)-1].Seq)
		l = small.start(srv)
		srv.feed(5, 6)
		_ = l.stop()
		if l.stage().Start() != 0 || l.stage().Mismatches() != 0 {
			t.Errorf("started behind %d, %d mismatches", l.stage().Start(), l.stage().Mismatches())
		}
		wantUndisturbed(t, srv, small, upTo(6))
	})
	bubble(t, "both are torn", func(t *testing.T, srv *server) {
		l := small.start(srv)
		for i := range 5 {
			srv.feed(uint64(i + 1))
			later(saveEvery)
		}
		_ = l.stop()
		older, newest := lastTwo(t, srv)
		srv.drop(schemas.StreamCheckpoint, older[0])
		srv.drop(schemas.StreamCheckpoint, newest[0])
		l = small.start(srv)
		if err := <-l.done; err == nil || !strings.Contains(err.Error(), "put the newest backup") {
			t.Errorf("error %v", err)
		}
		l.cancel()
	})
	bubble(t, "of this outbox", func(t *testing.T, srv *server) {
		l := small.start(srv)
		for i := range 5 {
			srv.feed(uint64(i + 1))
			later(saveEvery)
		}
		_ = l.stop()
		for _, m := range srv.all(boxed) {
			srv.spoil(schemas.StreamAgentOutbox, m.Seq, func(b []byte) []byte {
				c, err := new(schemas.CommitDecoder).Decode(b, schemas.WithAll)
				if err != nil {
					t.Fatal(err)
				}
				c.Epoch[0]++
				return new(schemas.CommitEncoder).Append(nil, c)
			})
		}
		l = small.start(srv)
		if err := <-l.done; !errors.Is(err, errNoCheckpoint) {
			t.Errorf("error %v", err)
		}
		l.cancel()
	})
	bubble(t, "all are lost, and some of the input is gone", func(t *testing.T, srv *server) {
		l := small.start(srv)
		for i := range 5 {
			srv.feed(uint64(i + 1))
			later(saveEvery)
		}
		_ = l.stop()
		srv.remove(schemas.StreamJournal, func(m bus.Message) bool { return m.Seq < l.stage().SafeBefore() })
		made := len(srv.all(boxed))
		srv.loseEnd(schemas.StreamCheckpoint, 0)
		for range 2 { // it stays so
			l = small.start(srv)
			if err := <-l.done; !errors.Is(err, errNoCheckpoint) || !strings.Contains(err.Error(), "all checkpoints of a are lost") {
				t.Errorf("error %v", err)
			}
			l.cancel()
		}
		if n := len(srv.all(boxed)) + len(srv.all(state)); n != made {
			t.Errorf("%d messages are left, %d were there", n, made)
		}
	})
	bubble(t, "all are lost, and all of the input is there", func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.feed(upTo(4)...)
		later(saveEvery)
		_ = l.stop()
		srv.loseEnd(schemas.StreamCheckpoint, 0)
		l = small.start(srv)
		srv.feed(5, 6)
		_ = l.stop()
		wantUndisturbed(t, srv, small, upTo(6))
	})
	bubble(t, "there was none yet, and some of the input of others is gone", func(t *testing.T, srv *server) {
		srv.feed(100)
		srv.remove(schemas.StreamJournal, func(bus.Message) bool { return true })
		l := small.start(srv)
		srv.feed(upTo(4)...)
		later(time.Second)
		l.crash()
		l = small.start(srv)
		later(time.Second)
		if err := l.stop(); err != nil || len(srv.all(boxed)) == 0 || l.stage().Mismatches() != 0 {
			t.Errorf("%d entries, %d mismatches, %v", len(srv.all(boxed)), l.stage().Mismatches(), err)
		}
	})
	bubble(t, "all are lost, and what is left of the input begins in the first commit's", func(t *testing.T, srv *server) {
		single := setup{kind: &adder{every: 3, keys: 1}, size: small.size}
		l := single.start(srv)
		srv.feed(upTo(8)...)
		later(time.Second)
		l.crash()
		first, err := new(schemas.CommitDecoder).Decode(srv.all(boxed)[0].Data, 0)
		if err != nil || first.InLast < 2 {
			t.Fatalf("the first commit is of %d messages, %v", first.InLast, err)
		}
		srv.remove(schemas.StreamJournal, func(m bus.Message) bool { return m.Seq < first.InLast })
		l = single.start(srv)
		srv.feed(upTo(8)...)
		if err := <-l.done; !errors.Is(err, errNoCheckpoint) {
			t.Errorf("error %v", err)
		}
		l.cancel()
	})
	bubble(t, "cannot be read", func(t *testing.T, srv *server) {
		l := small.start(srv)
		srv.feed(upTo(3)...)
		later(saveEvery)
		srv.feed(4) // the first checkpoint; the stop writes the second
		srv.feed(5)
		_ = l.stop()
		all := srv.all(state)
		srv.drop(schemas.StreamCheckpoint, all[len(all)-1].Seq)
		l = small.start(srv, fine, fine, failsBefore) // the newest entry, the newest part, the manifest before
		if err := <-l.done; !errors.Is(err, errFault) {
			t.Errorf("error %v", err)
		}
		l.cancel()
	})
	bubble(t, "from a newer version", func(t *testing.T, srv *server) {
		srv.put(state, []byte{schemas.CheckpointVersion + 1, 0})
		l := small.start(srv)
		if err := <-l.done; err == nil || !strings.Contains(err.Error(), "checkpoint of a at 1") {
			t.Errorf("error %v", err)
		}
		l.cancel()
	})
}

// TestLostOutbox: a power cut took entries that a checkpoint includes.
func TestLostOutbox(t *testing.T) {
	f := func(name string, keep uint64, purged bool, check func(t *testing.T, srv *server, l *life)) {
		bubble(t, name, func(t *testing.T, srv *server) {
			s := small
			s.kind = &adder{every: 1, keys: 1}
			l := s.start(srv)
			for i := range 3 {
				srv.feed(uint64(2*i+1), uint64(2*i+2))
				later(saveEvery)
			}
			_ = l.stop() // checkpoints at 5 and 6
			if purged {
				srv.remove(schemas.StreamJournal, func(m bus.Message) bool { return m.Seq < l.stage().SafeBefore() })
			}
			srv.loseEnd(schemas.StreamAgentOutbox, keep)
			l = s.start(srv)
			srv.feed(7)
			later(time.Second)
			check(t, srv, l)
			l.cancel()
		})
	}
	f("the older one is used", 5, true, func(t *testing.T, srv *server, l *life) {
		if l.stage().Start() != 5 {
			t.Errorf("started behind %d", l.stage().Start())
		}
		wantUndisturbed(t, srv, setup{kind: &adder{every: 1, keys: 1}, size: small.size}, upTo(7))
		_ = l.stop()
	})
	f("both are newer", 3, true, func(t *testing.T, _ *server, l *life) {
		if err := <-l.done; err == nil || !strings.Contains(err.Error(), "put the newest backup") {
			t.Errorf("error %v", err)
		}
	})
	f("all of it", 0, true, func(t *testing.T, srv *server, l *life) {
		_ = l.stop()
		all := entriesOf(t, srv)
		if len(all) != 1 || all[0].N != 7 || l.stage().Start() != 6 {
			t.Errorf("%d entries, started behind %d", len(all), l.stage().Start())
		}
		if !strings.Contains(l.log.String(), "the outbox is empty") {
			t.Errorf("the log does not tell: %s", l.log)
		}
		manifests, _ := checkpoints(t, srv)
		if m := manifests[len(manifests)-1]; m.Epoch != all[0].Epoch {
			t.Error("another epoch")
		}
	})
}

// TestForgets: a stage that may forget goes on behind its newest commit where both
// checkpoints are torn.
func TestForgets(t *testing.T) {
	bubble(t, "", func(t *testing.T, srv *server) {
		s := setup{kind: &adder{every: 1, keys: 1, padding: 1000}, size: small.size, forgets: true}
		l := s.start(srv)
		for range 5 {
			srv.feed(1)
			later(saveEvery)
		}
		_ = l.stop()
		older, newest := lastTwo(t, srv)
		srv.drop(schemas.StreamCheckpoint, older[0])
		srv.drop(schemas.StreamCheckpoint, newest[0])
		l = s.start(srv)
		srv.feed(1, 1)
		later(2 * saveEvery)
		all := entriesOf(t, srv)
		if n := len(all); n != 7 || all[6].N != 7 || all[6].Epoch != all[0].Epoch || all[6].Wall != 2 || l.stage().Start() != 5 || l.stage().Mismatches() != 0 {
			t.Errorf("started behind %d with %d entries and %d mismatches, the newest %+v", l.stage().Start(), n, l.stage().Mismatches(), all[n-1])
		}
		if !strings.Contains(l.log.String(), "the state is lost and is learned anew") {
			t.Errorf("the log does not tell: %s", l.log)
		}
		_ = l.stop()
		l = s.start(srv)
		later(time.Second)
		if l.stage().Start() != 7 {
			t.Errorf("started behind %d with the checkpoint of the new state", l.stage().Start())
		}
		_ = l.stop()
	})
}
