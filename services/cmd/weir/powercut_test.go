package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// powerDisk is an ext4 file system in a file, whose power can be cut.
type powerDisk struct {
	t          *testing.T
	image, dir string
}

// newPowerDisk makes one of 300 MB and mounts it.
func newPowerDisk(t *testing.T) *powerDisk {
	t.Helper()
	at := t.TempDir()
	d := &powerDisk{t: t, image: filepath.Join(at, "image"), dir: filepath.Join(at, "disk")}
	if err := os.Mkdir(d.dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 300<<20); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range [][]string{{"mkfs.ext4", "-q", d.image}, {"mount", "-o", "loop", d.image, d.dir}} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			t.Skipf("needs the right to mount an ext4 image: %v: %v: %s", cmd, err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", d.dir).Run() })
	return d
}

// Of linux/ext4.h: what is not on the disk yet is gone, the file system's own
// journal included, and every write fails from now on.
const (
	ext4Shutdown   = 0x8004587d // EXT4_IOC_SHUTDOWN
	ext4NoLogFlush = 2
)

// cut cuts the power.
func (d *powerDisk) cut() {
	d.t.Helper()
	f, err := os.Open(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	how := uint32(ext4NoLogFlush)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), ext4Shutdown, uintptr(unsafe.Pointer(&how))); errno != 0 {
		d.t.Skipf("this kernel cuts no power: %v", errno)
	}
}

// mount is the power coming back, once nothing uses the disk any more: the kernel lets
// go of it in its own time.
func (d *powerDisk) mount() {
	d.t.Helper()
	for _, cmd := range [][]string{{"umount", d.dir}, {"mount", "-o", "loop", d.image, d.dir}} {
		eventually(d.t, fmt.Sprint(cmd), func() error {
			out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			return err
		})
	}
}
