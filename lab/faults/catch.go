package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/lab/faults/planted"
	"weir/lab/faults/scenario"
	"weir/lab/harness"
)

// caught is what came of a planted bug.
type caught struct {
	Bug      planted.Bug
	Invalid  string // why nothing was tried: a scenario that fails without the bug proves nothing
	Skipped  string // likewise: what this machine lacks
	Scenario string // or test; empty: nothing noticed it
	Seed     uint64
	How      string        // the first problem
	Took     time.Duration // until the verdict, without the build
	Tries    int
}

// plantedCommand plants bugs one after the other.
func plantedCommand(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("planted", flag.ContinueOnError)
	seed := f.Uint64("seed", 1, "of the first try; the next takes the next one")
	tries := f.Int("tries", 3, "how often a scenario may miss a bug")
	fast := f.Bool("fast", false, "only those that are caught soon")
	control := f.Bool("control", true, "first run each scenario without the bug, which must succeed")
	verbose := f.Bool("v", false, "print what the runs print")
	atOnce := f.Int("parallel", 1, "how many bugs at a time")
	file := f.String("write", "", "page whose table of planted bugs is written anew")
	if err := f.Parse(args); err != nil {
		return err
	}
	bugs, err := chooseBugs(f.Args(), *fast)
	if err != nil {
		return err
	}
	quiet := func(line string) {
		if *verbose {
			fmt.Fprintln(out, line)
		}
	}
	r, err := newRunner(quiet)
	if err != nil {
		return err
	}
	defer r.close()
	h := hunt{runner: r, seed: *seed, tries: *tries, control: *control, controls: map[string]*verdict{}}
	all := make([]*caught, len(bugs))
	err = each(len(bugs), *atOnce, func(i int) (err error) {
		if all[i], err = h.catch(ctx, bugs[i]); err == nil {
			fmt.Fprintln(out, all[i])
		}
		return err
	})
	if err != nil {
		return err
	}
	if *file != "" {
		err = blockOf("planted").Rewrite(*file, bugsTable(all))
	}
	if slices.ContainsFunc(all, func(c *caught) bool { return c.Scenario == "" && c.Skipped == "" }) && err == nil {
		err = errFailed
	}
	return err
}

// chooseBugs are those of these names, or all.
func chooseBugs(names []string, fast bool) (all []planted.Bug, err error) {
	for _, b := range planted.Bugs() {
		if (len(names) == 0 || slices.Contains(names, b.Name)) && (b.Fast || !fast) {
			all = append(all, b)
		}
	}
	if len(all) == 0 || len(names) > 0 && len(all) != len(names) {
		return nil, fmt.Errorf("no such planted bug among %q", names)
	}
	return all, nil
}

// hunt looks for what notices planted bugs.
type hunt struct {
	*runner
	seed    uint64
	tries   int
	control bool

	mu       sync.Mutex
	controls map[string]*verdict // by scenario
}

// verdict is that of a scenario without any bug; it is found once.
type verdict struct {
	once    sync.Once
	problem string // empty: it succeeds
	err     error
}

// catch plants a bug and runs the scenarios that should notice it, until one does.
func (h *hunt) catch(ctx context.Context, b planted.Bug) (*caught, error) {
	c := &caught{Bug: b}
	if b.Test.Name != "" {
		return c, h.test(c)
	}
	for _, name := range b.Caught {
		s, err := h.shippedScenario(name)
		if err != nil {
			return nil, err
		}
		if c.Skipped = needs(s); c.Skipped != "" {
			return c, nil
		}
		if problem, err := h.without(ctx, b, s); problem != "" || err != nil {
			c.Invalid = problem
			return c, err
		}
		weir, err := h.plant(b, s)
		if err != nil {
			return nil, err
		}
		if err := h.try(ctx, c, s, weir); err != nil || c.Scenario != "" {
			return c, err
		}
	}
	return c, nil
}

// test runs a test of the product without the bug and with it.
func (h *hunt) test(c *caught) error {
	root, err := harness.Root()
	if err != nil {
		return err
	}
	o := planted.Options{Root: root, Dir: filepath.Join(h.dir, "bin", variantOf(c.Bug.Name))}
	if err := planted.Run(o, c.Bug.Test); err != nil {
		c.Invalid = err.Error()
		return nil
	}
	o.Patches = c.Bug.Patches
	begun := time.Now()
	err = planted.Run(o, c.Bug.Test)
	c.Took, c.Tries = time.Since(begun), 1
	if !errors.Is(err, planted.ErrTest) {
		return err
	}
	c.Scenario, c.How = c.Bug.Test.String(), "the test fails"
	return nil
}

