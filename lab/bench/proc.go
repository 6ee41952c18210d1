package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// cpuOf is the user and system time that a process has used, in steps of 10 ms.
func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(string(stat))
}

// parseStat adds utime and stime, fields 14 and 15 of proc_pid_stat(5). Field 2,
// the program's name, may hold anything but ends with the last parenthesis.
func parseStat(stat string) (time.Duration, error) {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("read CPU time of a process from %q: too few fields", stat)
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read CPU time of a process from %q: %w", stat, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// peakOf is the most memory that a process has had in RAM, in bytes.
func peakOf(pid int) (int64, error) { return statusOf(pid, "VmHWM:") }

// residentOf is how much memory a process has in RAM, in bytes.
func residentOf(pid int) (int64, error) { return statusOf(pid, "VmRSS:") }

func statusOf(pid int, field string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseStatus(string(status), field)
}

// parseStatus finds a field in proc_pid_status(5).
func parseStatus(status, field string) (int64, error) {
	for line := range strings.Lines(status) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == field && fields[2] == "kB" {
			kb, err := strconv.ParseInt(fields[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("read memory of a process: no %s in kB in its status", field)
}
