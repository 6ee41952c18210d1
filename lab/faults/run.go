package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/lab/faults/planted"
	"weir/lab/faults/scenario"
	"weir/lab/harness"
)

// runner runs scenarios, one after the other.
type runner struct {
	dir  string // of all artefacts
	keep bool   // also where nothing went wrong
	out  func(line string)
	weir harness.Binary // instead of what is built from the sources; empty: built

	mu    sync.Mutex                // one build at a time
	built map[string]harness.Binary // by variant
}

// newRunner makes a runner with a new folder of artefacts. out is called with one
// line after the other.
func newRunner(out func(string)) (*runner, error) {
	dir, err := os.MkdirTemp("", "weir-faults-")
	var mu sync.Mutex
	inTurn := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		out(line)
	}
	return &runner{dir: dir, out: inTurn, built: map[string]harness.Binary{}}, err
}

// each calls f for 0 to n-1, so many at a time, and joins the errors.
func each(n, atOnce int, f func(i int) error) error {
	errs := make([]error, n)
	room := make(chan struct{}, max(1, atOnce))
	var all sync.WaitGroup
	for i := range n {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			errs[i] = f(i)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// forget removes the artefacts of a run that was meant to fail.
func (r *runner) forget(o *outcome) {
	if !r.keep {
		_ = os.RemoveAll(o.Dir)
	}
}

// close removes what explains nothing.
func (r *runner) close() {
	_ = os.RemoveAll(filepath.Join(r.dir, "bin"))
	_ = os.Remove(r.dir) // unless something is kept in it
}

// outcome is what a run came to.
type outcome struct {
	Scenario string
	Seed     uint64
	Began    bool // everything was up and devices played; else the problems are the harness's or the machine's
	Problems []string
	Took     time.Duration
	Ended    time.Time
	Load     float64 // average, when it ended
	Recovery []time.Duration
	Kills    int
	Cuts     int // of power
	Agents   int
	Rises    []rise // what outages did to live windows; empty: nobody looked
	Dir      string
}

// Failed reports whether anything went wrong.
func (o *outcome) Failed() bool { return len(o.Problems) > 0 }

// String is one line.
func (o *outcome) String() string {
	verdict := "ok  "
	if o.Failed() {
		verdict = "FAIL"
	}
	return fmt.Sprintf("%s  %-24s seed %-8d %6.1f s  %d kills, %d power cuts, recovery p99 %v", verdict, o.Scenario, o.Seed, o.Took.Seconds(), o.Kills, o.Cuts, quantile(o.Recovery, 0.99).Round(time.Millisecond))
}

// run runs a scenario once.
func (r *runner) run(ctx context.Context, s *scenario.Scenario, seed uint64) (*outcome, error) {
	weir, err := r.binary(s)
	if err != nil {
		return nil, err
	}
	return r.runBinary(ctx, s, seed, weir)
}

// runBinary runs a scenario once, with a product that has been built for it.
func (r *runner) runBinary(ctx context.Context, s *scenario.Scenario, seed uint64, weir harness.Binary) (*outcome, error) {
	t, err := newTrial(ctx, s.Name, r.dir, r.out)
	if err != nil {
		return nil, err
	}
	o := &outcome{Scenario: s.Name, Seed: seed, Dir: t.dir, Agents: len(s.Topology.Agents())}
	t.run(func() { r.play(t, s, seed, weir, o) })
	o.Problems, o.Took, o.Ended, o.Load = t.Problems(), time.Since(t.begun), time.Now(), loadAverage()
	if !o.Failed() && !r.keep {
		return o, os.RemoveAll(t.dir)
	}
	return o, nil
}

// play is one run, from the first start to the last verdict.
func (r *runner) play(t *trial, s *scenario.Scenario, seed uint64, weir harness.Binary, o *outcome) {
	x := newSite(t, s, weir)
	k := &striker{site: x, seed: seed, paused: map[string]bool{}, repeaters: map[string]*repeater{}}
	t.Cleanup(k.report)
	x.start()
	x.play(seed)
	o.Began = true
	k.before = x.weigh()
	k.watch, k.live = newWatch(x), newLive(x)
	defer func() {
		k.watch.close()
		o.Recovery, o.Kills, o.Cuts, o.Rises = k.watch.recoveries, k.kills, k.powerCuts, k.rises
	}()
	k.strike(s.Plan(seed))
	k.after = x.weigh()
	k.judge()
}

// report writes what really happened beside the other artefacts and, where the
// run failed, says how to find out why.
func (k *striker) report() {
	schedule := filepath.Join(k.dir, "schedule.txt")
	_ = os.WriteFile(schedule, []byte(strings.Join(k.done, "\n")+"\n"), 0o644)
	if !k.Failed() {
		return
	}
	k.Logf("seed %d; to run it again: go run ./lab/faults run --seed %d lab/faults/scenarios/%s.yaml", k.seed, k.seed, k.s.Name)
	k.Logf("what was really done:\n%s", strings.Join(k.done, "\n"))
	k.Logf("artefacts in %s: schedule.txt, policy.json, and for each process log, data folder with run.json, truths:\n%s", k.dir, k.site)
}

// weigh asks what each process holds.
func (x *site) weigh() map[string]harness.Resources {
	all := map[string]harness.Resources{}
	for name, p := range x.processes {
		all[name] = p.Resources()
	}
	return all
}

// binary is the product in the variant that a scenario needs.
func (r *runner) binary(s *scenario.Scenario) (harness.Binary, error) {
	if r.weir != "" && s.Build == scenario.AsShipped && s.Speed == 1 {
		return r.weir, nil
	}
	variant := fmt.Sprintf("weir-%s-%d", s.Build, s.Speed)
	r.mu.Lock()
	defer r.mu.Unlock()
	if b, ok := r.built[variant]; ok {
		return b, nil
	}
	b, err := r.buildWith(variant, s, nil)
	if err == nil {
		r.built[variant] = b
	}
	return b, err
}

// buildWith builds the variant that a scenario needs, and patches beside. It takes
// minutes where the standard library is built anew.
func (r *runner) buildWith(variant string, s *scenario.Scenario, patches []planted.Patch) (harness.Binary, error) {
	root, err := harness.Root()
	if err != nil {
		return "", err
	}
	o := planted.Options{Root: root, Dir: filepath.Join(r.dir, "bin", variant), Race: s.Build == scenario.Race, Patches: slices.Clone(patches)}
	if s.Build == scenario.StepClock {
		o.Patches = append(o.Patches, planted.StepClock()...)
	}
	if s.Speed > 1 {
		o.Patches = append(o.Patches, planted.FastClock(s.Speed)...)
	}
	begun := time.Now()
	path, err := planted.Build(o)
	if err == nil {
		r.out(fmt.Sprintf("          built %s in %.1f s", variant, time.Since(begun).Seconds()))
	}
	return harness.Binary(path), err
}
