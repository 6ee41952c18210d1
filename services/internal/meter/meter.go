// Package meter knows how many bytes of a shared stream each of its writers
// takes.
//
// In: every append of this process, and now and then how far the stream has
// been purged. Out: bytes by subject, without asking the server.
//
// Promises: what is stored counts from the moment it is, what is purged until
// the next Purged. Bytes that an earlier process has written are shared out by
// the number of messages and count until all of them are purged: never too low
// in sum.
//
// Limits: memory is 16 bytes for each message that is stored; overhead of the
// server per message is an estimate. It is safe for concurrent use.
package meter

import (
	"sync"

	"weir/services/internal/bus"
)

// overhead is what the server stores beside the data of a message: sequence,
// time, subject, hash.
const overhead = 64

// Meter is the bytes of one stream by subject.
type Meter struct {
	mu     sync.Mutex
	stored map[string]*usage
}

// usage is what one subject takes, oldest first.
type usage struct {
	messages []message
	bytes    int64
}

type message struct {
	seq  uint64
	size int64
}

// New starts with what a stream holds already; its Subjects must be counted.
func New(u bus.Usage) *Meter {
	m := &Meter{stored: map[string]*usage{}}
	for subject, n := range u.Subjects {
		m.add(subject, u.LastSeq, int64(float64(u.Bytes)*float64(n)/float64(u.Messages)))
	}
	return m
}

// Stored notes an append.
func (m *Meter) Stored(subject string, seq uint64, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(subject, seq, int64(bytes)+overhead)
}

func (m *Meter) add(subject string, seq uint64, size int64) {
	u := m.stored[subject]
	if u == nil {
		u = &usage{}
		m.stored[subject] = u
	}
	u.messages = append(u.messages, message{seq, size})
	u.bytes += size
}

// Purged notes that nothing below first is stored any more.
func (m *Meter) Purged(first uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range m.stored {
		u.purge(first)
	}
}

func (u *usage) purge(first uint64) {
	n := 0
	for n < len(u.messages) && u.messages[n].seq < first {
		u.bytes -= u.messages[n].size
		n++
	}
	u.messages = append(u.messages[:0], u.messages[n:]...)
}

// Bytes is what a subject takes.
func (m *Meter) Bytes(subject string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u := m.stored[subject]; u != nil {
		return u.bytes
	}
	return 0
}
