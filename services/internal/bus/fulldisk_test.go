package bus

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/schemas"
)

// smallDisk mounts a tmpfs of so many bytes.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(bytes)); err != nil {
		t.Skipf("needs the right to mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestFullDisk: a store that met a full disk says so, and takes again after room
// was made and its server was started again, with every message that it had
// acknowledged.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, class := range []Durability{Fast, Durable} {
		dir := smallDisk(t, 24<<20)
		ballast := filepath.Join(dir, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 16<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		e := embed(t, Config{Dir: filepath.Join(dir, "data"), Durability: class})
		if err := e.Ensure(t.Context(), []schemas.Stream{{Name: "BIG", Subjects: []string{"big"}, MaxBytes: 1 << 30}}); err != nil {
			t.Fatal(err)
		}
		var last uint64
		for began := time.Now(); e.Healthy() == nil; {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			seq, err := e.Append(ctx, "big", []byte(strings.Repeat("x", 10_000)), last)
			cancel()
			if err == nil {
				last = seq
			}
			if time.Since(began) > 20*time.Second {
				t.Fatalf("%s: nothing is wrong after %d messages", class, last)
			}
		}
		if err := e.Healthy(); !errors.Is(err, ErrStuck) || !strings.Contains(err.Error(), unix.ENOSPC.Error()) {
			t.Errorf("%s: on a full disk: %v", class, err)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		if err := e.Healthy(); !errors.Is(err, ErrStuck) {
			t.Errorf("%s: room alone has helped: %v", class, err)
		}
		e.Halt()
		if err := e.Resume(); err != nil {
			t.Fatal(err)
		}
		if err := e.Healthy(); err != nil {
			t.Errorf("%s: after the restart: %v", class, err)
		}
		await(t, "an append", 10*time.Second, func() bool {
			seq, _, err := e.Last(t.Context(), "big")
			if err == nil && seq < last {
				t.Fatalf("%s: %d of %d messages are there", class, seq, last)
			}
			_, err = e.Append(t.Context(), "big", nil, seq)
			return err == nil
		})
	}
}
