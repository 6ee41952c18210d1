package main

import (
	"testing"

	"weir/lab/harness"
)

// TestStagesRun runs the benchmark of each stage once, so that none of them rots unseen.
// What it says of one run means nothing.
func TestStagesRun(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	measured, err := measureStages(t.Context(), options{quick: true, notice: t.Output()}, root)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range measured {
		if s.NS <= 0 {
			t.Errorf("stage %q: %v ns per %s", s.Name, s.NS, s.Unit)
		}
	}
	if len(measured) != len(stages) {
		t.Errorf("%d stages were measured, there are %d", len(measured), len(stages))
	}
}
