package bus

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// purgeRoom is how many bytes must be free on the volume of an embedded server
// before it is asked to purge. A purge writes where the stream now begins, and
// when that write fails, the server waits for a lock that it holds itself: for
// ever, with everything that asks for that stream (nats-server 2.15, compaction of
// a file store). Nothing is lost by waiting: a disk that is really full stops the
// store, and the restart gives up the reserve first.
const purgeRoom = 4 << 20

// errNoRoom: it is not done on a disk as full as this one.
var errNoRoom = errors.New("not on a full disk")

// roomToPurge says why the server must not be asked to purge now. Of a server
// elsewhere nothing is known, and nil is returned.
func (b *Bus) roomToPurge() error {
	if b.dir == "" {
		return nil
	}
	var s unix.Statfs_t
	if err := unix.Statfs(b.dir, &s); err != nil {
		return fmt.Errorf("look at the room in %s: %w", b.dir, err)
	}
	if free := int64(s.Bavail) * int64(s.Bsize); free < purgeRoom {
		return fmt.Errorf("%w: %d kB are free in %s and %d kB are needed; it is tried again", errNoRoom, free>>10, b.dir, int64(purgeRoom)>>10)
	}
	return nil
}