func variantOf(bug string) string { return strings.ReplaceAll(bug, " ", "-") }

// try runs a scenario with one seed after the other until it fails.
func (h *hunt) try(ctx context.Context, c *caught, s *scenario.Scenario, weir harness.Binary) error {
	for try := range uint64(h.tries) {
		o, err := h.runBinary(ctx, s, h.seed+try, weir)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if !o.Began && try+1 < uint64(h.tries) {
			h.forget(o)
			continue // a port that is taken is no catch; the last time a product that does not start is
		}
		c.Tries++
		c.Took += o.Took
		if o.Failed() {
			c.Scenario, c.Seed, c.How = s.Name, h.seed+try, o.Problems[0]
			h.forget(o)
			return nil
		}
	}
	return nil
}

// without runs a scenario without the bug, once for all bugs that change nothing
// beside, and returns what went wrong.
func (h *hunt) without(ctx context.Context, b planted.Bug, s *scenario.Scenario) (problem string, err error) {
	if !h.control {
		return "", nil
	}
	name := s.Name
	if len(b.Beside) > 0 {
		name += " beside " + b.Name
	}
	h.mu.Lock()
	v := h.controls[name]
	if v == nil {
		v = new(verdict)
		h.controls[name] = v
	}
	h.mu.Unlock()
	v.once.Do(func() { v.problem, v.err = h.controlRun(ctx, b, s) })
	return v.problem, v.err
}

func (h *hunt) controlRun(ctx context.Context, b planted.Bug, s *scenario.Scenario) (problem string, err error) {
	weir, err := h.binary(s)
	if len(b.Beside) > 0 {
		b.Name, b.Patches = "without "+b.Name, nil
		weir, err = h.plant(b, s)
	}
	if err != nil {
		return "", err
	}
	o, err := h.runBinary(ctx, s, h.seed, weir)
	if err == nil && o.Failed() {
		problem = o.Problems[0]
	}
	return problem, err
}

// plant builds the variant of the product that the scenario needs, with the bug.
func (r *runner) plant(b planted.Bug, s *scenario.Scenario) (harness.Binary, error) {
	name := variantOf(b.Name) + fmt.Sprintf("-%s-%d", s.Build, s.Speed)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buildWith(name, s, slices.Concat(b.Beside, b.Patches))
}

// shippedScenario reads one of the project's scenarios.
func (r *runner) shippedScenario(name string) (*scenario.Scenario, error) {
	files, err := shipped()
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if filepath.Base(file) == name+".yaml" {
			all, err := readAll([]string{file})
			if err != nil {
				return nil, err
			}
			return all[0], nil
		}
	}
	return nil, fmt.Errorf("there is no scenario %s", name)
}

// judges are what should notice the bug.
func (c *caught) judges() string {
	if c.Bug.Test.Name != "" {
		return c.Bug.Test.String()
	}
	return strings.Join(c.Bug.Caught, ", ")
}

// String is one line.
func (c *caught) String() string {
	if c.Invalid != "" {
		return fmt.Sprintf("INVALID %-32s %s fails without it: %s", c.Bug.Name, c.judges(), firstLine(c.Invalid))
	}
	if c.Skipped != "" {
		return fmt.Sprintf("skip    %-32s %s needs %s", c.Bug.Name, c.judges(), firstLine(c.Skipped))
	}
	if c.Scenario == "" {
		return fmt.Sprintf("MISSED  %-32s by %s in %d runs, %.0f s", c.Bug.Name, c.judges(), c.Tries, c.Took.Seconds())
	}
	return fmt.Sprintf("caught  %-32s by %s (run %d, seed %d) in %.0f s: %s", c.Bug.Name, c.Scenario, c.Tries, c.Seed, c.Took.Seconds(), firstLine(c.How))
}

// bugsTable is the table of planted bugs for the page.
func bugsTable(all []*caught) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n| planted bug | what it does | caught by | runs | in, s | first sign |\n|---|---|---|--:|--:|---|\n", machine())
	for _, c := range all {
		by, sign := c.Scenario, firstLine(c.How)
		if c.Invalid != "" {
			by, sign = "not tried: "+c.judges()+" fails without it", firstLine(c.Invalid)
		} else if c.Skipped != "" {
			by, sign = "not tried: "+c.judges()+" needs more than this machine has", firstLine(c.Skipped)
		} else if by == "" {
			by, sign = "**nothing** of "+c.judges(), ""
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %.0f | %s |\n", c.Bug.Name, c.Bug.Does, by, c.Tries, c.Took.Seconds(), sign)
	}
	return b.String()
}
