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
	if limit, ok := memlimit.Find(os.DirFS("/")); ok {
		debug.SetMemoryLimit(memlimit.Soft(limit))
	}
}
