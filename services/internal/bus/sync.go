package bus

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// syncMetadata writes the folder's file system to disk. The server syncs the
// metadata of a stream only in its slowest mode; without this a power cut
// shortly after a stream was made takes the whole stream.
func (b *Bus) syncMetadata() error {
	if b.dir == "" {
		return nil
	}
	f, err := os.Open(b.dir)
	if err != nil {
		return fmt.Errorf("sync data folder: %w", err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("sync data folder %s: %w", b.dir, err)
	}
	return nil
}
