package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"weir/pkg/detect"
)

// detection is the flags of weir detect.
type detection struct {
	detector string
	input    string
	columns  []string
	plot     string
	skipBad  bool
	interval time.Duration
	stuck    time.Duration
	missing  time.Duration
	config   detect.Config
}

func newDetectCommand() *cobra.Command {
	f, d := &format{}, &detection{}
	cmd := &cobra.Command{
		Use:   "detect",
		Short: "Run a detector over a file of timestamp,value",
		Long: `Run a detector over a file of timestamp,value and print timestamp, value, score and flag
of each row. The score is what is compared with the threshold: the flag is 1 exactly where
the score has reached it. Each row is judged by the rows before it, and no more than the
detector's state is kept, so the input may be a pipe that never ends.

Timestamps are RFC 3339, "2006-01-02 15:04:05" in UTC, or Unix seconds, milliseconds,
microseconds or nanoseconds. A value that is empty, null or NaN is not judged: score 0.`,
		Example: `  weir detect --input pump.csv
  weir detect --input pump.csv -o json --plot pump.svg
  tail -f pump.csv | weir detect --input -
  weir detect --detector limits --low 0 --high 80 --input pump.csv
  weir detect --detector joint --columns flow,pressure --input pump.csv
  weir detect --detector list`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if d.detector == "list" {
				return listDetectors(cmd.OutOrStdout(), f.name)
			}
			return d.run(cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), f.name)
		},
	}
	d.addFlags(cmd)
	f.addFlag(cmd, asCSV, asJSON)
	return cmd
}

func (d *detection) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&d.detector, "detector", detect.Default, "name of a detector, or list: all of them")
	flags.StringVar(&d.input, "input", "", "CSV file with columns timestamp and value; -: stdin")
	flags.StringSliceVar(&d.columns, "columns", nil, "columns that detector joint judges together (default: all but the timestamp)")
	flags.StringVar(&d.plot, "plot", "", "also draw values, flags and scores to this .svg or .png file")
	flags.BoolVar(&d.skipBad, "skip-bad", false, "skip rows that cannot be read, and count them")
	flags.DurationVar(&d.interval, "interval", 0, "time between samples (default: learned from the data)")
	flags.Float64Var(&d.config.Budget, "budget", detect.DefaultBudget, "findings that a normal series may raise in a day")
	flags.BoolVar(&d.config.Counter, "counter", false, "values count up: judge their increase per second")
	flags.Float64Var(&d.config.Low, "low", 0, "lower limit, for detectors limits and facts")
	flags.Float64Var(&d.config.High, "high", 0, "upper limit; both 0: none")
	flags.Float64Var(&d.config.MaxRate, "max-rate", 0, "fastest change per second, for detectors rate and facts")
	flags.DurationVar(&d.stuck, "stuck", 0, "how long a value may stay the same, for detectors stuck and facts (default: ten minutes, and twice what the series has shown)")
	flags.DurationVar(&d.missing, "missing", 0, "longest silence, for detectors missing and facts (default: four intervals)")
}

// A detectorRow explains one detector.
type detectorRow struct {
	Name    string `json:"name"`
	Sort    string `json:"sort"` // default, fact, baseline, several columns; empty: none of these
	About   string `json:"about"`
	GoodFor string `json:"good_for"`
}

// detectorRows explain all of them.
func detectorRows() (rows []detectorRow) {
	for _, k := range detect.Kinds() {
		row := detectorRow{Name: k.Name, About: k.About, GoodFor: k.GoodFor}
		switch {
		case k.Name == detect.Default:
			row.Sort = "default"
		case k.Baseline:
			row.Sort = "baseline"
		case k.Fact:
			row.Sort = "fact"
		}
		rows = append(rows, row)
	}
	return append(rows, detectorRow{
		Name: jointName, Sort: "several columns",
		About:   "Hotelling's T² and Q of up to 16 columns: how unusual a row is among the ways in which they vary together, and off them",
		GoodFor: "what no column shows alone: a pressure that does not go with its flow",
	})
}

