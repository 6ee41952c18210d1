package main

import (
	"fmt"
	"os"
	"syscall"
)

// replaceProcess puts a new process of the same program, arguments and environment
// in the place of this one, under the same number, so that whoever supervises it
// sees no end. Nothing is closed and nobody is told: it is a kill -9 and a start.
// It returns only if it fails.
func replaceProcess() error {
	exe, err := os.Executable()
	if err == nil {
		err = syscall.Exec(exe, os.Args, os.Environ())
	}
	return fmt.Errorf("start this program again in the place of its process: %w; start it by hand", err)
}
