package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// machine is what the figures depend on beside the program.
type machine struct {
	Cores  int     `json:"cores"`
	CPU    string  `json:"cpu"`
	Kernel string  `json:"kernel"`
	Go     string  `json:"go"`
	Load   float64 `json:"load"` // average of the last minute, before anything was started
}

// quiet is the load above which other programs are in the figures.
const quiet = 0.5

func thisMachine() (machine, error) {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: "unknown CPU"}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return m, err
	}
	m.Kernel = strings.TrimSpace(string(kernel))
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return m, err
	}
	if m.Load, err = parseLoad(string(load)); err != nil {
		return m, err
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = modelName(string(info), m.CPU)
	}
	return m, nil
}

// parseLoad reads the first number of /proc/loadavg.
func parseLoad(s string) (float64, error) {
	first, _, _ := strings.Cut(s, " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0, fmt.Errorf("read the load average %q: %w", s, err)
	}
	return load, nil
}

// modelName finds the processor in /proc/cpuinfo, which names it on some
// architectures only.
func modelName(cpuinfo, unknown string) string {
	for line := range strings.Lines(cpuinfo) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

// String is the machine as a line, with a warning where it is not quiet.
func (m machine) String() string {
	s := fmt.Sprintf("%d cores, %s, Linux %s, %s, load average %.2f at the start", m.Cores, m.CPU, m.Kernel, m.Go, m.Load)
	if m.Load > quiet {
		s += fmt.Sprintf(" — WARNING: above %.1f, other programs are running, so the figures are wrong", quiet)
	}
	return s
}
