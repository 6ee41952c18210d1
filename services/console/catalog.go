package console

import (
	"context"
	"fmt"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// catalog keeps an index of each outbox that was asked for. Questions use it at the same time.
type catalog struct {
	bus     *bus.Bus
	volumes map[string]*volume // by stream; fixed
}

func newCatalog(b *bus.Bus) *catalog {
	c := &catalog{bus: b, volumes: map[string]*volume{}}
	for _, stream := range [...]string{schemas.StreamAgentOutbox, schemas.StreamRegionOutbox, schemas.StreamCenterOutbox} {
		c.volumes[stream] = &volume{stream: stream, bus: b, room: questionRoom, turn: make(chan struct{}, 1)}
	}
	return c
}

// volume is the index of one outbox, as far back as somebody has asked. It reads each
// message once, when it is first asked for.
type volume struct {
	stream string
	bus    *bus.Bus
	room   room          // of one question
	turn   chan struct{} // holds one token while somebody uses what is below
	index  *index        // nil: of nothing yet
	life   life          // the stream that it is of
	since  int64         // the event time from which on all windows are in it, Unix ns
}

// life tells a stream from another one of the same name, or from an older copy of
// itself: on one connection to the server it only grows at its end.
type life struct {
	made       time.Time
	reconnects uint64
}

// contents is what the index says about a question: the slices of its answer, and what is final as of the same message.
type contents struct {
	slices []slice
	finals finality
}

// tries bounds how often a volume is begun anew because the server went away meanwhile.
const tries = 3

// look up a question, once the index reaches from where its answer may begin to the end of the stream.
func (v *volume) look(ctx context.Context, q *Query) (contents, error) {
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return contents{}, ctx.Err()
	}
	for range tries {
		now, err := v.reach(ctx, q.From)
		if err != nil {
			return contents{}, err
		}
		if now == v.bus.Reconnects() {
			newest := sliceRevisions
			if q.Limit > 0 {
				newest = min(2*q.Limit+100, sliceRevisions)
			}
			return contents{v.index.slices(q, newest), v.index.finals.clone()}, nil
		}
	}
	return contents{}, fmt.Errorf("index stream %s: the connection to its server does not last", v.stream)
}

// reach makes the index reach from windows that end after from to the end of the
// stream. It returns the number of the connection on which that was so.
func (v *volume) reach(ctx context.Context, from int64) (reconnects uint64, err error) {
	reconnects = v.bus.Reconnects()
	u, err := v.bus.Usage(ctx, v.stream, "")
	if err != nil {
		return 0, err
	}
	if now := (life{u.Made, reconnects}); v.index == nil || now != v.life || u.LastSeq+1 < v.index.to {
		v.index, v.life, v.since = nil, now, 0
	}
	if v.index != nil {
		v.index.cut(u.FirstSeq)
	}
	if v.index == nil || from < v.since {
		if err := v.back(ctx, from, &u); err != nil {
			v.index = nil // it may have grown in part
			return 0, err
		}
	}
	return reconnects, read(ctx, v.bus, v.stream, v.index, u.LastSeq)
}

// back makes the index begin where windows that end after from may begin.
func (v *volume) back(ctx context.Context, from int64, u *bus.Usage) error {
	seq, err := seek(ctx, v.bus, v.stream, from)
	if err != nil {
		return err
	}
	seq = max(min(seq, u.LastSeq+1), u.FirstSeq, 1)
	switch {
	case v.index == nil:
		v.index = newIndex(seq)
	case seq < v.index.from:
		earlier := newIndex(seq)
		if err := read(ctx, v.bus, v.stream, earlier, v.index.from-1); err != nil {
			return err
		}
		earlier.join(v.index)
		v.index = earlier
	}
	v.since = from
	return nil
}

// read adds the messages through a sequence to an index.
func read(ctx context.Context, b *bus.Bus, stream string, x *index, through uint64) error {
	in := commits{want: schemas.WithLocal | schemas.WithWindows}
	err := b.ReadThrough(ctx, stream, x.to, through, func(m bus.Message) error {
		err := in.read(m, func(c *schemas.Commit) error {
			x.add(m.Seq, c)
			return nil
		})
		x.to = m.Seq + 1
		return err
	})
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		x.to = max(x.to, through+1) // the rest was removed
	}
	return err
}
