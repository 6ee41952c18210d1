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
