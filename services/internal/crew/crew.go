package crew

import (
	"context"
	"maps"
	"sync"
)

// Crew is workers by name. The zero Crew has none. Safe for concurrent use.
type Crew[W any] struct {
	mu      sync.Mutex
	members map[string]*member[W]
}

// member is a worker that runs.
type member[W any] struct {
	worker W
	stop   context.CancelFunc
	done   chan struct{}
}

// Start runs a worker under a name that nobody has, until Halt, Close or the end of ctx.
func (c *Crew[W]) Start(ctx context.Context, name string, worker W, run func(context.Context)) {
	ctx, stop := context.WithCancel(ctx)
	m := &member[W]{worker, stop, make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.members == nil {
		c.members = map[string]*member[W]{}
	}
	if c.members[name] != nil {
		panic("BUG: two workers are named " + name)
	}
	c.members[name] = m
	go func() {
		defer close(m.done)
		run(ctx)
	}()
}

// All are the workers by name.
func (c *Crew[W]) All() map[string]W {
	all := map[string]W{}
	for name, m := range c.running() {
		all[name] = m.worker
	}
	return all
}

// Has reports whether somebody has the name.
func (c *Crew[W]) Has(name string) bool { return c.running()[name] != nil }

// Halt ends a worker and waits for its end.
func (c *Crew[W]) Halt(name string) {
	m := c.running()[name]
	if m == nil {
		return
	}
	m.stop()
	<-m.done
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.members, name)
}

// Close ends all workers at once and waits for them.
func (c *Crew[W]) Close() {
	all := c.running()
	for _, m := range all {
		m.stop()
	}
	for name := range all {
		c.Halt(name)
	}
}

func (c *Crew[W]) running() map[string]*member[W] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.members)
}
