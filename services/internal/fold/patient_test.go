package fold

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"weir/services/internal/bus"
)

// away is a log whose server does not answer until some time.
type away struct {
	Log
	until time.Time
	why   error
}

func (a away) Last(context.Context, string) (uint64, []byte, error) {
	if time.Now().Before(a.until) {
		return 0, nil, fmt.Errorf("read last: %w", a.why)
	}
	return 7, []byte("x"), nil
}

// TestPatient: what a start asks waits for a server that will answer, for ever if
// need be, but not for one that has said no, nor longer than anybody wants to know.
func TestPatient(t *testing.T) {
	f := func(why error, within time.Duration, want uint64, failed error) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			p := patient{away{until: time.Now().Add(time.Hour), why: why}, slog.New(slog.DiscardHandler)}
			seq, _, err := p.Last(ctx, "s")
			if seq != want || !errors.Is(err, failed) {
				t.Errorf("%v: %d, %v", why, seq, err)
			}
		})
	}
	f(bus.ErrHalted, 2*time.Hour, 7, nil)
	f(fmt.Errorf("%w: a write failed", bus.ErrStuck), 2*time.Hour, 7, nil)
	f(context.DeadlineExceeded, 2*time.Hour, 7, nil)
	f(bus.ErrHalted, time.Minute, 0, context.DeadlineExceeded)
	f(bus.ErrNone, 2*time.Hour, 0, bus.ErrNone)
}
