package fold

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"weir/schemas"
	"weir/services/internal/bus"
)

// undecided is a cluster that refuses an append, because of one before it on which
// its servers have not agreed yet, until it has said so some times.
type undecided struct {
	Log
	refusals int
	last     uint64 // sequence of what is on the subject
}

func (u *undecided) Append(_ context.Context, _ string, _ []byte, after uint64) (uint64, error) {
	if u.refusals--; u.refusals >= 0 {
		return 0, bus.ErrWrongLast
	}
	return after + 1, nil
}

func (u *undecided) Last(context.Context, string) (uint64, []byte, error) {
	return u.last, []byte("another entry"), nil
}

// TestUndecided: an append that is refused though nothing is behind the fence is
// tried again; one that is refused because something is was somebody else's.
func TestUndecided(t *testing.T) {
	f := func(last uint64, want error, seq uint64) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			s := NewStage("p", nil, "outbox", &undecided{refusals: 3, last: last}, slog.New(slog.DiscardHandler))
			s.out.seq = 7
			if err := s.write(t.Context(), &schemas.Commit{N: 1}); !errors.Is(err, want) || s.out.seq != seq {
				t.Errorf("with %d on the subject: %v, the fence is %d; want %v, %d", last, err, s.out.seq, want, seq)
			}
		})
	}
	f(7, nil, 8)
	f(8, errIntruder, 7)
}
