package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// leastRoom is how many bytes must be free at a start, the reserve included: the
// server refuses to work on a full disk, and needs more than that within minutes.
const leastRoom = 64 << 20

// Room is the volume that holds a folder.
type Room struct {
	Size int64 // bytes
	Free int64 // bytes that this user may still write
}

// RoomOf looks at the volume that holds dir.
func RoomOf(dir string) (Room, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Room{}, explain(dir, err)
	}
	return Room{Size: int64(s.Blocks) * int64(s.Bsize), Free: int64(s.Bavail) * int64(s.Bsize)}, nil
}

// checkRoom finds out whether the folder takes data.
func checkRoom(dir string) error {
	room, err := RoomOf(dir)
	if err != nil {
		return err
	}
	if err := enoughRoom(dir, room.Free+ReserveOf(dir).Held()); err != nil {
		return err
	}
	name := filepath.Join(dir, ".probe")
	defer os.Remove(name)
	err = os.WriteFile(name, make([]byte, 4096), 0o600)
	if errors.Is(err, unix.ENOSPC) && ReserveOf(dir).Held() > 0 {
		return nil // the reserve is room enough to begin with
	}
	if err != nil {
		return explain(dir, err)
	}
	return nil
}

func enoughRoom(dir string, free int64) error {
	if free >= leastRoom {
		return nil
	}
	return fmt.Errorf("data folder %s: the disk is full, %d MB are free and at least %d MB are needed: make room or choose another disk",
		dir, free>>20, leastRoom>>20)
}
