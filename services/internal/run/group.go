// Package run runs the services of one process together.
//
// In: services, one by one, those that others depend on first. Out: the first
// cause for which the process must end, and an orderly end.
//
// Promises: each service has a goroutine and a context of its own. The end of
// any service that nobody asked to end is a cause, an end without an error too.
// Stop ends the newest first and waits for each before it asks the next, all
// under one deadline: what was started last feeds what was started before, so
// each finds its readers alive while it drains. No goroutine is left behind
// unless a service ignores its context past the deadline, and then it is named.
//
// Limits: a service that has ended is not started again; the process is.
package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Service blocks in Run until ctx ends, and then returns nil once what it owns
// is written and its goroutines are joined. One that was asked to end before its
// start was over may return what its context says instead.
type Service interface {
	Run(ctx context.Context) error
}

// Func is a service that is one function.
type Func func(ctx context.Context) error

// Run calls f.
func (f Func) Run(ctx context.Context) error { return f(ctx) }

// Group is the running services of a process. Start and Stop are called by one
// goroutine.
type Group struct {
	members []*member // in the order of their starts
	first   sync.Once
	cause   error // why the process must end; set before failed is closed
	failed  chan struct{}
}

type member struct {
	name   string
	cancel context.CancelFunc
	ended  chan struct{}
	asked  context.Context // done when the member was asked to end
	err    error           // set before ended is closed
}

// NewGroup returns a group without members.
func NewGroup() *Group { return &Group{failed: make(chan struct{})} }

// Start runs a service until Stop.
func (g *Group) Start(name string, s Service) {
	m := &member{name: name, ended: make(chan struct{})}
	m.asked, m.cancel = context.WithCancel(context.Background())
	g.members = append(g.members, m)
	go func() {
		defer close(m.ended)
		g.note(m, s.Run(m.asked))
	}()
}

// note keeps the first cause.
func (g *Group) note(m *member, err error) {
	asked := m.asked.Err() != nil
	switch {
	case asked && (err == nil || Canceled(err)):
		return
	case err != nil:
		m.err = fmt.Errorf("%s: %w", m.name, err)
	default:
		m.err = fmt.Errorf("%s: ended though nobody asked it to", m.name)
	}
	g.first.Do(func() {
		g.cause = m.err
		close(g.failed)
	})
}

// Failed is closed when some service has ended that nobody asked to, or ended
// with an error; Cause then says which and why.
func (g *Group) Failed() <-chan struct{} { return g.failed }

// Cause is why Failed is closed; nil before.
func (g *Group) Cause() error {
	select {
	case <-g.failed:
		return g.cause
	default:
		return nil
	}
}

// lastCall is what services get that were asked only when the deadline had passed.
const lastCall = time.Second

// Stop ends every service, the newest first, and returns the first cause and
// who has not ended when ctx did. Afterwards the group has no members.
func (g *Group) Stop(ctx context.Context) error {
	for i := len(g.members) - 1; i >= 0; i-- {
		g.members[i].cancel()
		g.members[i].wait(ctx)
	}
	// Whoever is left was asked; there is no time left for an order.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCall)
	defer cancel()
	var late []string
	for _, m := range g.members {
		if !m.wait(ctx) {
			late = append(late, m.name)
		}
	}
	g.members = nil
	if len(late) > 0 {
		return errors.Join(g.Cause(), fmt.Errorf("stop: %s did not end in time", strings.Join(late, ", ")))
	}
	return g.Cause()
}

// wait reports whether the member has ended, at the latest when ctx does.
func (m *member) wait(ctx context.Context) bool {
	select {
	case <-m.ended:
	case <-ctx.Done():
	}
	select {
	case <-m.ended:
		return true
	default:
		return false
	}
}
