package fold

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"weir/schemas"
	"weir/services/internal/bus"
)

// server is a small model of JetStream: streams of messages with sequences that
// are never given twice, unless the disk loses its end.
type server struct {
	appending sync.Mutex // held while an append is judged and done: processes append at the same time

	mu      sync.Mutex
	streams map[string]*stream
	changed chan struct{} // closed and replaced at each change
}

type stream struct {
	last     uint64
	messages []bus.Message // in order
	full     bool
}

func newServer() *server {
	return &server{changed: make(chan struct{}), streams: map[string]*stream{
		schemas.StreamJournal: {}, schemas.StreamAgentOutbox: {}, schemas.StreamCheckpoint: {},
	}}
}

func (s *server) of(subject string) *stream {
	for prefix, name := range map[string]string{
		"weir.journal.": schemas.StreamJournal, "weir.outbox.": schemas.StreamAgentOutbox, "weir.state.": schemas.StreamCheckpoint,
	} {
		if strings.HasPrefix(subject, prefix) {
			return s.streams[name]
		}
	}
	panic("no stream stores " + subject)
}

// change runs f and wakes the readers.
func (s *server) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *server) put(subject string, data []byte) (seq uint64) {
	s.change(func() {
		st := s.of(subject)
		st.last++
		seq = st.last
		st.messages = append(st.messages, bus.Message{Subject: subject, Seq: seq, Data: bytes.Clone(data)})
	})
	return seq
}

// remove takes messages away; what is lost at the end frees its sequences.
func (s *server) remove(stream string, gone func(bus.Message) bool) {
	s.change(func() {
		st := s.streams[stream]
		st.messages = slices.DeleteFunc(st.messages, gone)
	})
}

// loseEnd is a power cut that takes the end of a stream.
func (s *server) loseEnd(stream string, keep uint64) {
	s.remove(stream, func(m bus.Message) bool { return m.Seq > keep })
	s.change(func() { s.streams[stream].last = min(s.streams[stream].last, keep) })
}

func (s *server) setFull(stream string, full bool) {
	s.change(func() { s.streams[stream].full = full })
}

func (s *server) isFull(subject string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(subject).full
}

// all are the messages of a subject.
func (s *server) all(subject string) (out []bus.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.of(subject).messages {
		if m.Subject == subject {
			out = append(out, m)
		}
	}
	return out
}

// fault is what happens to one call.
type fault int

const (
	fine        fault = iota
	failsBefore       // an error, and nothing was done
	failsAfter        // an error, but it was done
	refuses           // full
	diesBefore        // the process ends before the call
	diesAfter         // the process ends before the answer
	faults
)

var (
	errFault = errors.New("scripted failure")
	errDead  = errors.New("the process is dead")
)

// session is the server as one process sees it.
type session struct {
	*server
	faults []fault // of the calls to come, in order; then all is fine
	die    func()  // ends the process

	mu   sync.Mutex
	dead bool

	stopped chan struct{} // closed when the process goes on that a signal has stopped; nil: none has
}

// sigstop stops the process where it next calls the server; the returned func
// lets it go on.
func (c *session) sigstop() (sigcont func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stopped := make(chan struct{})
	c.stopped = stopped
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stopped = nil
		close(stopped)
	}
}

// call runs do under the next fault.
func (c *session) call(writes bool, do func() error) error {
	c.mu.Lock()
	for c.stopped != nil {
		stopped := c.stopped
		c.mu.Unlock()
		<-stopped
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	if c.dead {
		return errDead
	}
	f := fine
	if len(c.faults) > 0 {
		f, c.faults = c.faults[0], c.faults[1:]
	}
	switch f {
	case failsBefore:
		return errFault
	case refuses:
		if writes {
			return bus.ErrFull
		}
	case failsAfter:
		return errors.Join(do(), errFault)
	case diesBefore, diesAfter:
		if f == diesAfter {
			_ = do()
		}
		c.dead = true
		c.die()
		return errDead
	}
	return do()
}

func (c *session) Append(_ context.Context, subject string, data []byte, after uint64) (seq uint64, err error) {
	err = c.call(true, func() error {
		c.appending.Lock()
		defer c.appending.Unlock()
		switch all := c.all(subject); {
		case len(all) == 0 && after != 0, len(all) > 0 && all[len(all)-1].Seq != after:
			return bus.ErrWrongLast
		case c.isFull(subject):
			return bus.ErrFull
		}
		seq = c.put(subject, data)
		return nil
	})
	return seq, err
}

func (c *session) Last(_ context.Context, subject string) (seq uint64, data []byte, err error) {
	err = c.call(false, func() error {
		all := c.all(subject)
		if len(all) == 0 {
			return bus.ErrNone
		}
		m := all[len(all)-1]
		seq, data = m.Seq, m.Data
		return nil
	})
	return seq, data, err
}

func (c *session) Get(_ context.Context, stream string, seq uint64) (m bus.Message, err error) {
	err = c.call(false, func() error {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		i := slices.IndexFunc(c.streams[stream].messages, func(m bus.Message) bool { return m.Seq == seq })
		if i < 0 {
			return bus.ErrNone
		}
		m = c.streams[stream].messages[i]
		return nil
	})
	return m, err
}

func (c *session) Next(_ context.Context, subject string, from uint64) (m bus.Message, err error) {
	err = c.call(false, func() error {
		all := c.all(subject)
		i := slices.IndexFunc(all, func(m bus.Message) bool { return m.Seq >= from })
		if i < 0 {
			return bus.ErrNone
		}
		m = all[i]
		return nil
	})
	return m, err
}

func (c *session) Purge(_ context.Context, subject string, below uint64) error {
	return c.call(false, func() error {
		c.change(func() {
			st := c.of(subject)
			st.messages = slices.DeleteFunc(st.messages, func(m bus.Message) bool { return m.Subject == subject && m.Seq < below })
		})
		return nil
	})
}

func (c *session) Usage(_ context.Context, stream, _ string) (u bus.Usage, err error) {
	err = c.call(false, func() error {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		s := c.streams[stream]
		u.LastSeq, u.FirstSeq = s.last, s.last+1
		if len(s.messages) > 0 {
			u.FirstSeq = s.messages[0].Seq
		}
		return nil
	})
	return u, err
}

// Read is not under faults: an ordered reader repairs itself.
func (c *session) Read(ctx context.Context, stream string, from uint64, stopAtEnd bool, handle func(bus.Message) error, subjects ...string) error {
	end := c.end(stream)
	for {
		m, pending, changed := c.next(stream, from, subjects)
		switch {
		case stopAtEnd && (m == nil || m.Seq > end):
			return nil
		case m != nil:
			m.Pending = pending
			if err := handle(*m); err != nil {
				return err
			}
			from = m.Seq + 1
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

func (c *session) end(stream string) uint64 {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.streams[stream].last
}

func (c *session) next(stream string, from uint64, subjects []string) (found *bus.Message, pending uint64, changed chan struct{}) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	for _, m := range c.streams[stream].messages {
		if m.Seq < from || len(subjects) > 0 && !slices.Contains(subjects, m.Subject) {
			continue
		}
		if found == nil {
			found = &m
			continue
		}
		pending++
	}
	return found, pending, c.changed
}
