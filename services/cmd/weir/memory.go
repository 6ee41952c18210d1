package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"weir/services/internal/memlimit"
)

// tuneMemory sets the garbage collector, unless GOGC and GOMEMLIMIT do. Its soft
// limit is somewhat below what the control group of the process may use, so that
// a container is not killed while there is garbage to collect.
func tuneMemory() {
	runtime.MemProfileRate = 0 // nobody can ask for a profile
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

// forgetStart gives back the pages of the program's code that only its start has
// needed. What is needed again comes from the kernel's cache. Where it cannot be done
// nothing changes.
func forgetStart() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for _, m := range programMaps(string(maps), exe) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// programMaps are the ranges into which the code of a program is mapped, as
// proc_pid_maps(5) lists them:
//
//	from-to perms offset device inode path
//
// Code only: what is read-only now was written by the dynamic linker before (RELRO), and
// to give that back is to forget where every function of another library is.
func programMaps(maps, exe string) (all []mapping) {
	for line := range strings.Lines(maps) {
		field := strings.Fields(line)
		if len(field) < 6 || field[5] != exe || !strings.HasPrefix(field[1], "r-x") {
			continue
		}
		first, last, _ := strings.Cut(field[0], "-")
		from, err := strconv.ParseUint(first, 16, 64)
		to, err2 := strconv.ParseUint(last, 16, 64)
		if err == nil && err2 == nil && from < to {
			all = append(all, mapping{uintptr(from), uintptr(to)})
		}
	}
	return all
}
