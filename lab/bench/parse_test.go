package main

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

const benchOutput = `goos: linux
pkg: weir/schemas
BenchmarkFrameEncode/readings=500/metrics=1/decimal         	   12345	     18000 ns/op	         6.5 B/record	        36.0 ns/record	     100 B/op	      50 allocs/op
BenchmarkAdd/walk	 1000000	         5.25 ns/op	       0 B/op	       0 allocs/op
BenchmarkBroken
--- BENCH: BenchmarkAdd
PASS
ok  	weir/schemas	2.5s
`

func TestParseBench(t *testing.T) {
	all, err := parseBench(benchOutput)
	if err != nil || len(all) != 2 {
		t.Fatalf("found %v, %v, wanted two benchmarks", all, err)
	}
	f := func(name, unit string, wantNS, wantAllocs, wantBytes float64) {
		t.Helper()
		if ns, allocs, bytes := all[name].per(unit); ns != wantNS || math.Abs(allocs-wantAllocs) > 1e-9 || bytes != wantBytes {
			t.Errorf("%s per %s: %v ns, %v allocations, %v bytes, wanted %v, %v, %v", name, unit, ns, allocs, bytes, wantNS, wantAllocs, wantBytes)
		}
	}
	// 500 records per operation: 50 allocations are a tenth for each
	f("BenchmarkFrameEncode/readings=500/metrics=1/decimal", "record", 36, 0.1, 6.5)
	f("BenchmarkAdd/walk", "record", 5.25, 0, 0)

	if _, err := parseBench("BenchmarkX 1 many ns/op\n"); err == nil {
		t.Error("a benchmark line without a number gave no error")
	}
}

func TestPattern(t *testing.T) {
	if got, want := pattern("Accept/same-slice"), "^BenchmarkAccept$/^same-slice$"; got != want {
		t.Errorf("pattern %q, wanted %q", got, want)
	}
}

func TestParseStat(t *testing.T) {
	f := func(stat string, want time.Duration) {
		t.Helper()
		got, err := parseStat(stat)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %v, %v, wanted %v", stat, got, err, want)
		}
	}
	f("12 (weir) S 1 12 12 0 -1 4194560 900 0 3 0 150 75 0 0 20 0 9 0 100 200 300", 2250*time.Millisecond)
	f("12 (a) b) R 1 12 12 0 -1 4194560 900 0 3 0 1 1 0 0 20 0 9 0 100 200 300", 20*time.Millisecond)
	f("12 (weir) S 1 12", 0)
	f("", 0)
	f("12 (weir) S 1 12 12 0 -1 4194560 900 0 3 0 x 75 0 0", 0)
}

func TestParsePeak(t *testing.T) {
	got, err := parseStatus("Name:\tweir\nVmPeak:\t  900 kB\nVmHWM:\t  102400 kB\nVmRSS:\t 5 kB\n", "VmHWM:")
	if err != nil || got != 100<<20 {
		t.Errorf("peak %d, %v, wanted 100 MiB", got, err)
	}
	if _, err := parseStatus("Name:\tkthread\n", "VmHWM:"); err == nil {
		t.Error("a status without VmHWM gave no error")
	}
}

// TestThisProcess reads the real files of a process that is known to live.
func TestThisProcess(t *testing.T) {
	if peak, err := peakOf(os.Getpid()); err != nil || peak < 1<<20 {
		t.Errorf("peak memory of this process: %d bytes, %v", peak, err)
	}
	if _, err := cpuOf(os.Getpid()); err != nil {
		t.Error(err)
	}
	if _, err := cpuOf(1 << 30); err == nil {
		t.Error("a process that cannot be has used CPU time")
	}
}

func TestMachine(t *testing.T) {
	if load, err := parseLoad("0.52 1.58 0.59 1/467 12345\n"); err != nil || load != 0.52 {
		t.Errorf("load %v, %v", load, err)
	}
	if _, err := parseLoad("busy"); err == nil {
		t.Error("a load that is no number gave no error")
	}
	if got := modelName("processor\t: 0\nmodel\t\t: 143\nmodel name\t: Fast CPU\n", "?"); got != "Fast CPU" {
		t.Errorf("model name %q", got)
	}
	calm, busy := machine{Load: 0.1}.String(), machine{Load: 0.6}.String()
	if strings.Contains(calm, "WARNING") || !strings.Contains(busy, "WARNING") {
		t.Errorf("only a busy machine is worth a warning:\n%s\n%s", calm, busy)
	}
}

func TestParseMetrics(t *testing.T) {
	const page = `# HELP weir_windows_total Revisions of windows that a tier has emitted.
# TYPE weir_windows_total counter
weir_windows_total{tier="agent",view="device",timing="on_time"} 7
weir_windows_total{tier="region",timing="on_time",view="device"} 1000
weir_windows_total{timing="late",view="fleet",tier="region"} 1e3
weir_windows_total{tier="center",timing="on_time",view="fleet"} 3
weir_stream_bytes{stream="AGENT_OUTBOX"} 5
weir_stream_bytes{stream="REGION_OUTBOX"} 4096
weir_stream_bytes{stream="CENTER_OUTBOX"} 128
weir_stream_limit_bytes{stream="CENTER_OUTBOX"} 99
weir_lag_seconds{agent="a001",tier="agent"} 0.1
weir_lag_seconds{agent="r01/4",tier="region"} 2.5
weir_lag_seconds{agent="center/0",tier="center"} 0.3
weir_ledger_unexplained 0
`
	want := counters{RegionWindows: 2000, CenterWindows: 3, RegionBytes: 4096, CenterBytes: 128, Lag: 2.5}
	if got, err := parseMetrics(page); err != nil || got != want {
		t.Errorf("%+v, %v, wanted %+v", got, err, want)
	}
	if _, err := parseMetrics(`weir_lag_seconds{agent="a"} soon`); err == nil {
		t.Error("a metric without a number gave no error")
	}
}

func TestCommandLine(t *testing.T) {
	if got, want := commandLine([]string{"-only", "QoS 1", "-quick"}), `go run ./lab/bench -only "QoS 1" -quick`; got != want {
		t.Errorf("%s, wanted %s", got, want)
	}
}
