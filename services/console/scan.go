package console

import (
	"context"
	"fmt"
	"math"
	"slices"
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

// collect reads what answers q from windows that end after a time, up to the end
// of the stream as it is, or as much as fits: see windows.through.
func collect(ctx context.Context, b *bus.Bus, q *Query, after int64, most int) (*windows, error) {
	from, err := seek(ctx, b, q.stream(), max(q.From, after))
	if err != nil {
		return nil, err
	}
	set := newWindows(func(w *schemas.Window) bool { return w.End > after && q.wants(w) }, most)
	in := commits{want: q.parts()}
	err = b.Read(ctx, q.stream(), from, true, func(m bus.Message) error { return in.read(m, set.apply) })
	if err == nil {
		err = ctx.Err()
	}
	return set, err
}

// answer hands what answers q to emit, oldest first, without a limit.
func answer(ctx context.Context, b *bus.Bus, q *Query, most int, emit func(*parts.Sum) error) error {
	for after := int64(math.MinInt64); after < math.MaxInt64; {
		set, err := collect(ctx, b, q, after, most)
		if err != nil {
			return err
		}
		for _, id := range set.all() {
			t := set.merged(id)
			if q.Final && t.Timing != schemas.FinalTiming {
				continue
			}
			if err := emit(t); err != nil {
				return err
			}
		}
		after = set.through
	}
	return nil
}

// newestOf hands the newest n of what answers q to emit.
func newestOf(ctx context.Context, b *bus.Bus, q *Query, n int, emit func(*parts.Sum) error) error {
	var newest []*parts.Sum
	err := answer(ctx, b, q, maxWindows, func(t *parts.Sum) error {
		if newest = append(newest, t); len(newest) >= 2*n {
			newest = slices.Delete(newest, 0, len(newest)-n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range newest[max(0, len(newest)-n):] {
		if err := emit(t); err != nil {
			return err
		}
	}
	return nil
}
