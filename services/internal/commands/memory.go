package commands

import (
	"context"
	"slices"
	"sync"
)

// Memory is a Store that lasts as long as itself: for tests, and for a process
// without a stream.
type Memory struct {
	mu       sync.Mutex
	seq      uint64
	commands []numbered[Stored]
	sessions map[string]numbered[Record]
}

type numbered[T any] struct {
	seq uint64
	of  T
}

// NewMemory is an empty one.
func NewMemory() *Memory { return &Memory{sessions: map[string]numbered[Record]{}} }

// Load implements Store, as do the methods below.
func (m *Memory) Load(_ context.Context, command func(uint64, Stored), session func(uint64, string, Record)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.commands {
		command(c.seq, c.of)
	}
	for key, s := range m.sessions {
		session(s.seq, key, s.of)
	}
	return nil
}

// Keep stores a command.
func (m *Memory) Keep(_ context.Context, c Stored) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq++
	m.commands = append(m.commands, numbered[Stored]{m.seq, c})
	return m.seq, nil
}

// Drop forgets commands.
func (m *Memory) Drop(_ context.Context, dev Device, below uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commands = slices.DeleteFunc(m.commands, func(c numbered[Stored]) bool { return c.of.Device == dev && c.seq < below })
	return nil
}

// Remember stores a session.
func (m *Memory) Remember(_ context.Context, key string, r Record) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq++
	m.sessions[key] = numbered[Record]{m.seq, r}
	return m.seq, nil
}

// Forget forgets a session.
func (m *Memory) Forget(_ context.Context, key string, below uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.sessions[key]; ok && s.seq < below {
		delete(m.sessions, key)
	}
	return nil
}

// Len is how many commands and sessions are stored.
func (m *Memory) Len() (commands, sessions int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.commands), len(m.sessions)
}
