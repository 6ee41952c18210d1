package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"weir/lab/harness"
	"weir/lab/page"
	"weir/schemas"
)

// options are the flags.
type options struct {
	weir    string           // the binary
	pairs   int              // of runs of weir and of the floor, per row
	quick   bool             // one short pair and short benchmarks: only whether it works
	only    string           // rows whose name holds this; empty: all
	group   time.Duration    // of the floor's PUBACKs
	journal schemas.ByteSize // to catch up with
	json    bool
	write   string // page with a marked block for the table; empty: none
	notice  io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, parseFlags(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseFlags() options {
	o := options{notice: os.Stderr}
	flag.StringVar(&o.weir, "weir", "bin/weir", "the binary to measure")
	flag.IntVar(&o.pairs, "pairs", 5, "pairs of runs, weir and floor, per row that has a floor")
	flag.BoolVar(&o.quick, "quick", false, "one short pair per row: shows that it works, its figures mean nothing")
	flag.StringVar(&o.only, "only", "", "only rows whose name holds this text")
	flag.DurationVar(&o.group, "group", 20*time.Millisecond, "time between two groups of PUBACKs of the QoS 1 floor; 0: at once")
	flag.TextVar(&o.journal, "journal", schemas.ByteSize(1<<30), "size of the journal that is caught up with")
	flag.BoolVar(&o.json, "json", false, "JSON instead of a table")
	flag.StringVar(&o.write, "write", "", "page whose marked block the table replaces")
	flag.Parse()
	return o
}

// report is everything that was measured.
type report struct {
	Command  string    `json:"command"`
	Began    time.Time `json:"began"`
	Machine  machine   `json:"machine"`
	Stages   []stage   `json:"stages"`
	Runs     []result  `json:"runs"`
	Delays   []delayed `json:"delays"`
	Findings []noticed `json:"findings"`
	CatchUps []catchUp `json:"catch_ups"`
	Exports  []export  `json:"exports"`
}

// run measures and prints.
func run(ctx context.Context, o options, out io.Writer) error {
	if o.pairs < 1 {
		return fmt.Errorf("-pairs %d: use 1 or more", o.pairs)
	}
	root, err := harness.Root()
	if err != nil {
		return err
	}
	if _, err := os.Stat(o.weir); err != nil {
		return fmt.Errorf("-weir %s: %w; make build makes bin/weir", o.weir, err)
	}
	r := report{Command: commandLine(os.Args[1:]), Began: time.Now().UTC()}
	if r.Machine, err = thisMachine(); err != nil {
		return err
	}
	fmt.Fprintln(o.notice, r.Machine)
	if r.Stages, err = measureStages(ctx, o, root); err != nil {
		return err
	}
	if r.Runs, err = measureRuns(ctx, o, root); err != nil {
		return err
	}
	if r.Delays, err = measureDelays(ctx, o); err != nil {
		return err
	}
	if r.Findings, err = measureFindings(ctx, o); err != nil {
		return err
	}
	if r.CatchUps, err = measureCatchUp(ctx, o); err != nil {
		return err
	}
	if r.Exports, err = measureExports(ctx, o); err != nil {
		return err
	}
	return publish(r, o, out)
}

// commandLine is what to type to measure again.
func commandLine(args []string) string {
	line := "go run ./lab/bench"
	for _, a := range args {
		if strings.ContainsAny(a, " \"'") {
			a = strconv.Quote(a)
		}
		line += " " + a
	}
	return line
}

// block is where the tables stand in a page.
var block = page.Block{Begins: "<!-- bench: written by make bench -->\n", Ends: "<!-- /bench -->\n"}

// publish prints the report, and writes it into a page where that is asked for.
func publish(r report, o options, out io.Writer) error {
	text := r.markdown()
	if o.write != "" {
		if err := block.Rewrite(o.write, text); err != nil {
			return fmt.Errorf("-write: %w", err)
		}
	}
	if o.json {
		return json.NewEncoder(out).Encode(r)
	}
	_, err := io.WriteString(out, text)
	return err
}