// listDetectors prints them as lines of JSON or, to read, as a table.
func listDetectors(out io.Writer, as string) error {
	if as == asJSON {
		lines := json.NewEncoder(out)
		for _, row := range detectorRows() {
			if err := lines.Encode(row); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable(out, format{name: asTable}, "detector", "what it does", "good for")
	for _, row := range detectorRows() {
		name := row.Name
		if row.Sort != "" {
			name += " (" + row.Sort + ")"
		}
		t.row(name, row.About, row.GoodFor)
	}
	return t.flush()
}

// run judges every row of the input.
func (d *detection) run(stdin io.Reader, out, notes io.Writer, as string) error {
	c := d.config
	c.Interval, c.Stuck, c.Missing = int64(d.interval), int64(d.stuck), int64(d.missing)
	judge, err := d.newJudge(c)
	if err != nil {
		return err
	}
	draw, err := plotterFor(d.plot)
	if err != nil {
		return err
	}
	in, err := d.open(stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	fmt.Fprintf(notes, "detector %s, threshold %g\n", d.detector, judge.threshold)
	var picture chart
	rows := newSeriesReader(in, d.skipBad)
	rows.channels = judge.channels
	counts, err := judgeRows(rows, judge.row, newVerdictWriter(out, as), &picture)
	if counts.bad > 0 {
		fmt.Fprintf(notes, "skipped %d bad rows, the first at line %d: %v\n", counts.bad, counts.badLine, counts.badErr)
	}
	sayRefused(notes, judge.refused())
	if err != nil || d.plot == "" {
		return err
	}
	return writePlot(d.plot, draw, &picture, d.detector, judge.threshold)
}

// A rowJudge is a detector as rows see it.
type rowJudge struct {
	threshold float64
	channels  *channels // that it reads; nil: one value
	row       func(*seriesRow) (detect.Verdict, error)
	refused   func() detect.Refused
}

func (d *detection) newJudge(c detect.Config) (rowJudge, error) {
	if d.detector == jointName {
		j, threshold, err := newJointJudge(d.columns, c)
		if err != nil {
			return rowJudge{}, err
		}
		return rowJudge{threshold, j.channels, j.judge, j.refused}, nil
	}
	if len(d.columns) > 0 {
		return rowJudge{}, usageError("--columns: detector %s judges one value, only %s judges several", d.detector, jointName)
	}
	detector, err := detect.New(d.detector, c)
	if err != nil {
		return rowJudge{}, exitWith(exitUsage, err)
	}
	row := func(row *seriesRow) (detect.Verdict, error) {
		return detector.Update(detect.Sample{Time: row.time, Value: row.value, Completeness: 1}), nil
	}
	return rowJudge{detect.ThresholdOf(detector), nil, row, func() detect.Refused { return detect.RefusedBy(detector) }}, nil
}

// open is the input: a file, or stdin for "-".
func (d *detection) open(stdin io.Reader) (io.ReadCloser, error) {
	switch d.input {
	case "":
		return nil, usageError("--input: name a CSV file, or - for stdin")
	case "-":
		return io.NopCloser(stdin), nil
	}
	file, err := os.Open(d.input)
	if err != nil {
		return nil, usageError("--input: %w", err)
	}
	return file, nil
}

// sayRefused tells what the detector has neither judged nor learned.
func sayRefused(notes io.Writer, r detect.Refused) {
	if r.Disorder > 0 {
		fmt.Fprintf(notes, "%d rows were not newer than the row before them: not judged, score 0\n", r.Disorder)
	}
	if r.Value > 0 {
		fmt.Fprintf(notes, "%d rows had no value, or one beyond 1e30 either way: not judged, score 0\n", r.Value)
	}
	if r.Reset > 0 {
		fmt.Fprintf(notes, "%d resets of the counter\n", r.Reset)
	}
}

// judgeRows streams rows through the detector.
func judgeRows(in *seriesReader, judge func(*seriesRow) (detect.Verdict, error), out *verdictWriter, picture *chart) (rowCounts, error) {
	for {
		row, err := in.next()
		if errors.Is(err, io.EOF) {
			return in.counts, out.flush()
		}
		if err != nil {
			return in.counts, errors.Join(err, out.flush())
		}
		v, err := judge(&row)
		if err != nil {
			return in.counts, errors.Join(err, out.flush())
		}
		picture.add(row.time, row.value, v.Alert, v.Flag)
		if err := out.write(row, v); err != nil {
			return in.counts, fmt.Errorf("write row of line %d: %w", row.line, err)
		}
		if !in.buffered() {
			if err := out.flush(); err != nil { // whoever writes the pipe slowly wants to see
				return in.counts, err
			}
		}
	}
}
