package main

import (
	"fmt"
	"strconv"
	"strings"
)

// measured is one line of go test -bench -benchmem.
type measured map[string]float64 // by unit: ns/op, allocs/op, and what the benchmark reports itself

// parseBench reads the output of go test -bench -cpu 1, by benchmark. With one
// core the names have no suffix.
func parseBench(output string) (map[string]measured, error) {
	all := map[string]measured{}
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") || len(fields)%2 != 0 {
			continue
		}
		m := measured{}
		for i := 2; i < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("read benchmark line %q: %w", strings.TrimSpace(line), err)
			}
			m[fields[i+1]] = v
		}
		all[fields[0]] = m
	}
	return all, nil
}

// per is ns, allocations and bytes for each unit, such as "record". A benchmark
// whose operation is of one such unit reports nothing per unit itself.
func (m measured) per(unit string) (ns, allocs, bytes float64) {
	ns, ok := m["ns/"+unit]
	if !ok || m["ns/op"] == 0 {
		return m["ns/op"], m["allocs/op"], m["B/"+unit]
	}
	return ns, m["allocs/op"] * ns / m["ns/op"], m["B/"+unit]
}
