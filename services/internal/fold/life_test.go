package fold

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"weir/schemas"
)

// life is one process: a runner over a server that may fail.
type life struct {
	*session
	runner *Runner
	core   *adder
	log    *bytes.Buffer
	cancel context.CancelFunc
	done   chan error
}

// setup says how processes are started.
type setup struct {
	kind    *adder
	size    int  // at which entries and checkpoints are cut; 0: as in production
	onSight bool // stages are made when their first message comes
	forgets bool // see Stage.Forgets
}

const producer = "a"

var (
	journal = schemas.Journal(producer)
	boxed   = schemas.AgentOutbox(producer, schemas.KindCommit)
	state   = schemas.State(producer)
)

// start, in a bubble, starts a process. Its first calls meet the faults.
func (s setup) start(srv *server, faults ...fault) *life {
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{
		session: &session{server: srv, faults: faults, die: cancel},
		core:    s.kind.fresh(), log: new(bytes.Buffer), cancel: cancel, done: make(chan error, 1),
	}
	log := slog.New(slog.NewTextHandler(l.log, nil))
	l.runner = NewRunner(Config{
		Input: schemas.StreamJournal, Output: schemas.StreamAgentOutbox,
		Route: func(subject string) []string {
			p, _, _ := schemas.SourceOf(subject)
			return []string{p}
		},
		Make: func(p string) *Stage {
			st := NewStage(p, l.core, schemas.AgentOutbox(p, schemas.KindCommit), l.session, log)
			if s.size > 0 {
				st.size = s.size
			}
			st.Forgets = s.forgets
			return st
		},
		Seen: func(*Stage, Message) { time.Sleep(s.kind.takes / 2) }, // reading takes time too
	}, l.session, log)
	var names []string
	if !s.onSight {
		names = []string{producer}
	}
	go func() { l.done <- l.runner.Run(ctx, names...) }()
	synctest.Wait()
	return l
}

// stop ends a process in order.
func (l *life) stop() error {
	l.cancel()
	return <-l.done
}

// crash ends it without another call reaching the server.
func (l *life) crash() {
	l.session.mu.Lock()
	l.session.dead = true
	l.session.mu.Unlock()
	l.cancel()
	<-l.done
}

func (l *life) stage() *Stage {
	if all := l.runner.Stages(); len(all) > 0 {
		return all[0]
	}
	return nil
}

// feed writes numbers into the journal and lets the process fold them.
func (s *server) feed(numbers ...uint64) {
	for _, v := range numbers {
		s.put(journal, number(v))
	}
	synctest.Wait()
}

// upTo are the numbers 1 … n.
func upTo(n int) (out []uint64) {
	for i := range n {
		out = append(out, uint64(i+1))
	}
	return out
}

// later, in a bubble, lets so much time pass, and then what was due be done.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// entriesOf decodes what the outbox holds.
func entriesOf(t testing.TB, srv *server) (out []*schemas.Commit) {
	t.Helper()
	for _, m := range srv.all(boxed) {
		c, err := new(schemas.CommitDecoder).Decode(m.Data, schemas.WithAll)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// wantUndisturbed compares the outbox with what a stage writes when nothing
// goes wrong, byte for byte.
func wantUndisturbed(t testing.TB, srv *server, s setup, numbers []uint64) {
	t.Helper()
	if diff := fromUndisturbed(srv, s, numbers); diff != "" {
		t.Fatal(diff)
	}
}
