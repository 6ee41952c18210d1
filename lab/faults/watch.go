package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"weir/lab/harness"
)

// watch looks at every process while it is tormented: how long it takes to be
// ready again, and how much it holds at most.
type watch struct {
	x    *site
	stop context.CancelFunc
	done sync.WaitGroup

	mu         sync.Mutex
	since      map[string]time.Time // recoveries that go on
	recoveries []time.Duration
	abandoned  int              // ended by the next fault
	pids       map[string]int   // of the newest lives
	peak       map[string]int64 // RSS, bytes
}

// lookEvery is the time between two looks.
const lookEvery = 50 * time.Millisecond

func newWatch(x *site) *watch {
	ctx, stop := context.WithCancel(x.ctx)
	w := &watch{x: x, stop: stop, since: map[string]time.Time{}, pids: map[string]int{}, peak: map[string]int64{}}
	for name, p := range x.processes {
		w.pids[name] = p.PID()
	}
	w.done.Go(func() { w.run(ctx) })
	return w
}

// close ends the looking.
func (w *watch) close() {
	w.stop()
	w.done.Wait()
}

// born notes that a process is another one now, which has yet to become ready.
func (w *watch) born(name string, p *harness.Product) {
	w.mu.Lock()
	w.pids[name] = p.PID()
	w.mu.Unlock()
	w.recovers(name, p.Begun())
}

// recovers notes that a process is on its way back since then.
func (w *watch) recovers(name string, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, again := w.since[name]; again {
		w.abandoned++
	}
	w.since[name] = since
}

func (w *watch) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, name := range w.unready() {
			w.look(name)
		}
		if n%20 == 0 {
			w.weigh()
		}
	}
}

// look asks a process whether it is ready.
func (w *watch) look(name string) {
	w.mu.Lock()
	since := w.since[name]
	w.mu.Unlock()
	if _, err := w.x.processes[name].Get("/readyz"); err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since[name] == since { // else another fault has come in between
		w.recoveries = append(w.recoveries, time.Since(since))
		delete(w.since, name)
	}
}

// unready names the processes that are on their way back.
func (w *watch) unready() (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.since {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// weigh notes what processes hold now.
func (w *watch) weigh() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, pid := range w.pids {
		if r, err := harness.ResourcesOf(pid); err == nil { // else it is being replaced
			w.peak[name] = max(w.peak[name], r.RSS)
		}
	}
}

// quantile is the recovery time that a share of all does not exceed; 0: there was
// none.
func (w *watch) quantile(q float64) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return quantile(w.recoveries, q)
}

func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
