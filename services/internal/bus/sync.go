package bus

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"
)

// syncMetadata writes the folder's file system to disk and then keeps copies of
// what describes the streams (keep.go). The server syncs the metadata of a stream
// only in its slowest mode; without this a power cut shortly after a stream was
// made takes the whole stream.
func (b *Bus) syncMetadata() error {
	if b.dir == "" {
		return nil
	}
	if err := syncFS(b.dir); err != nil {
		return err
	}
	return keepMetadata(b.dir)
}

// syncFS writes the file system that holds dir to disk.
func syncFS(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync data folder: %w", err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("sync data folder %s: %w", dir, err)
	}
	return nil
}

// streamChanges is where the server tells of streams that were made, changed or
// deleted, by whomever: services run apart from the server make theirs too.
const streamChanges = "$JS.EVENT.ADVISORY.STREAM.*.>"

// syncChanges makes every change of a stream durable, also those that do not come
// by way of this process. Consumers need nothing: ours are in memory.
func (e *Embedded) syncChanges() error {
	changed := make(chan string, 1)
	_, err := e.nc.Subscribe(streamChanges, func(m *nats.Msg) {
		select {
		case changed <- m.Subject:
		default: // what waits already syncs this one, too
		}
	})
	if err != nil {
		return err
	}
	var ctx context.Context
	ctx, e.stopSync = context.WithCancel(context.Background())
	e.synced = make(chan struct{})
	go e.syncLoop(ctx, changed)
	return nil
}

// changeWritten is when a change is in the stream's files at the latest: the server
// tells of it first, and writes two files.
const changeWritten = 500 * time.Millisecond

// syncLoop syncs once soon after a change and once more when all of it is written,
// until ctx ends; then it closes synced.
func (e *Embedded) syncLoop(ctx context.Context, changed <-chan string) {
	defer close(e.synced)
	for {
		select {
		case what := <-changed:
			e.syncChange(what)
			select {
			case <-time.After(changeWritten):
				e.syncChange(what)
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// syncChange makes what has changed durable, and bounds a stream that is new.
func (e *Embedded) syncChange(what string) {
	e.life.Load().bound(e.cfg.Log)
	if err := e.syncMetadata(); err != nil {
		e.cfg.Log.Warn("a changed stream may be gone after a power cut", "change", what, "err", err)
	}
}

// stopSyncing returns when nothing is being synced, and nothing will be.
func (e *Embedded) stopSyncing() {
	e.stopSync()
	<-e.synced
}
