package bus

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

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
		var last, fence uint64
		for began := time.Now(); e.Healthy() == nil; {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			seq, err := e.Append(ctx, "big", []byte(strings.Repeat("x", 10_000)), fence)
			cancel()
			switch {
			case err == nil:
				last, fence = seq, seq
			case errors.Is(err, ErrWrongLast):
				fence++ // one without an answer was stored
			}
			if time.Since(began) > busy*20*time.Second {
				t.Fatalf("%s: nothing is wrong after %d messages", class, last)
			}
		}
		if err := e.Healthy(); !errors.Is(err, ErrStuck) || !strings.Contains(err.Error(), unix.ENOSPC.Error()) {
			t.Errorf("%s: on a full disk: %v", class, err)
		}
		if seq, _, err := e.Last(t.Context(), "big"); !errors.Is(err, ErrStuck) {
			t.Errorf("%s: the last message of a stuck store is %d of %d, %v", class, seq, last, err)
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

// failingDisk is an ext4 file system in a file; fail makes all its reads and writes
// fail from then on.
func failingDisk(t *testing.T) (dir string, fail func()) {
	t.Helper()
	at := t.TempDir()
	image := filepath.Join(at, "image")
	dir = filepath.Join(at, "disk")
	if err := errors.Join(os.Mkdir(dir, 0o750), os.WriteFile(image, nil, 0o600), os.Truncate(image, 64<<20)); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range [][]string{{"mkfs.ext4", "-q", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			t.Skipf("needs the right to mount an ext4 image: %v: %v: %s", cmd, err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return dir, func() {
		t.Helper()
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		const shutdown, noLogFlush = 0x8004587d, 2 // of linux/ext4.h
		how := uint32(noLogFlush)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), shutdown, uintptr(unsafe.Pointer(&how))); errno != 0 {
			t.Skipf("this kernel shuts no file system down: %v", errno)
		}
	}
}

// TestFailingDisk: a store that cannot read its files any more says that there is
// nothing in them, and that somebody else wrote. Nobody may believe it.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	dir, fail := failingDisk(t)
	e := embed(t, Config{Dir: filepath.Join(dir, "data"), Durability: Durable})
	if err := e.Ensure(t.Context(), []schemas.Stream{{Name: "KEPT", Subjects: []string{"kept"}, MaxBytes: 1 << 24}}); err != nil {
		t.Fatal(err)
	}
	acknowledged, err := e.Append(t.Context(), "kept", []byte("x"), 0)
	if err != nil {
		t.Fatal(err)
	}
	fail()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if seq, err := e.Append(ctx, "kept", []byte("y"), acknowledged); err == nil {
		t.Errorf("stored as %d on a disk that fails", seq)
	}
	await(t, "the store knows", 10*time.Second, func() bool { return errors.Is(e.Healthy(), ErrStuck) })
	if seq, data, err := e.Last(t.Context(), "kept"); !errors.Is(err, ErrStuck) || errors.Is(err, ErrNone) {
		t.Errorf("the last message is %d %q, %v", seq, data, err)
	}
}
