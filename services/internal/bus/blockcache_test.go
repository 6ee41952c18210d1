package bus

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"weir/schemas"
)

// TestBlocksAreBounded: what a server keeps of its streams in memory is bounded, for
// streams that are made and, in the next life of the server, for those that there are.
// It fails where a new version of the server has the fields elsewhere.
func TestBlocksAreBounded(t *testing.T) {
	e := embed(t, Config{})
	large := schemas.Stream{Name: "LARGE", Subjects: []string{"large"}, MaxBytes: 1 << 30}
	if err := e.Ensure(t.Context(), []schemas.Stream{large}); err != nil {
		t.Fatal(err)
	}
	awaitBounded(t, e)
	const size = 64 << 10
	for i := range 3 * blockSize / size {
		if _, err := e.Store(t.Context(), "large", make([]byte, size)); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	blocks, err := filepath.Glob(filepath.Join(e.cfg.Dir, streamsDir, e.cfg.Prefix+"LARGE", "msgs", "*.blk"))
	if err != nil || len(blocks) < 3 {
		t.Fatalf("blocks %v, %v; wanted several", blocks, err)
	}
	for _, name := range blocks {
		if i, err := os.Stat(name); err != nil || i.Size() > blockSize {
			t.Errorf("block %s: %v, %v; wanted at most %d bytes", name, i, err, blockSize)
		}
	}
	e.Halt()
	if err := boundBlocks(e.life.Load().srv); err != nil {
		t.Errorf("a server that has ended: %v", err)
	}
	if err := e.Resume(); err != nil {
		t.Fatal(err)
	}
	awaitBounded(t, e)
}

// awaitBounded waits until all streams are bounded: the server tells of a new one in its
// own time.
func awaitBounded(t *testing.T, e *Embedded) {
	t.Helper()
	await(t, "the blocks of all streams are bounded", 30*time.Second, func() bool {
		all := stores(e.life.Load().srv)
		return len(all) > 0 && !slices.ContainsFunc(all, func(store reflect.Value) (free bool) {
			locked(store, func() {
				c := pointer[server.FileStoreConfig](field(store, "fcfg"))
				free = c.BlockSize > blockSize || c.CacheExpire != blockTime
			})
			return free
		})
	})
}
