package main

import (
	"os"
	"runtime/debug"

	"weir/services/internal/memlimit"
)

// tuneMemory sets the garbage collector, unless GOGC and GOMEMLIMIT do. Its soft
// limit is somewhat below what the control group of the process may use, so that
// a container is not killed while there is garbage to collect.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		paceGarbage()
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit, ok := groupMemory("/"); ok {
		debug.SetMemoryLimit(memlimit.Soft(limit))
	}
}

// groupMemory is the memory limit of the process's control group, in bytes. root
// is / outside of tests.
func groupMemory(root string) (limit int64, ok bool) {
	return memlimit.Find(os.DirFS(root))
}
