package services_test

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"

	"weir/schemas"
	"weir/services/internal/bus"
)

// box is a small model of an agent's data folder: streams that can be copied, put
// back, and lost in part.
type box struct {
	mu      sync.Mutex
	streams map[string]*stored
	cap     int64         // of the outbox, bytes; 0: none
	changed chan struct{} // closed and replaced at each change
}

type stored struct {
	last     uint64
	messages []bus.Message // in order
}

func newBox() *box {
	return &box{changed: make(chan struct{}), streams: map[string]*stored{
		schemas.StreamJournal: {}, schemas.StreamAgentOutbox: {}, schemas.StreamCheckpoint: {},
	}}
}

func streamOf(subject string) string {
	switch {
	case strings.HasPrefix(subject, "weir.journal."):
		return schemas.StreamJournal
	case strings.HasPrefix(subject, "weir.outbox."):
		return schemas.StreamAgentOutbox
	}
	return schemas.StreamCheckpoint
}

// copied is the folder as it is now.
func (b *box) copied() *box {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := newBox()
	for name, s := range b.streams {
		c.streams[name] = &stored{s.last, slices.Clone(s.messages)}
		c.cap = b.cap
	}
	return c
}

// loseAll makes a stream anew, as a server does that finds nothing of it.
func (b *box) loseAll(stream string) { b.streams[stream] = &stored{} }

// loseEnd takes the last n messages of a stream, as a power cut does: their sequences
// are given again.
func (b *box) loseEnd(stream string, n int) {
	s := b.streams[stream]
	n = min(n, len(s.messages))
	s.messages = s.messages[:len(s.messages)-n]
	if s.last -= uint64(n); len(s.messages) > 0 {
		s.last = s.messages[len(s.messages)-1].Seq
	}
}

func (b *box) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *box) all(subject string) (out []bus.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.streams[streamOf(subject)].messages {
		if m.Subject == subject {
			out = append(out, m)
		}
	}
	return out
}

// life is one process's way to a folder: after its end nothing reaches it.
type life struct {
	*box
	ctx context.Context
}

func (l life) Append(_ context.Context, subject string, data []byte, after uint64) (seq uint64, err error) {
	if l.ctx.Err() != nil {
		return 0, l.ctx.Err()
	}
	if all := l.all(subject); len(all) > 0 && all[len(all)-1].Seq != after || len(all) == 0 && after != 0 {
		return 0, bus.ErrWrongLast
	}
	return l.Store(l.ctx, subject, data)
}

func (l life) Store(_ context.Context, subject string, data []byte) (seq uint64, err error) {
	if l.ctx.Err() != nil {
		return 0, l.ctx.Err()
	}
	l.change(func() {
		name := streamOf(subject)
		s := l.streams[name]
		if name == schemas.StreamAgentOutbox && l.cap > 0 && s.bytes()+int64(len(data)) > l.cap {
			err = bus.ErrFull
			return
		}
		s.last++
		seq = s.last
		s.messages = append(s.messages, bus.Message{Subject: subject, Seq: seq, Data: slices.Clone(data)})
	})
	return seq, err
}

func (l life) Delete(_ context.Context, stream string, seq uint64) error {
	l.change(func() {
		s := l.streams[stream]
		s.messages = slices.DeleteFunc(s.messages, func(m bus.Message) bool { return m.Seq == seq })
	})
	return l.ctx.Err()
}

// Answer lets nobody ask.
func (l life) Answer(context.Context, string, *slog.Logger, func(context.Context, []byte) (any, error)) (func(), error) {
	return func() {}, nil
}

func (s *stored) bytes() (n int64) {
	for _, m := range s.messages {
		n += int64(len(m.Data))
	}
	return n
}

func (l life) Last(_ context.Context, subject string) (uint64, []byte, error) {
	all := l.all(subject)
	if len(all) == 0 {
		return 0, nil, bus.ErrNone
	}
	return all[len(all)-1].Seq, all[len(all)-1].Data, nil
}

func (l life) Get(_ context.Context, stream string, seq uint64) (bus.Message, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.streams[stream].messages {
		if m.Seq == seq {
			return m, nil
		}
	}
	return bus.Message{}, bus.ErrNone
}

func (l life) Next(_ context.Context, subject string, from uint64) (bus.Message, error) {
	for _, m := range l.all(subject) {
		if m.Seq >= from {
			return m, nil
		}
	}
	return bus.Message{}, bus.ErrNone
}

func (l life) Purge(_ context.Context, subject string, below uint64) error {
	l.change(func() {
		s := l.streams[streamOf(subject)]
		s.messages = slices.DeleteFunc(s.messages, func(m bus.Message) bool { return m.Subject == subject && m.Seq < below })
	})
	return l.ctx.Err()
}

func (l life) Usage(_ context.Context, stream, _ string) (u bus.Usage, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.streams[stream]
	u.LastSeq, u.FirstSeq, u.Messages, u.Bytes, u.MaxBytes = s.last, s.last+1, uint64(len(s.messages)), s.bytes(), max(l.cap, 1<<40)
	if stream == schemas.StreamAgentOutbox && l.cap > 0 {
		u.MaxBytes = l.cap
	}
	if len(s.messages) > 0 {
		u.FirstSeq = s.messages[0].Seq
	}
	return u, nil
}

func (l life) Read(ctx context.Context, stream string, from uint64, stopAtEnd bool, handle func(bus.Message) error, subjects ...string) error {
	end := uint64(math.MaxUint64)
	if u, _ := l.Usage(ctx, stream, ""); stopAtEnd {
		end = u.LastSeq
	}
	for {
		l.mu.Lock()
		i := slices.IndexFunc(l.streams[stream].messages, func(m bus.Message) bool {
			return m.Seq >= from && (len(subjects) == 0 || slices.Contains(subjects, m.Subject))
		})
		var m bus.Message
		if i >= 0 {
			m = l.streams[stream].messages[i]
		}
		changed := l.changed
		l.mu.Unlock()
		switch {
		case stopAtEnd && (i < 0 || m.Seq > end):
			return nil
		case i >= 0:
			if err := handle(m); err != nil {
				return err
			}
			from = m.Seq + 1
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
