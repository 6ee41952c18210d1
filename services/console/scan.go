package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/parts"
)

// seekMargin is how much later than its start a window's first revision may
// seem to have been stored early: devices ahead, clocks that disagree.
const seekMargin = 2 * time.Minute

// seek is where in a stream revisions of windows from a time on may begin: by the
// server's clock, or by the time in the commits, whichever comes first. A server
// whose clock was set back seems to have stored nothing since; and the times of
// commits go back where a producer has been away.
func seek(ctx context.Context, b *bus.Bus, stream string, from int64) (uint64, error) {
	if from <= int64(seekMargin) {
		return 1, nil
	}
	from -= int64(seekMargin)
	stored, err := b.SeqAtTime(ctx, stream, from)
	if err != nil {
		return 0, err
	}
	var dec schemas.CommitDecoder
	made, err := b.Search(ctx, stream, schemas.OutboxAll, func(m bus.Message) (yes, tells bool) {
		c, err := dec.Decode(m.Data, 0)
		if err != nil || !c.End {
			return false, false
		}
		return c.Time >= from, true
	})
	return min(stored, made), err
}

// commits decodes the messages of an outbox that are commits.
type commits struct {
	dec  schemas.CommitDecoder
	want schemas.Parts
}

// read hands m to handle if it is an entry of a commit.
func (r *commits) read(m bus.Message, handle func(*schemas.Commit) error) error {
	if _, kind, ok := schemas.SourceOf(m.Subject); !ok || kind != schemas.KindCommit {
		return nil
	}
	c, err := r.dec.Decode(m.Data, r.want)
	if err != nil {
		return fmt.Errorf("%s message %d: %w", m.Subject, m.Seq, err)
	}
	return handle(c)
}

// answer hands what answers q to emit, oldest first; of Limit windows the newest.
func (c *catalog) answer(ctx context.Context, q *Query, emit func(*parts.Sum) error) error {
	v := c.volumes[q.stream()]
	found, err := v.look(ctx, q)
	if err != nil {
		return err
	}
	first, skip := 0, 0
	if q.Limit > 0 {
		if first, skip, err = v.newest(ctx, q, &found); err != nil {
			return err
		}
	}
	for i := first; i < len(found.slices); i++ {
		err := v.read(ctx, q, found.slices[i], found.finals, func(t *parts.Sum) error {
			if skip > 0 {
				skip--
				return nil
			}
			return emit(t)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// newest is where the newest q.Limit windows begin: in which slice, and behind how many windows of it.
func (v *volume) newest(ctx context.Context, q *Query, found *contents) (first, skip int, err error) {
	n := 0
	for i := len(found.slices) - 1; i >= 0; i-- {
		err := v.read(ctx, q, found.slices[i], found.finals, func(*parts.Sum) error {
			n++
			return nil
		})
		if err != nil {
			return 0, 0, err
		}
		if n >= q.Limit {
			return i, n - q.Limit, nil
		}
	}
	return 0, 0, nil
}

// read hands the windows of a slice to emit, oldest first: in one reading, or in
// several where they are too many.
func (v *volume) read(ctx context.Context, q *Query, s slice, finals finality, emit func(*parts.Sum) error) error {
	for after := s.after; after < s.through; {
		set := newWindows(func(w *schemas.Window) bool { return w.End > after && w.End <= s.through && q.wants(w) }, v.room)
		in := commits{want: q.parts()}
		for _, m := range s.spans {
			err := v.bus.ReadThrough(ctx, v.stream, m.first, m.last, func(m bus.Message) error { return in.read(m, set.apply) })
			if err := errors.Join(err, ctx.Err()); err != nil {
				return err
			}
		}
		set.settle(finals)
		for _, id := range set.all() {
			t := set.merged(id)
			if q.Final && t.Timing != schemas.FinalTiming {
				continue
			}
			if err := emit(t); err != nil {
				return err
			}
		}
		after = min(set.through, s.through)
	}
	return nil
}
