package main

import (
	"bufio"
	"os"
	"regexp"
	"strings"

	"weir/lab/faults/scenario"
)

// alarms are lines that no run may have, whatever its faults.
var alarms = regexp.MustCompile(`(?i)^panic:|^fatal error:|WARNING: DATA RACE|^goroutine \d+ \[|BUG:|assert`)

// shownLines is how many lines of one log a report quotes.
const shownLines = 5

// always are lines at level ERROR that belong to every run in which somebody above
// is away for a while.
const always = `nats-server: .*(Error trying to connect as leafnode|Stale (Leaf Node )?Connection|Error flushing: write|TLS leafnode handshake error: )`

// explained are lines at level ERROR that a fault explains wherever it is in a
// scenario.
var explained = map[scenario.Kind]string{
	scenario.Power: `input has lost its end, which commits were made from|entries are applied above that this outbox never had|a damaged part of a stream is cut out|input/output error`,
	scenario.Pause: `the store takes nothing any more: restarting the server`,
	scenario.Fill:  `no space left on device|JetStream|journal did not take a frame`,
}

// lossExplained are lines that belong to faults which may lose something: the end of an
// outbox, of which the tier above has applied more.
const lossExplained = `the tier above knows an epoch that is not known here|the tier above has entries that were made from input which is not here|the outbox is lost: entries through the checkpoint|the outbox has lost its end|outbox and checkpoints are lost|the input has lost messages that were folded`

// suspicious returns the lines of a log that are alarms, or errors that nothing
// explains.
func suspicious(text string, allowed []*regexp.Regexp) (lines []string) {
	in := bufio.NewScanner(strings.NewReader(text))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := in.Text()
		if alarms.MatchString(line) || strings.Contains(line, "level=ERROR") && !matchAny(allowed, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

func matchAny(all []*regexp.Regexp, line string) bool {
	for _, r := range all {
		if r.MatchString(line) {
			return true
		}
	}
	return false
}

// allowed are the patterns that a scenario's faults and its own list explain.
func allowed(s *scenario.Scenario) []*regexp.Regexp {
	all := []*regexp.Regexp{regexp.MustCompile(always)}
	for i := range s.Faults {
		if pattern, ok := explained[s.Faults[i].Kind]; ok {
			all = append(all, regexp.MustCompile(pattern))
		}
	}
	if s.End.Loss == scenario.Declared {
		all = append(all, regexp.MustCompile(lossExplained))
	}
	for _, pattern := range s.End.Allow {
		all = append(all, regexp.MustCompile(pattern)) // checked when it was read
	}
	return all
}

// judgeLogs wants no alarm and no unexplained error in what processes have said.
func (x *site) judgeLogs() {
	patterns := allowed(x.s)
	for _, name := range x.names() {
		text, err := os.ReadFile(x.processes[name].LogFile())
		if err != nil {
			x.Errorf("read log of %s: %v", name, err)
			continue
		}
		lines := suspicious(string(text), patterns)
		if n := len(lines); n > 0 {
			x.Errorf("the log of %s has %d lines that nothing explains:\n%s", name, n, strings.Join(lines[:min(n, shownLines)], "\n"))
		}
	}
}
