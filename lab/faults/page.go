package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/lab/page"
)

// summary is one line for each run.
func summary(done []*outcome) string {
	var b strings.Builder
	var recovery []time.Duration
	kills, cuts := 0, 0
	for _, o := range done {
		fmt.Fprintln(&b, o)
		recovery = append(recovery, o.Recovery...)
		kills, cuts = kills+o.Kills, cuts+o.Cuts
	}
	fmt.Fprintf(&b, "%d runs: %d kills, %d power cuts, %d recoveries: median %v, p99 %v, longest %v\n", len(done), kills, cuts, len(recovery),
		quantile(recovery, 0.5).Round(time.Millisecond), quantile(recovery, 0.99).Round(time.Millisecond), quantile(recovery, 1).Round(time.Millisecond))
	return b.String()
}

// runsHead is the head of the table of runs.
const runsHead = "| scenario | seed | ended, UTC | load average | took, s | kills | power cuts | recoveries | p50, ms | p99, ms | verdict |\n" +
	"|---|--:|---|--:|--:|--:|--:|--:|--:|--:|---|\n"

// runsTable is a table of runs in which those of now stand in the place of earlier
// ones of their scenarios. The others stay: all scenarios take hours.
func runsTable(before string, done []*outcome) string {
	rows := map[string]string{}
	_, old, _ := strings.Cut(before, runsHead)
	for row := range strings.Lines(old) {
		rows[scenarioOf(row)] = row
	}
	for _, o := range done {
		row := o.row()
		rows[scenarioOf(row)] = row
	}
	var b strings.Builder
	b.WriteString(runsHead)
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		b.WriteString(rows[name])
	}
	return b.String()
}

// scenarioOf is the first cell of a row.
func scenarioOf(row string) string {
	cells := strings.SplitN(row, "|", 3)
	return strings.TrimSpace(cells[min(1, len(cells)-1)])
}

// row is a run in the table.
func (o *outcome) row() string {
	verdict := "exact"
	if o.Failed() {
		verdict = "**fails**: " + firstLine(o.Problems[0])
	}
	return fmt.Sprintf("| %s | %d | %s | %.1f | %.0f | %d | %d | %d | %d | %d | %s |\n", o.Scenario, o.Seed, o.Ended.UTC().Format("2006-01-02 15:04"), o.Load, o.Took.Seconds(),
		o.Kills, o.Cuts, len(o.Recovery), quantile(o.Recovery, 0.5).Milliseconds(), quantile(o.Recovery, 0.99).Milliseconds(), verdict)
}

// risesTable is what outages did to live windows; empty: nobody looked.
func risesTable(o *outcome) string {
	if len(o.Rises) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d agents, %d cores, %s, load average %.1f at the end\n\n", o.Ended.UTC().Format("2006-01-02 15:04 UTC"), o.Agents, runtime.NumCPU(), runtime.Version(), o.Load)
	b.WriteString("| outage, s | before: p50 · p99 · greatest, s | after | p99 after / before | first of the backlog, s after the heal |\n|--:|--:|--:|--:|--:|\n")
	row := func(name string, r rise, back string) {
		fmt.Fprintf(&b, "| %s | %v | %v | %.2f | %s |\n", name, r.before, r.after, r.ratio(), back)
	}
	for _, r := range o.Rises {
		row(fmt.Sprintf("%.0f", r.long.Seconds()), r, fmt.Sprintf("%.1f", r.back.Seconds()))
	}
	row("**median**", median(o.Rises), "")
	return b.String()
}

// write puts what runs came to into the page.
func write(file string, done []*outcome) error {
	runs := blockOf("runs")
	before, err := runs.Read(file)
	if err == nil {
		err = runs.Rewrite(file, runsTable(before, done))
	}
	for _, o := range done {
		if text := risesTable(o); text != "" {
			err = errors.Join(err, blockOf(o.Scenario).Rewrite(file, text))
		}
	}
	return err
}

// machine says when and on what figures were measured.
func machine() string {
	return fmt.Sprintf("%s, %d cores, %s, load average %.1f at the end", time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(), runtime.Version(), loadAverage())
}

// loadAverage is that of the last minute.
func loadAverage() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(one, 64)
	return load
}

// firstLine is the beginning of a text that fits into a table.
func firstLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	text = strings.ReplaceAll(text, "|", "/")
	if r := []rune(text); len(r) > 120 {
		return string(r[:120]) + "…"
	}
	return text
}

// blockOf is where a table stands in a page.
func blockOf(name string) page.Block {
	return page.Block{Begins: "<!-- faults: " + name + " -->\n", Ends: "<!-- /faults: " + name + " -->\n"}
}
