package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// reservedFiles are open files that are not devices: streams, pages, tools.
const reservedFiles = 256

// mostConnections is how many devices may be connected over MQTT at most, as in
// limits.connections of the policy, which says how many may be in fact.
const mostConnections = 1_000_000

// usualConnections are those that the policy allows if nobody changes it.
const usualConnections = 20_000

// expectedDevices is what one process is made for: fewer is worth a warning.
const expectedDevices = 10_000

// openFiles is how many files this process may have open. The runtime has
// raised the soft limit to the hard one by now.
func openFiles() uint64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return usualConnections + reservedFiles // not known to be low
	}
	return l.Cur
}

// connections is how many devices may connect if so many files may be open, and
// a warning if that is few. A server without files to open loses more than a
// connection, so some stay reserved.
func connections(files uint64) (most int, warning string) {
	if files >= mostConnections+reservedFiles {
		return mostConnections, ""
	}
	most = max(int(files)-reservedFiles, 16)
	if most >= expectedDevices {
		return most, ""
	}
	return most, fmt.Sprintf("only %d files may be open here, so at most %d devices can connect: raise it with ulimit -n %d",
		files, most, usualConnections+reservedFiles)
}
