package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const reserveFile = "reserve"

// Reserve is a file that takes room on the disk for nothing, so that there is
// some when it is needed most. On a disk that others have filled, giving it up is
// what lets the server start again and remove what it does not need.
type Reserve struct{ name string }

// ReserveOf is the reserve of a data folder, whether it is there or not.
func ReserveOf(dir string) Reserve { return Reserve{filepath.Join(dir, reserveFile)} }

// Bounds of a reserve, bytes.
const (
	leastReserve = 16 << 20
	mostReserve  = 64 << 20
)

// ReserveSize is how large the reserve is for streams that may hold so many bytes
// together: 2 % of them, from 16 to 64 MB.
func ReserveSize(caps int64) int64 { return min(max(caps/50, leastReserve), mostReserve) }

// Held is how many bytes the reserve takes now.
func (r Reserve) Held() int64 {
	var s unix.Stat_t
	if unix.Stat(r.name, &s) != nil {
		return 0
	}
	return s.Blocks * 512
}

// Make makes the reserve, in place of one of another size.
func (r Reserve) Make(size int64) error {
	if held := r.Held(); held >= size && held < 2*size {
		return nil
	}
	if err := r.Free(); err != nil {
		return err
	}
	f, err := os.OpenFile(r.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make reserve %s: %w", r.name, err)
	}
	err = errors.Join(allocate(f, size), f.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("make reserve %s of %d MB: %w", r.name, size>>20, err), r.Free())
	}
	return nil
}

// allocate takes the room on the disk, not just in the file's size.
func allocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(size-at, int64(len(zeros)))], at); err != nil {
			return err
		}
	}
	return f.Sync()
}

// Free gives the room back.
func (r Reserve) Free() error {
	if err := os.Remove(r.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("free reserve: %w", err)
	}
	return nil
}
