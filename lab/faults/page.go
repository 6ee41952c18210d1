package main

import (
	"fmt"
	"os"
	"runtime"
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

// runsTable is the table of runs for the page.
func runsTable(done []*outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", machine())
	b.WriteString("| scenario | seed | took, s | kills | power cuts | recoveries | recovery p50, ms | p99, ms | verdict |\n|---|--:|--:|--:|--:|--:|--:|--:|---|\n")
	for _, o := range done {
		verdict := "exact"
		if o.Failed() {
			verdict = "**fails**: " + firstLine(o.Problems[0])
		}
		fmt.Fprintf(&b, "| %s | %d | %.0f | %d | %d | %d | %d | %d | %s |\n", o.Scenario, o.Seed, o.Took.Seconds(), o.Kills, o.Cuts, len(o.Recovery),
			quantile(o.Recovery, 0.5).Milliseconds(), quantile(o.Recovery, 0.99).Milliseconds(), verdict)
	}
	for _, o := range done {
		if len(o.Rises) > 0 {
			fmt.Fprintf(&b, "\n%s", risesTable(o))
		}
	}
	return b.String()
}

// risesTable is what outages did to live windows.
func risesTable(o *outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d agents: seconds from the end of a live window until a user at its region saw it, p50 · p99 · greatest\n\n", o.Scenario, o.Agents)
	b.WriteString("| outage, s | before | after | p99 rises to | first of the backlog, s after the heal |\n|--:|--:|--:|--:|--:|\n")
	row := func(long string, r rise, back string) {
		fmt.Fprintf(&b, "| %s | %v | %v | %.0f %% | %s |\n", long, r.before, r.after, 100*r.ratio(), back)
	}
	for _, r := range o.Rises {
		row(fmt.Sprintf("%.0f", r.long.Seconds()), r, fmt.Sprintf("%.1f", r.back.Seconds()))
	}
	row("**median**", median(o.Rises), "")
	return b.String()
}

// machine says when and on what figures were measured.
func machine() string {
	load, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("%s, %d cores, %s, load average %s at the end", time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(), runtime.Version(), one)
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
