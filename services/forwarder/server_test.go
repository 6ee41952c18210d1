package forwarder

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// owner applies what comes into an inbox, and answers reports.
type owner struct {
	mu      sync.Mutex
	numbers []uint64
	lanes   map[schemas.Lane]int
	bad     error
	moved   chan struct{} // somebody may look again
}

func (o *owner) take(m bus.Message) error {
	a, err := opened(m.Subject, m.Data)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.bad = err
	} else {
		o.numbers = append(o.numbers, a.c.N)
		o.lanes[a.lane]++
	}
	select {
	case o.moved <- struct{}{}:
	default:
	}
	return nil
}

func (o *owner) answer(_ context.Context, data []byte) (any, error) {
	var q schemas.LinkReport
	if err := json.Unmarshal(data, &q); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return schemas.LinkGrant{Epoch: q.Epoch, Applied: spansOf(append([]uint64(nil), o.numbers...)), Credit: 4000, Within: second / 5}, nil
}

// wait waits until n entries have come.
func (o *owner) wait(t *testing.T, n int) {
	t.Helper()
	for late := time.After(time.Minute); ; {
		o.mu.Lock()
		got, bad := len(o.numbers), o.bad
		o.mu.Unlock()
		if bad != nil {
			t.Fatal(bad)
		}
		if got >= n {
			return
		}
		select {
		case <-o.moved:
		case <-late:
			t.Fatalf("%d of %d entries have come", got, n)
		}
	}
}

// TestOneServer runs a forwarder between two streams of a real server.
func TestOneServer(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	e, err := bus.Embed(bus.Config{Dir: t.TempDir(), OperatorPassword: "secret", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	sizes := schemas.EdgeSizes()
	sizes.Inbox = 64 << 20
	if err := e.Ensure(t.Context(), append(schemas.Edge(sizes), schemas.Region(sizes, "r01")...)); err != nil {
		t.Fatal(err)
	}
	const backlog, later = 200, 20
	var enc schemas.CommitEncoder
	write := func(n uint64) {
		t.Helper()
		c := &schemas.Commit{Producer: "a001", Epoch: schemas.Epoch{1}, N: n, RunFirst: n, End: true, Wall: 1}
		c.Totals = []schemas.Total{{Tenant: noise(n, 100), N: n}}
		c.Early = []schemas.Early{{Tenant: "t", Device: "d", Metric: "m", Count: 1}}
		if _, err := e.Store(t.Context(), schemas.AgentOutbox("a001", schemas.KindCommit), enc.Append(nil, c)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint64(backlog) {
		write(n + 1)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	o := &owner{lanes: map[schemas.Lane]int{}, moved: make(chan struct{}, 1)}
	stop, err := e.Answer(ctx, schemas.LinkPartition("r01", schemas.Partition("a001")), log, o.answer)
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- e.Read(ctx, schemas.StreamRegionInbox, 0, false, o.take) }()
	up, err := e.Bus.Sender("a001")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(agentConfig, e.Bus, up, log)
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- s.Run(ctx) }()

	o.wait(t, 1)
	for n := range uint64(later) {
		write(backlog + n + 1)
	}
	o.wait(t, backlog+later)
	o.wantDone(t, e, s, backlog+later)
	o.wantOnce(t, backlog, later)
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	up.Close()
	stop()
}

// wantDone waits until the forwarder knows that everything is applied, and looks
// at what it leaves.
func (o *owner) wantDone(t *testing.T, e *bus.Embedded, s *Service, entries int) {
	t.Helper()
	end := time.Now().Add(time.Minute)
	for st := (Status{}); !st.Up || st.Entries > 0; {
		data, err := e.Ask(t.Context(), schemas.AskLink(schemas.TierAgent), nil)
		if err == nil {
			err = json.Unmarshal(data, &st)
		}
		if time.Now().After(end) {
			t.Fatalf("status %+v, %v", st, err)
		}
	}
	if err := s.purgeOnce(t.Context()); err != nil {
		t.Error(err)
	}
	u, err := e.Usage(t.Context(), schemas.StreamAgentOutbox, "")
	if err != nil || u.Messages != 1 {
		t.Errorf("the outbox keeps %d messages, %v; want the newest", u.Messages, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if got := fmt.Sprint(spansOf(o.numbers)); got != fmt.Sprintf("[{1 %d}]", entries) {
		t.Errorf("%d messages brought %s", len(o.numbers), got)
	}
}

// wantOnce wants hardly anything to have come twice, and each entry by its lane.
func (o *owner) wantOnce(t *testing.T, backlog, later int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.numbers) > backlog+later+1 {
		t.Errorf("%d messages brought %d entries", len(o.numbers), backlog+later)
	}
	if o.lanes[schemas.LaneLive] != later || o.lanes[schemas.LaneBackfill] != backlog {
		t.Errorf("lanes: %v", o.lanes)
	}
}
