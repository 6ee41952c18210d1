package fold

import (
	"context"
	"errors"

	"weir/services/internal/bus"
)

// Begin notes that a stage begins with the first message of its input, where neither
// input nor outbox nor checkpoint is there. The note is a checkpoint of nothing. A stage
// that dies before its first commit leaves nothing else that tells it, at the next start,
// from one that has lost everything, which must hear from the tier above first. Call it
// before anything may be written to the input.
func (s *Stage) Begin(ctx context.Context, input string) error {
	u, err := s.log.Usage(ctx, input, "")
	if err != nil || u.LastSeq > 0 {
		return err
	}
	for _, subject := range [...]string{s.Outbox, s.state.subject} {
		if _, _, err := s.log.Last(ctx, subject); !errors.Is(err, bus.ErrNone) {
			return err
		}
	}
	if err := s.restore(nil, nil); err != nil {
		return err
	}
	return s.put(ctx)
}

// begins reports whether a checkpoint is such a note.
func (c *checkpoint) begins() bool { return c.N == 0 && c.InLast == 0 && len(c.continues) == 0 }
