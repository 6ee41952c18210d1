package main

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// gcPercent trades memory for CPU: what lives is small (some MB at rest, a few
// KB per device), what is thrown away is every message.
const gcPercent = 200

// tuneMemory sets the garbage collector, unless GOGC and GOMEMLIMIT do. Its soft
// limit is nine tenths of what the control group of the process may use, so
// that a container is not killed while there is garbage to collect.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit, ok := groupMemory("/"); ok {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
}

// groupMemory is the least memory limit of the process's control group and
// those above it, in bytes. root is / outside of tests.
func groupMemory(root string) (limit int64, ok bool) {
	limit = math.MaxInt64
	membership, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup")) // none: no limit
	for line := range strings.Lines(string(membership)) {
		id := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(id) != 3 {
			continue
		}
		switch {
		case id[0] == "0":
			limit = min(limit, leastOf(filepath.Join(root, "sys/fs/cgroup"), id[2], "memory.max"))
		case id[1] == "memory":
			limit = min(limit, leastOf(filepath.Join(root, "sys/fs/cgroup/memory"), id[2], "memory.limit_in_bytes"))
		}
	}
	// Version 1 says "no limit" with the largest number of pages.
	return limit, limit < math.MaxInt64/2
}

// leastOf is the least number in the files of this name from group up to mount.
// Inside a container the group's path is often not there, but the mount is.
func leastOf(mount, group, file string) int64 {
	least := int64(math.MaxInt64)
	for dir := filepath.Join(mount, filepath.Clean("/"+group)); ; dir = filepath.Dir(dir) {
		if data, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil {
				least = min(least, n)
			}
		}
		if len(dir) <= len(mount) {
			return least
		}
	}
}
