package datadir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const lockFile = "lock"

// wholeFile is what is locked. Locks of open file descriptions end with the
// last descriptor, so kill -9 frees them, and can be tested without being taken.
func wholeFile() *unix.Flock_t {
	return &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
}

// takeLock locks a folder for this process and writes its pid into the lock,
// for people.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, explain(dir, err)
	}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, wholeFile())
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		f.Close()
		return nil, inUse(dir)
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	if err = f.Truncate(0); err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, explain(dir, err)
	}
	return f, nil
}

func inUse(dir string) error {
	owner, _ := os.ReadFile(filepath.Join(dir, lockFile)) // for people
	return fmt.Errorf("data folder %s is in use by process %s: stop it, or choose another folder with --data",
		dir, strings.TrimSpace(string(owner)))
}

// CheckFree says who owns the folder, if somebody does, and changes nothing.
func CheckFree(dir string) error {
	if locked(dir) {
		return inUse(dir)
	}
	return nil
}

// locked reports whether some process owns the folder, without disturbing one
// that starts just now.
func locked(dir string) bool {
	f, err := os.Open(filepath.Join(dir, lockFile))
	if err != nil {
		return false
	}
	defer f.Close()
	l := wholeFile()
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, l) == nil && l.Type != unix.F_UNLCK
}
