// Command faults breaks a running fleet as a scenario file says, heals it, and
// wants every record counted once all the same.
//
//	go run ./lab/faults run lab/faults/scenarios/kills.yaml            one scenario, any seed
//	go run ./lab/faults run --seed 42 --keep FILE…                     the run that failed, artefacts kept
//	go run ./lab/faults run --set pr                                   all scenarios of a set
//	go run ./lab/faults plan --seed 42 FILE                            what would happen and when
//	go run ./lab/faults planted [--write docs/faults.md] [NAME…]       plant bugs, and say what caught them
//
// In: scenario files, the sources of the product. Out: lines on stdout, and where a
// run fails its seed, the schedule that was really carried out, and a folder with
// logs, data folders, truths. Exit code 1: a run failed; 2: usage.
//
// Promises: what happens to whom and when is a function of scenario and seed
// (package scenario), as far as a schedule of a real machine can be. The judge is
// weir verify, which recomputes the truth from the simulator's seeds; beside it
// ledgers, logs, invariants and what processes hold are judged (verdict.go).
//
// Limits: Linux; power cuts, full disks and namespaces need root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/rs/zerolog"

	"weir/lab/faults/scenario"
	"weir/lab/harness"
)

func main() {
	zerolog.SetGlobalLevel(zerolog.Disabled) // the proxies' own log
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Stdout)
	stop()
	os.Exit(code)
}

var errUsage = errors.New("usage: faults run|plan|planted [flags] [FILE…]; the package comment has examples")

// command runs a subcommand and returns the exit code.
func command(ctx context.Context, args []string, out io.Writer) int {
	verbs := map[string]func(context.Context, []string, io.Writer) error{"run": runCommand, "plan": planCommand, "planted": plantedCommand}
	err := errUsage
	if len(args) > 0 && verbs[args[0]] != nil {
		err = verbs[args[0]](ctx, args[1:], out)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFailed):
		fmt.Fprintln(os.Stderr, err)
		return 1
	case !errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(os.Stderr, err)
	}
	return 2
}

// errFailed: a run did.
var errFailed = errors.New("not everything is as it should be")

func runCommand(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	seed := f.Uint64("seed", 0, "of the schedule, values and times; 0: any")
	keep := f.Bool("keep", false, "keep the artefacts of runs that succeed, too")
	set := f.String("set", "", "run all scenarios of a set: pr or night")
	weir := f.String("weir", "", "the weir to test (default: built from the sources)")
	file := f.String("write", "", "page in whose table of runs these take the place of earlier ones")
	atOnce := f.Int("parallel", 1, "how many scenarios at a time; they wait more than they work")
	agents := f.Int("agents", 0, "at most so many agents, where a machine cannot hold all that a scenario names; 0: all")
	if err := f.Parse(args); err != nil {
		return err
	}
	all, err := choose(*set, f.Args())
	if err != nil {
		return err
	}
	for _, s := range all {
		if *agents > 0 {
			err = errors.Join(err, s.AtMost(*agents))
		}
	}
	if err != nil {
		return err
	}
	r, err := newRunner(func(line string) { fmt.Fprintln(out, line) })
	if err != nil {
		return err
	}
	defer r.close()
	r.keep, r.weir = *keep, harness.Binary(*weir)
	done, err := r.runAll(ctx, all, *seed, *atOnce)
	fmt.Fprint(out, "\n", summary(done))
	if *file != "" {
		err = errors.Join(err, write(*file, done))
	}
	return err
}

// runAll runs scenarios, so many at a time. It goes on where one fails.
func (r *runner) runAll(ctx context.Context, all []*scenario.Scenario, seed uint64, atOnce int) (done []*outcome, err error) {
	outcomes := make([]*outcome, len(all))
	err = each(len(all), atOnce, func(i int) (err error) {
		s, one := all[i], seed
		if missing := needs(s); missing != "" {
			r.out(fmt.Sprintf("skip  %s: it needs %s", s.Name, firstLine(missing)))
			return nil
		}
		if one == 0 {
			one = 1 + rand.Uint64N(1_000_000)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.out(fmt.Sprintf("run   %s, seed %d: %s", s.Name, one, s.About))
		if outcomes[i], err = r.run(ctx, s, one); err == nil {
			r.out(outcomes[i].String())
		}
		return err
	})
	done = slices.DeleteFunc(outcomes, func(o *outcome) bool { return o == nil })
	if err == nil && slices.ContainsFunc(done, (*outcome).Failed) {
		err = errFailed
	}
	return done, err
}

// choose reads the scenarios that are named, or those of a set.
func choose(set string, files []string) (all []*scenario.Scenario, err error) {
	if set == "" {
		if len(files) == 0 {
			return nil, errors.New("name scenario files, or --set pr or --set night")
		}
		return readAll(files)
	}
	if files, err = shipped(); err != nil {
		return nil, err
	}
	if all, err = readAll(files); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(s *scenario.Scenario) bool { return !slices.Contains(s.Sets, set) }), nil
}

// shipped are the project's scenario files.
func shipped() ([]string, error) {
	root, err := harness.Root()
	if err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(root, "lab/faults/scenarios/*.yaml"))
}

func readAll(files []string) (all []*scenario.Scenario, err error) {
	var errs []error
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s, err := scenario.Read(name, data)
		errs = append(errs, err)
		all = append(all, s)
	}
	return all, errors.Join(errs...)
}

// planCommand prints what would happen.
func planCommand(_ context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("plan", flag.ContinueOnError)
	seed := f.Uint64("seed", 1, "of the schedule")
	if err := f.Parse(args); err != nil {
		return err
	}
	all, err := choose("", f.Args())
	if err != nil {
		return err
	}
	for _, s := range all {
		fmt.Fprintf(out, "%s, seed %d, %v: %s\n", s.Name, *seed, s.Duration, s.About)
		for _, step := range s.Plan(*seed) {
			fmt.Fprintf(out, "%10.3f s  %s\n", step.At.Seconds(), step)
		}
	}
	return nil
}
