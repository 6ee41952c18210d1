package services_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// served is an agent whose folder is that of a real server.
type served struct {
	*world
	t   *testing.T
	dir string
	bus *bus.Embedded
}

// serve starts the server, and says how its processes reach it.
func (s *served) serve() {
	s.t.Helper()
	e, err := bus.Embed(bus.Config{Dir: s.dir, Prefix: schemas.DefaultPrefix, OperatorPassword: "x", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := e.Ensure(s.t.Context(), schemas.Edge(schemas.EdgeSizes())); err != nil {
		s.t.Fatal(err)
	}
	s.bus = e
	s.open = func(context.Context) store { return e.Bus }
	s.wait = s.caughtUp
}

// caughtUp waits until the stage has folded the newest frame.
func (s *served) caughtUp() {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-time.After(time.Millisecond) {
		u, err := s.bus.Usage(s.t.Context(), schemas.StreamJournal, "")
		if err != nil {
			s.t.Fatal(err)
		}
		if seq, _ := s.runner.Position(); seq >= u.LastSeq {
			if made := s.stage.Load(); made != nil && made.Ask(s.t.Context(), func() {}) == nil {
				return
			}
		}
	}
	s.t.Fatal("the agent does not catch up")
}

// lose ends process and server, as a power cut does, and removes streams.
func (s *served) lose(streams ...string) {
	s.t.Helper()
	s.bus.Stop()
	s.crash()
	s.failed = nil // its server had gone
	for _, name := range streams {
		found := 0
		err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() && strings.HasSuffix(path, "/streams/"+schemas.DefaultPrefix+name) {
				found++
				if err := os.RemoveAll(path); err != nil {
					return err
				}
				return filepath.SkipDir
			}
			return err
		})
		if err != nil || found == 0 {
			s.t.Fatalf("folder of stream %s: found %d, %v", name, found, err)
		}
	}
	s.serve()
}

// TestLossOfStores loses the streams of an agent on a real server: nothing counts
// twice, what is missing is declared, and the balance closes.
func TestLossOfStores(t *testing.T) {
	journal, outbox, state := schemas.StreamJournal, schemas.StreamAgentOutbox, schemas.StreamCheckpoint
	for _, lost := range [][]string{{}, {outbox}, {state}, {journal}, {outbox, state}, {outbox, journal}, {journal, state}, {outbox, state, journal}} {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			s := &served{world: newWorld(), t: t, dir: t.TempDir()}
			s.serve()
			for range 2 { // each orderly end leaves a checkpoint
				s.start()
				s.steps(30)
				s.crash()
			}
			s.start()
			s.steps(8)
			s.reach(false)
			s.steps(5)
			s.lose(lost...)
			s.reach(true)
			s.start()
			s.settle()
			s.crash()
			s.bus.Stop()
			v := s.verdict()
			t.Logf("%d readings: %d counted, %d late; ledger %+v; reasons %+v", v.made, v.counted, v.late, v.ledger.Totals, v.ledger.Reasons)
			what := some
			switch len(lost) {
			case 0:
				what = none
			case 3:
				what = memory
			}
			if wrong := s.wrong(what); wrong != "" {
				t.Errorf("%s\n%s", wrong, s.log.String())
			}
		})
	}
}
