package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// lab is a server with a policy service whose agents are a and b.
type lab struct {
	t       *testing.T
	dir     string
	server  *bus.Embedded
	bucket  *bus.Bucket
	applied chan []Change
	refuse  atomic.Bool // what is applied is not accepted
	place   func(agent string) Place
	ended   func() error // waits for the end of the service
	stop    func() error
}

func newLab(t *testing.T) *lab {
	l := &lab{t: t, dir: t.TempDir()}
	l.startServer()
	t.Cleanup(func() { l.server.Stop() })
	return l
}

func (l *lab) startServer() {
	l.t.Helper()
	var err error
	l.server, err = bus.Embed(bus.Config{Dir: l.dir, Prefix: "T_", OperatorPassword: "x", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		l.t.Fatal(err)
	}
	if l.bucket, err = l.server.Bucket(l.t.Context(), schemas.BucketPolicy, History); err != nil {
		l.t.Fatal(err)
	}
}

// start runs the service until stop.
func (l *lab) start() {
	l.t.Helper()
	l.applied = make(chan []Change, 10)
	s, err := New(Config{Agents: []string{"a", "b"}, Place: l.place, Language: numbers}, l.server.Bus, l.apply, slog.New(slog.DiscardHandler))
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); err = s.Run(ctx) }()
	l.ended = func() error { <-done; return err }
	l.stop = func() error { cancel(); return l.ended() }
	l.t.Cleanup(func() { _ = l.stop() })
}

func (l *lab) apply(_ context.Context, changes []Change) error {
	l.applied <- changes
	if l.refuse.Load() {
		return fmt.Errorf("format: %w", ErrRefused)
	}
	return nil
}

func (l *lab) put(key, document string) {
	l.t.Helper()
	if _, err := l.bucket.Put(l.t.Context(), key, []byte(document)); err != nil {
		l.t.Fatal(err)
	}
}

// next is what is applied next.
func (l *lab) next() []Change {
	l.t.Helper()
	select {
	case c := <-l.applied:
		return c
	case <-time.After(time.Minute):
		l.t.Fatal("nothing was applied")
		return nil
	}
}

// status asks until the answer is as wanted.
func (l *lab) status(wanted func(Status) bool) {
	l.t.Helper()
	var st Status
	for end := time.After(time.Minute); ; {
		data, err := l.server.Ask(l.t.Context(), schemas.Ask("policy", "status"), nil)
		if err == nil && json.Unmarshal(data, &st) == nil && wanted(st) {
			return
		}
		select {
		case <-end:
			l.t.Fatalf("the status stays %+v, %v", st, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func expect(t *testing.T, got []Change, agents int, revision uint64, document string) {
	t.Helper()
	if len(got) != agents || got[0].Config.Revision != revision || string(got[0].Config.Document) != document {
		t.Errorf("applied %d documents, %+v %s; want %d of revision %d: %s", len(got), got[0].Config, got[0].Config.Document, agents, revision, document)
	}
}

func TestServiceAppliesChangesAndRefusesInvalidOnes(t *testing.T) {
	l := newLab(t)
	l.put("default", `{"size":1000000000}`)
	l.start()
	first := l.next()
	expect(t, first, 2, 1, `{"size":1000000000}`)
	if first[0].Config.From != 0 {
		t.Errorf("the first document holds from %d", first[0].Config.From)
	}
	l.put("default", `{"size":0}`)
	edited := time.Now().UnixNano()
	l.put("default", `{"size":2000000000}`)
	second := l.next()
	expect(t, second, 2, 3, `{"size":2000000000}`)
	if ahead := second[0].Config.From - edited; ahead < 30e9 || second[0].Config.From%2e9 != 0 {
		t.Errorf("the change holds from %d, %v ahead", second[0].Config.From, time.Duration(ahead))
	}
	l.put("agent.b", `{"cap":1}`)
	third := l.next()
	expect(t, third, 1, 4, `{"cap":1,"size":2000000000}`)
	if third[0].Agent != "b" || third[0].Config.From <= second[0].Config.From {
		t.Errorf("applied %+v after %+v", third[0], second[0])
	}
	l.status(func(s Status) bool {
		return s.Invalid == 1 && s.Agents["a"].Revision == 3 && s.Agents["b"].Revision == 4 && len(s.Refused) == 0
	})
	if err := l.stop(); err != nil {
		t.Error(err)
	}
}

func TestLastGoodDocumentSurvivesRestart(t *testing.T) {
	l := newLab(t)
	l.put("default", `{"size":1000000000}`)
	l.start()
	l.next()
	l.put("default", `{"size":2000000000}`)
	before := l.next()[0].Config
	l.put("default", `{"size":0}`)
	l.status(func(s Status) bool { return s.Invalid == 1 && s.Agents["b"].Revision == 2 })
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	l.server.Stop()
	l.startServer()
	l.start()
	again := l.next()
	expect(t, again, 2, 2, `{"size":2000000000}`)
	if again[0].Config.From != before.From {
		t.Errorf("it held from %d and now from %d", before.From, again[0].Config.From)
	}
	l.status(func(s Status) bool { return s.Invalid == 0 && s.Refused["default"].Revision == 3 })
	l.put("agent.a", `{"cap":2000000000}`)
	l.status(func(s Status) bool {
		return s.Invalid == 1 && strings.Contains(s.Refused["agent.a"].Why, "size: 2000000000")
	})
}

// TestLayersThatDoNotGoTogether are told in the status until they do.
func TestLayersThatDoNotGoTogether(t *testing.T) {
	l := newLab(t)
	l.put("region.r", `{"size":2000000000}`)
	l.place = places
	l.start()
	expect(t, l.next(), 2, 1, `{"size":2000000000}`)
	l.put("agent.b", `{"cap":2000000000}`)
	l.status(func(s Status) bool {
		return s.Invalid == 1 && len(s.Refused) == 0 && strings.HasPrefix(s.Behind["b"], "region.r < agent.b: size: 2000000000")
	})
	l.put("region.r", `{"size":3000000000}`)
	expect(t, l.next(), 2, 3, `{"size":3000000000}`)
	l.status(func(s Status) bool { return s.Invalid == 1 && len(s.Behind) == 0 && s.Agents["b"].Revision == 3 })
}

func TestRefusedByWhoAppliesIt(t *testing.T) {
	l := newLab(t)
	l.start()
	l.next()
	l.refuse.Store(true)
	l.put("default", `{"size":1000000000}`)
	l.next()
	l.status(func(s Status) bool { return s.Invalid == 1 && s.Agents["a"].Revision == 0 })
	if err := l.stop(); err != nil {
		t.Error(err)
	}
}

func TestRefusedAtTheStart(t *testing.T) {
	l := newLab(t)
	l.refuse.Store(true)
	l.start()
	l.next()
	if err := l.ended(); !errors.Is(err, ErrRefused) {
		t.Errorf("ended with %v", err)
	}
}

func TestNothingInTheBucket(t *testing.T) {
	l := newLab(t)
	l.start()
	expect(t, l.next(), 2, 0, `{"size":1}`)
	l.put("default", `{"size":1000000000}`)
	expect(t, l.next(), 2, 1, `{"size":1000000000}`)
}

func TestFailureToApplyEndsTheService(t *testing.T) {
	l := newLab(t)
	l.put("default", `{"size":1000000000}`)
	broken := errors.New("the journal is gone")
	s, err := New(Config{Agents: []string{"a"}, Language: numbers}, l.server.Bus,
		func(context.Context, []Change) error { return broken }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("ended with %v", err)
	}
}
