//go:build unix

package simulator

import (
	"errors"
	"fmt"
	"syscall"
)

// canTry says that sockets can be written to without waiting.
const canTry = true

// writeSocket writes to a non-blocking socket. again: it takes no more now.
func writeSocket(fd uintptr, b []byte) (n int, again bool, err error) {
	n, err = syscall.Write(int(fd), b)
	switch {
	case err == nil:
		return n, n < len(b), nil
	case errors.Is(err, syscall.EAGAIN):
		return 0, true, nil
	case errors.Is(err, syscall.EINTR):
		return 0, false, nil
	}
	return 0, false, err
}

// openFiles raises the limit of open files as far as it goes, and says what is
// wrong where that is less than a run needs.
func openFiles(need uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Cur >= need {
		return nil
	}
	if limit.Max >= need {
		limit.Cur = limit.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%d devices need %d open files, but only %d are allowed: raise the limit (ulimit -n %d) or play fewer devices",
		need-spareFiles, need, limit.Cur, need)
}
