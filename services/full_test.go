package services_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/forwarder"
	"weir/services/internal/pack"
)

// uplinked is a world whose agent brings its outbox up with a forwarder.
type uplinked struct {
	*world
	unpack pack.Unpacker
	ended  chan error
	cancel context.CancelFunc
}

var errNoLink = errors.New("no link")

// Send brings an entry to the region at once.
func (u *uplinked) Send(_ context.Context, _ string, data []byte, done func(error)) error {
	if !u.linked() {
		return errNoLink
	}
	plain, err := u.unpack.Unpack(nil, data, 8<<20)
	if err != nil {
		return err
	}
	u.apply(plain)
	done(nil)
	return nil
}

// Ask asks the region.
func (u *uplinked) Ask(_ context.Context, _ string, data []byte) ([]byte, error) {
	u.meet.Lock()
	defer u.meet.Unlock()
	if !u.link {
		return nil, errNoLink
	}
	var q schemas.LinkReport
	if err := json.Unmarshal(data, &q); err != nil {
		return nil, err
	}
	g := schemas.LinkGrant{Epoch: q.Epoch, Applied: []schemas.Span{}, Credit: 1 << 20, Within: 2 * second}
	u.region.Tell(&q, &g)
	return json.Marshal(&g)
}

func newUplinked(cap int64) *uplinked {
	u := &uplinked{world: newWorld()}
	u.box.cap = cap
	u.byService = true
	return u
}

// begin starts the agent's process with its forwarder.
func (u *uplinked) begin() {
	u.start()
	ctx, cancel := context.WithCancel(context.Background())
	f, err := forwarder.New(forwarder.Config{Tier: schemas.TierAgent, Name: agent, Upstream: "r01", Stream: schemas.StreamAgentOutbox},
		u.way.(life), u, slog.New(slog.NewTextHandler(&u.log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		panic(err)
	}
	u.cancel, u.ended = cancel, make(chan error, 1)
	go func() { u.ended <- f.Run(ctx) }()
	synctest.Wait()
}

// kill ends both.
func (u *uplinked) kill() {
	u.cancel()
	u.crash()
	if err := <-u.ended; err != nil && !errors.Is(err, context.Canceled) {
		u.failed = err
	}
}

// balance says what is wrong once everything has come to rest.
func (u *uplinked) balance() string {
	u.settle()
	u.kill()
	v := u.verdict()
	l := v.ledger.Totals
	switch {
	case u.failed != nil:
		return u.failed.Error()
	case l.Unexplained != 0 || v.check.Unexplained != 0 || v.check.Debt != 0 || l.InFlight != 0:
		return fmt.Sprintf("unexplained %d and %d, debt %d: %+v", l.Unexplained, v.check.Unexplained, v.check.Debt, l)
	case v.counted+v.late+l.Shed != v.made || l.Counted != v.counted || l.LostDeclared != 0:
		return fmt.Sprintf("%d made, %d counted and %d late: %+v", v.made, v.counted, v.late, l)
	}
	return ""
}

// TestFullOutbox: an outage that outlasts the outbox costs resolution first: nothing
// waits, no record is lost, and windows tell that they are wider.
func TestFullOutbox(t *testing.T) {
	f := func(name string, cap int64, steps int, check func(u *uplinked, l *schemas.Ledger, widened uint32)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUplinked(cap)
				u.begin()
				u.steps(30)
				u.reach(false)
				u.steps(steps)
				u.reach(true)
				if wrong := u.balance(); wrong != "" {
					t.Errorf("%s\n%s", wrong, u.log.String())
				}
				widened := uint32(0)
				for _, w := range u.emitted {
					widened = max(widened, w.Widened)
				}
				check(u, u.verdict().ledger, widened)
				t.Logf("%d bytes, %d s: %+v, widest of %d windows", cap, steps, u.verdict().ledger.Totals, widened)
			})
		})
	}
	f("folded", 240<<10, 1200, func(u *uplinked, l *schemas.Ledger, widened uint32) {
		if l.Totals.Shed != 0 || widened < 6 || strings.Contains(u.log.String(), "commit waits") {
			t.Errorf("%d shed, %d windows in one: %s", l.Totals.Shed, widened, u.log.String())
		}
	})
	f("too small for what is young", 128<<10, 1000, func(_ *uplinked, l *schemas.Ledger, _ uint32) {
		if l.Totals.Shed == 0 || len(l.Reasons) != 1 || l.Reasons[0].Stage != schemas.StageOutbox {
			t.Errorf("%+v", l.Reasons)
		}
	})
}

// TestFullOutboxHistories: however long outages are and whenever the process dies, what
// is counted and what is shed is all there is.
func TestFullOutboxHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cap := rapid.Int64Range(100<<10, 300<<10).Draw(rt, "cap")
		acts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) act {
			return act{rapid.SampledFrom([]string{"steps", "steps", "link", "kill"}).Draw(t, "act"), rapid.IntRange(1, 400).Draw(t, "n")}
		}), 1, 8).Draw(rt, "acts")
		var wrong string
		synctest.Test(t, func(*testing.T) {
			u := newUplinked(cap)
			u.begin()
			u.steps(20)
			for _, a := range acts {
				switch a.what {
				case "steps":
					u.steps(a.n)
				case "link":
					u.reach(!u.link)
				case "kill":
					u.kill()
					u.begin()
				}
			}
			if wrong = u.balance(); wrong != "" {
				wrong += "\n" + u.log.String()
			}
		})
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}
