package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"weir/lab/eval/corpus"
	"weir/lab/page"
	"weir/pkg/detect"
)

// options are the flags.
type options struct {
	data   string // folder of series
	weir   string // binary whose verdicts are compared; empty: none
	full   bool
	stages string
	kinds  string
	rates  string // cadences
	seed   uint64
	write  string // page with a marked block; empty: none
	notice io.Writer
}

// Stages, in the order in which they run.
const (
	stageSpeed  = "speed"
	stageSeries = "series"
	stageCausal = "causal"
	stageNoise  = "noise"
	stageFaults = "faults"
	stagePairs  = "pairs"
)

var (
	allStages    = []string{stageSpeed, stageSeries, stageCausal, stageNoise, stageFaults, stagePairs}
	seriesStages = []string{stageSeries, stageCausal} // where a folder is named
)

func main() {
	if err := run(parseFlags(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "eval:", err)
		os.Exit(1)
	}
}

func parseFlags() options {
	o := options{notice: os.Stderr}
	flag.StringVar(&o.data, "data", "", "folder of series: NAB's layout, or .csv files with timestamp,value[,label]; it alone is judged then")
	flag.StringVar(&o.weir, "weir", "", "a built weir, whose `detect` must give the library's verdicts on each series")
	flag.BoolVar(&o.full, "full", false, "several times as much noise and as many faults")
	flag.StringVar(&o.stages, "stages", "", "only these, joined by commas: "+strings.Join(allStages, ", "))
	flag.StringVar(&o.kinds, "detectors", "", "only these detectors, joined by commas")
	flag.StringVar(&o.rates, "cadences", "", "only these in noise and faults, joined by commas: 10 Hz, 1 s, 10 s, 1 min, 5 min")
	flag.Uint64Var(&o.seed, "seed", 1, "of all chance")
	flag.StringVar(&o.write, "write", "", "page whose marked block the report replaces")
	flag.Parse()
	return o
}

// block is where the report stands in a page.
var block = page.Block{Begins: "<!-- eval: written by make eval -->\n", Ends: "<!-- /eval -->\n"}

// run measures and prints. What is wrong, not just bad, is in the error, behind the report.
func run(o options, out io.Writer) error {
	stages, err := chooseStages(o)
	if err != nil {
		return err
	}
	kinds, err := chooseKinds(o.kinds)
	if err != nil {
		return err
	}
	plan, err := newPlan(o.full, o.rates)
	if err != nil {
		return err
	}
	folder := o.data
	if folder == "" {
		folder = "lab/testdata/nab"
	}
	series, err := corpus.Read(os.DirFS(folder))
	if err != nil {
		return fmt.Errorf("-data %s: %w", folder, err)
	}
	r := report{Command: "go run ./lab/eval " + strings.Join(os.Args[1:], " "), Began: time.Now().UTC(), Folder: folder, Series: series, Plan: plan, Seed: o.seed}
	for _, stage := range stages {
		began := time.Now()
		if err := r.measure(stage, kinds, o); err != nil {
			return err
		}
		fmt.Fprintf(o.notice, "eval: %s took %.0f s\n", stage, time.Since(began).Seconds())
	}
	r.Took = time.Since(r.Began)
	text := r.markdown()
	fmt.Fprint(out, text)
	if o.write != "" {
		if err := block.Rewrite(o.write, text); err != nil {
			return fmt.Errorf("-write: %w", err)
		}
	}
	if len(r.Wrong) > 0 {
		return fmt.Errorf("%d runs are wrong, see the end of the report; the first: %w", len(r.Wrong), r.Wrong[0])
	}
	return nil
}

// measure runs one stage and keeps what it says.
func (r *report) measure(stage string, kinds []detect.Kind, o options) (err error) {
	switch stage {
	case stageSpeed:
		r.Costs, err = measureCosts(kinds)
	case stageSeries:
		if r.Standings, err = rank(kinds, r.Series, r.Seed); err == nil && o.weir != "" {
			r.compareWithBinary(o, kinds)
		}
	case stageCausal:
		r.proveCausal(kinds)
	case stageNoise:
		r.Noise, err = hearNoise(thatMatter(kinds, o), r.Plan, r.Seed)
	case stageFaults:
		if r.Faults, err = findFaults(thatMatter(kinds, o), r.Plan, r.Noise, r.Seed); err == nil {
			r.FirstFaults, err = findFaults(asShipped(thatMatter(kinds, o)), onFirstDay(r.Plan), nil, r.Seed)
		}
	case stagePairs:
		r.Pairs, err = hearPairs(r.Plan, r.Seed)
	}
	return err
}

func chooseStages(o options) ([]string, error) {
	if o.stages == "" && o.data != "" {
		return seriesStages, nil
	}
	if o.stages == "" {
		return allStages, nil
	}
	chosen := strings.Split(o.stages, ",")
	for _, s := range chosen {
		if !slices.Contains(allStages, s) {
			return nil, fmt.Errorf("-stages %s: use %s", s, strings.Join(allStages, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(allStages), func(s string) bool { return !slices.Contains(chosen, s) }), nil
}

// chooseKinds are the named detectors in the order of the library, or all.
func chooseKinds(names string) ([]detect.Kind, error) {
	all := detect.Kinds()
	if names == "" {
		return all, nil
	}
	wanted := strings.Split(names, ",")
	for _, name := range wanted {
		if _, err := detect.New(name, detect.Config{}); err != nil {
			return nil, fmt.Errorf("-detectors: %w", err)
		}
	}
	return slices.DeleteFunc(all, func(k detect.Kind) bool { return !slices.Contains(wanted, k.Name) }), nil
}

// thatMatter leaves out the parts of facts, which say nothing that the whole does not, unless they are asked for.
func thatMatter(kinds []detect.Kind, o options) []detect.Kind {
	if o.kinds != "" {
		return kinds
	}
	return slices.DeleteFunc(slices.Clone(kinds), func(k detect.Kind) bool { return k.Fact && k.Name != "facts" })
}

// asShipped are the default detector and the facts, as a series is watched.
func asShipped(kinds []detect.Kind) []detect.Kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k detect.Kind) bool { return !k.Fact && k.Name != detect.Default })
}

// machine is what the times depend on.
func machine() string {
	return fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}
