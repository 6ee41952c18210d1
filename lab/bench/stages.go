package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// stage is one benchmark as a row.
type stage struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`   // what one of is measured
	NS     float64 `json:"ns"`     // per unit, on one core
	Allocs float64 `json:"allocs"` // per unit
	Bytes  float64 `json:"bytes"`  // per unit, encoded; 0: it encodes nothing

	pkg   string // under weir/
	bench string // as go test names it, without Benchmark
}

// stages are the benchmarks of the flow, in its order.
var stages = []stage{
	{Name: "decode a JSON reading", Unit: "record", pkg: "services/ingest", bench: "Decode/json"},
	{Name: "message → frame in the journal", Unit: "record", pkg: "services/ingest", bench: "Take/agents=100"},
	{Name: "build a frame", Unit: "record", pkg: "schemas", bench: "FrameBuild/readings=500/metrics=1/decimal"},
	{Name: "encode a frame", Unit: "record", pkg: "schemas", bench: "FrameEncode/readings=500/metrics=1/decimal"},
	{Name: "decode a frame", Unit: "record", pkg: "schemas", bench: "FrameDecode/readings=500/metrics=1/decimal"},
	{Name: "find the window", Unit: "record", pkg: "pkg/window", bench: "Accept/same-slice"},
	{Name: "add to a sketch", Unit: "record", pkg: "pkg/sketch", bench: "Add/walk"},
	{Name: "fold: frame → windows", Unit: "record", pkg: "services/aggregator", bench: "Fold/metrics=1"},
	{Name: "encode a commit", Unit: "window", pkg: "schemas", bench: "CommitEncode"},
	{Name: "decode a commit", Unit: "window", pkg: "schemas", bench: "CommitDecode"},
	{Name: "merge two sketches", Unit: "sketch", pkg: "pkg/sketch", bench: "Merge/walk"},
	{Name: "gateway: device windows", Unit: "window", pkg: "services/gateway", bench: "Merge/device"},
	{Name: "gateway: windows of ten parts", Unit: "window", pkg: "services/gateway", bench: "Merge/fleet"},
}

// measureStages runs the benchmarks, one go test for each package.
func measureStages(ctx context.Context, o options, root string) ([]stage, error) {
	chosen := slices.DeleteFunc(slices.Clone(stages), func(s stage) bool { return !strings.Contains(s.Name, o.only) })
	output := map[string]map[string]measured{}
	for i := range chosen {
		s := &chosen[i]
		if output[s.pkg] == nil {
			fmt.Fprintf(o.notice, "benchmarks of %s\n", s.pkg)
			var err error
			if output[s.pkg], err = benchmark(ctx, o, root, s.pkg, chosen); err != nil {
				return nil, err
			}
		}
		m, ok := output[s.pkg]["Benchmark"+s.bench]
		if !ok {
			return nil, fmt.Errorf("measure stage %q: weir/%s has no Benchmark%s", s.Name, s.pkg, s.bench)
		}
		s.NS, s.Allocs, s.Bytes = m.per(s.Unit)
	}
	return chosen, nil
}

// benchmark runs those benchmarks of a package that are stages.
func benchmark(ctx context.Context, o options, root, pkg string, chosen []stage) (map[string]measured, error) {
	var patterns []string
	for _, s := range chosen {
		if s.pkg == pkg {
			patterns = append(patterns, pattern(s.bench))
		}
	}
	long := "1s"
	if o.quick {
		long = "1x"
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", strings.Join(patterns, "|"), "-benchmem", "-cpu", "1", "-benchtime", long, "weir/"+pkg)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return parseBench(string(out))
}

// pattern matches one benchmark: each level of its name is matched by itself.
func pattern(bench string) string {
	levels := strings.Split("Benchmark"+bench, "/")
	for i, level := range levels {
		levels[i] = "^" + level + "$"
	}
	return strings.Join(levels, "/")
}
