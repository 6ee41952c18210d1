package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/lab/sights"
)

// TestWrite: a run takes the place of the earlier one of its scenario, other rows
// stay, and what outages did has a block of its own.
func TestWrite(t *testing.T) {
	ended := time.Unix(1_760_000_000, 0)
	run := func(name string, took time.Duration, problems ...string) *outcome {
		return &outcome{Scenario: name, Seed: 7, Took: took, Ended: ended, Load: 1.5, Problems: problems, Recovery: []time.Duration{time.Second}}
	}
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, []byte("<!-- faults: runs -->\n<!-- /faults: runs -->\n<!-- faults: many -->\n<!-- /faults: many -->\nend\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	many := run("many", time.Second)
	many.Agents, many.Rises = 30, []rise{{long: time.Minute, before: sights.Spread{P50: 1, P99: 2, Max: 3, Windows: 9}, after: sights.Spread{P50: 1, P99: 2.2, Max: 3, Windows: 9}, back: 1500 * time.Millisecond}}
	for _, done := range [][]*outcome{{run("b", time.Second), run("a", 2*time.Second)}, {run("b", 3*time.Second, "a | b is off\nby one"), many}} {
		if err := write(file, done); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	when := " | 7 | 2025-10-09 08:53 | 1.5 | "
	for _, want := range []string{
		runsHead + "| a" + when + "2 | 0 | 0 | 1 | 1000 | 1000 | exact |\n| b" + when + "3 | 0 | 0 | 1 | 1000 | 1000 | **fails**: a / b is off |\n| many" + when,
		"2025-10-09 08:53 UTC, 30 agents, ", "| 60 | 1.00 · 2.00 · 3.00 | 1.00 · 2.20 · 3.00 | 1.10 | 1.5 |\n| **median** |", "<!-- /faults: many -->\nend\n",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("the page lacks\n%s\nit is\n%s", want, got)
		}
	}
}
