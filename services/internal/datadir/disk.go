package datadir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// leastRoom is how many bytes must be free at a start: the server refuses to
// work on a full disk, and needs more than that within minutes.
const leastRoom = 64 << 20

// checkRoom finds out whether the folder takes data.
func checkRoom(dir string) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return explain(dir, err)
	}
	if err := enoughRoom(dir, s.Bavail*uint64(s.Bsize)); err != nil {
		return err
	}
	name := filepath.Join(dir, ".probe")
	defer os.Remove(name)
	if err := os.WriteFile(name, make([]byte, 4096), 0o600); err != nil {
		return explain(dir, err)
	}
	return nil
}

func enoughRoom(dir string, free uint64) error {
	if free >= leastRoom {
		return nil
	}
	return fmt.Errorf("data folder %s: the disk is full, %d MB are free and at least %d MB are needed: make room or choose another disk",
		dir, free>>20, leastRoom>>20)
}

// explain turns what the system says about a folder into what to do.
func explain(dir string, err error) error {
	advice := "choose another folder"
	switch {
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("data folder %s is on a read-only file system: %s", dir, advice)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("data folder %s is not writable for this user: change its owner, or %s", dir, advice)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("data folder %s: the disk is full: make room, or %s", dir, advice)
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, fs.ErrExist):
		return fmt.Errorf("data folder %s: there is a file of that name: %s", dir, advice)
	}
	return fmt.Errorf("data folder %s: %w: %s", dir, err, advice)
}

// writeJSON replaces a file whole.
func writeJSON(name string, mode fs.FileMode, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return explain(filepath.Dir(name), err)
	}
	defer os.Remove(f.Name()) // gone already where all went well
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return explain(filepath.Dir(name), err)
	}
	return nil
}
