package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"weir/lab/bench/backlog"
	"weir/lab/page"
	"weir/lab/sights"
)

// halves are two pairs of runs, which differ by one half.
func halves() []pair {
	one := pair{
		Weir:  outcome{Seconds: 10, Records: 500_000, CPU: 15_000, Peak: 700e6, In: counters{RegionWindows: 10_000, CenterWindows: 20, RegionBytes: 3.25e6, CenterBytes: 32_500}},
		Floor: outcome{Seconds: 10, Records: 500_000, CPU: 12_000, In: counters{Messages: 500_000, PayloadBytes: 500_000 * 65}},
	}
	two := one
	two.Weir.CPU, two.Weir.Peak = 21_000, 800e6
	return []pair{one, two}
}

func TestTable(t *testing.T) {
	pairs := halves()
	r := report{
		Command: "go run ./lab/bench", Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Machine: machine{Cores: 2, CPU: "Fast CPU", Kernel: "6", Go: "go1"},
		Stages: []stage{{Name: "encode", Unit: "record", NS: 40, Allocs: 0.1, Bytes: 6.5}},
		Runs:   []result{{shape: shape{Name: "10,000 devices", Batch: 1}, Pairs: pairs, Ratio: median(pairs, pair.ratio)}},
	}
	want := "`go run ./lab/bench`, 2026-01-02 03:04 UTC\n2 cores, Fast CPU, Linux 6, go1, load average 0.00 at the start\n\n" + page.Table([][]string{
		columns,
		{"encode, per record", "25,000,000", "40.0", "", "", "0.10", "6.50", "", "", "", "", ""},
		{"10,000 devices, per record", "50,000", "18,000", "12,000", "1.50 (1.25–1.75)", "", "65.0", "50 · 25,000", "10 · 1,000", "800", "", "0, verified"},
	})
	if got := r.markdown(); got != want {
		t.Errorf("got\n%s\nwanted\n%s", got, want)
	}
}

// TestTables: each kind of row has a table of its own, and one without rows is
// left out. What is not as wanted stands below.
func TestTables(t *testing.T) {
	seen := tier{OnTime: sights.Spread{P50: 1, P99: 2, Max: 3, Windows: 4}, Final: sights.Spread{P50: 1, P99: 1, Max: 1, Windows: 4}}
	r := report{
		Delays:   []delayed{{audience: audience{shape: shape{Name: "windows"}}, Rate: 5000, Peak: 2e8, Region: seen, Center: seen}},
		CatchUps: []catchUp{{Name: "journal", Backlog: backlog.Backlog{Records: 100, Bytes: 3e6}, CaughtUp: 1, Peak: 1e8}},
	}
	got := r.markdown()
	rest := got
	for _, part := range []string{
		"| what    | records per second | on time at region, s", "| windows |              5,000 |   1.00 · 2.00 · 3.00 |",
		"| what    | records |", "| journal |     100 |", "|  WRONG |",
		"- windows: on time at region up to 3.0 s, 2 s wanted\n", "- journal: of 100 records written the ledger says 0 received",
	} {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("%q is not there, or not in its place:\n%s", part, got)
		}
		rest = after
	}
	if strings.Contains(got, "allocations") {
		t.Errorf("a table without rows is there:\n%s", got)
	}
}

func TestMissingAndNotes(t *testing.T) {
	pairs := halves()
	pairs[0].Weir.verdict = verdict{Missing: 3, Differences: 2, Unexplained: -1}
	pairs[1].Weir.Behind, pairs[1].Weir.In.Lag, pairs[1].Floor.Missing = 2.5, 4, 9
	pairs[1].Floor.In.Messages = 400_000
	r := result{shape: shape{Name: "x", Batch: 1}, Pairs: pairs}
	if got, want := r.missing(), "3, 2 differences, 1 unexplained"; got != want {
		t.Errorf("missing: %q, wanted %q", got, want)
	}
	notes := report{Runs: []result{r}}.notes()
	if len(notes) != 4 {
		t.Fatalf("notes %q, wanted four", notes)
	}
	for _, n := range notes {
		if !strings.HasPrefix(n, "x, pair 2: ") {
			t.Errorf("note %q is of another pair", n)
		}
	}
}

func TestFigures(t *testing.T) {
	f := func(v float64, wantCount, wantSignificant string) {
		t.Helper()
		if got := count(v); got != wantCount {
			t.Errorf("count(%v) is %q, wanted %q", v, got, wantCount)
		}
		if got := significant(v); got != wantSignificant {
			t.Errorf("significant(%v) is %q, wanted %q", v, got, wantSignificant)
		}
	}
	f(0, "0", "0")
	f(0.125, "0", "0.12")
	f(12.34, "12", "12.3")
	f(999.6, "1,000", "1,000")
	f(1234567, "1,234,567", "1,234,567")
	f(math.Inf(1), "", "")
	f(math.NaN(), "", "NaN")
}

func TestMedian(t *testing.T) {
	f := func(want float64, values ...float64) {
		t.Helper()
		if got := median(values, func(v float64) float64 { return v }); got != want {
			t.Errorf("the median of %v is %v, wanted %v", values, got, want)
		}
	}
	f(3, 3)
	f(2, 3, 1)
	f(3, 9, 3, 1)
}
