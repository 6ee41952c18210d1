package forwarder

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/strays"
)

func TestMain(m *testing.M) { strays.Main(m) }

// rig is an outbox, a tier above, and a forwarder between them.
type rig struct {
	cfg     Config
	out     *outbox
	region  *region
	writers []*writer
	svc     *Service
	log     logged
	cancel  func()
	done    chan error
}

var agentConfig = Config{Tier: schemas.TierAgent, Name: "a001", Upstream: "r01", Stream: schemas.StreamAgentOutbox}

func newRig(cfg Config) *rig {
	r := &rig{cfg: cfg, out: newOutbox(), region: newRegion()}
	r.out.allowed = r.keeps
	return r
}

// writer adds a writer; epochs tell writers apart.
func (r *rig) writer(producer, subject string, epoch byte) *writer {
	w := &writer{out: r.out, producer: producer, subject: subject, epoch: epoch}
	r.writers = append(r.writers, w)
	return w
}

func (r *rig) agent() *writer {
	return r.writer("a001", schemas.AgentOutbox("a001", schemas.KindCommit), 1)
}

// keeps says why a message must stay in the outbox.
func (r *rig) keeps(m bus.Message) string {
	var d schemas.CommitDecoder
	c, err := d.Decode(m.Data, schemas.WithAll)
	switch {
	case err != nil:
		return ""
	case !r.region.has(c):
		return fmt.Sprintf("entry %d of %s was removed and is not applied", c.N, c.Producer)
	}
	for _, kept := range slices.Backward(r.out.messages) {
		if k, err := d.Decode(kept.Data, 0); err == nil && kept.Subject == m.Subject && k.End {
			if k.Epoch == c.Epoch && c.N >= k.RunFirst {
				return fmt.Sprintf("entry %d of %s was removed; the newest run begins at %d", c.N, c.Producer, k.RunFirst)
			}
			return ""
		}
	}
	return fmt.Sprintf("entry %d of %s was removed, and no run is whole", c.N, c.Producer)
}

func (r *rig) start() {
	var err error
	if r.svc, err = New(r.cfg, r.out, r.region, slog.New(slog.NewTextHandler(&r.log, nil))); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan error, 1)
	go func() { r.done <- r.svc.Run(ctx) }()
	synctest.Wait()
}

func (r *rig) stop() error {
	r.cancel()
	err := <-r.done
	r.region.do(func() { r.region.link++ }) // what is in flight belongs to a dead process
	return err
}

func (r *rig) status() Status {
	v, err := r.out.status(context.Background(), nil)
	if err != nil {
		panic(err)
	}
	return v.(Status)
}

// later lets the time of the bubble pass, and everything happen that is due by then.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// missing names the first entry that was written and is not applied.
func (r *rig) missing() string {
	for _, w := range r.writers {
		for _, c := range w.all {
			if !r.region.has(c) {
				return fmt.Sprintf("entry %d of %s (epoch %d) is not applied", c.N, w.subject, w.epoch)
			}
		}
	}
	return ""
}

// wrong is what the models have seen that must not be.
func (r *rig) wrong() (why string) {
	r.region.do(func() { why = r.region.wrong })
	r.out.change(func() {
		if why == "" {
			why = r.out.wrong
		}
	})
	return why
}

// bubble runs f with a rig; in the end everything must have been applied.
func bubble(t *testing.T, cfg Config, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(cfg)
		defer func() {
			if t.Failed() {
				t.Log(r.log.String())
			}
		}()
		f(t, r)
		if why := r.wrong(); why != "" {
			t.Error(why)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		later(time.Minute) // what is in flight comes down
	})
}

// whole fails the test where something is not applied.
func (r *rig) whole(t *testing.T) {
	t.Helper()
	if why := r.missing(); why != "" {
		t.Error(why)
	}
}

// came are the messages that have come to the tier above.
func (r *rig) came() (out []arrival) {
	r.region.do(func() { out = append(out, r.region.arrivals...) })
	return out
}

// lane are those of one lane.
func (r *rig) lane(l schemas.Lane) []arrival {
	return slices.DeleteFunc(r.came(), func(a arrival) bool { return a.lane != l })
}

// tries is how many messages were sent, whatever became of them.
func (r *rig) tries() (n int) {
	r.region.do(func() { n = len(r.region.sent) })
	return n
}

// told are the reports that have come.
func (r *rig) told() (out []schemas.LinkReport) {
	r.region.do(func() { out = append(out, r.region.reports...) })
	return out
}

// kept is how many messages the outbox holds.
func (r *rig) kept() (n int) {
	r.out.mu.Lock()
	defer r.out.mu.Unlock()
	for _, m := range r.out.messages {
		if _, kind, _ := schemas.SourceOf(m.Subject); kind != schemas.KindMark {
			n++
		}
	}
	return n
}

// read is how many messages it has handed out.
func (r *rig) read() (n int) {
	r.out.change(func() { n = r.out.reads })
	return n
}

func (r *rig) purges() (n int) {
	r.out.change(func() { n = r.out.purges })
	return n
}

// said is how often the log says something.
func (r *rig) said(what string) int { return strings.Count(r.log.String(), what) }

// logged is what was logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// synctestRig is bubble for a forwarder that the test itself stops.
func synctestRig(t *testing.T, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { f(newRig(agentConfig)) })
}
