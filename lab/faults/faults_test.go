package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"weir/lab/faults/scenario"
	"weir/lab/harness"
)

var (
	weir harness.Binary
	set  = flag.String("set", "", "run all scenarios of a set: pr or night; default: the calm one")
	seed = flag.Uint64("seed", 1, "of the schedules")
)

func TestMain(m *testing.M) {
	zerolog.SetGlobalLevel(zerolog.Disabled)
	os.Exit(harness.Main(m, &weir))
}

// TestScenarios runs the quickest scenario, or a set.
func TestScenarios(t *testing.T) {
	all, err := readAll([]string{"scenarios/calm.yaml"})
	if *set != "" {
		all, err = choose(*set, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if missing := needs(s); missing != "" {
				t.Skipf("it needs %s", missing)
			}
			runScenario(t, s)
		})
	}
}

func runScenario(t *testing.T, s *scenario.Scenario) *outcome {
	t.Helper()
	r, err := newRunner(func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	r.weir = weir
	o, err := r.run(t.Context(), s, *seed)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range o.Problems {
		t.Error(problem)
	}
	return o
}

// TestHarnessNotices sets a cap that no agent can keep: a harness that finds nothing
// then judges nothing.
func TestHarnessNotices(t *testing.T) {
	t.Parallel()
	all, err := readAll([]string{"scenarios/calm.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	s := all[0]
	s.End.Caps.RSS["agents"] = 1
	o, err := r.runBinary(t.Context(), s, 1, weir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.forget(o)
	if len(o.Problems) != 1 || !strings.Contains(o.Problems[0], "MB, wanted at most 1") {
		t.Errorf("an agent that may hold 1 MB gives the problems %q", o.Problems)
	}
	if _, err := os.Stat(filepath.Join(o.Dir, "schedule.txt")); err != nil {
		t.Errorf("a run that failed leaves no schedule: %v", err)
	}
}

func TestSuspiciousLines(t *testing.T) {
	text := strings.Join([]string{
		`time=2026 level=INFO msg="all is well"`,
		`time=2026 level=ERROR msg="commit made again differs"`,
		`time=2026 level=ERROR msg="nats-server: Error trying to connect as leafnode to remote server"`,
		`time=2026 level=ERROR msg="write: no space left on device"`,
		`panic: runtime error: index out of range`,
		`WARNING: DATA RACE`,
	}, "\n")
	calm, full := &scenario.Scenario{}, &scenario.Scenario{Faults: []scenario.Fault{{Kind: scenario.Fill}}}
	if got := suspicious(text, allowed(calm)); len(got) != 4 {
		t.Errorf("without faults suspicious are %q", got)
	}
	if got := suspicious(text, allowed(full)); len(got) != 3 {
		t.Errorf("with a full disk suspicious are %q", got)
	}
}

// TestTrialEndsAsATestDoes: the harness ends a test in the middle, and what was to
// be cleaned up is.
func TestTrialEndsAsATestDoes(t *testing.T) {
	tr, err := newTrial(t.Context(), "trial", t.TempDir(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	tr.run(func() {
		tr.Cleanup(func() { order = append(order, "first") })
		tr.Cleanup(func() { order = append(order, "second"); tr.Fatal("in cleaning up") })
		tr.Fatalf("problem %d", 1)
		order = append(order, "not here")
	})
	if got := strings.Join(order, " "); got != "second first" {
		t.Errorf("what ran is %q", got)
	}
	if got := strings.Join(tr.Problems(), ", "); got != "problem 1, in cleaning up" {
		t.Errorf("the problems are %q", got)
	}
}
