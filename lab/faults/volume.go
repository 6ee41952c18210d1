package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weir/lab/harness"
)

// volume is a file system of a process's own: ext4 on a loop device.
type volume struct {
	t     *trial
	p     *harness.Product
	image string
	point string // where it is mounted
	up    bool

	full    chan struct{} // closed when there may be room again; nil: there is
	filling sync.WaitGroup
}

// newVolume makes a file system and puts the process's data folder on it.
func newVolume(x *site, p *harness.Product, size int64) *volume {
	v := &volume{t: x.trial, p: p, image: filepath.Join(p.Dir, "volume.img"), point: filepath.Join(p.Dir, "volume")}
	err := os.WriteFile(v.image, nil, 0o600)
	if err == nil {
		err = os.Truncate(v.image, size)
	}
	if err == nil {
		err = os.Mkdir(v.point, 0o755)
	}
	if err != nil {
		x.Fatalf("make volume: %v", err)
	}
	v.must("mkfs.ext4", "-q", "-m", "0", v.image)
	v.mount()
	x.Cleanup(v.remove)
	p.Folder = filepath.Join(v.point, "data")
	return v
}

// remove leaves the image where something went wrong.
func (v *volume) remove() {
	v.p.Kill()
	if v.full != nil {
		v.free()
	}
	if v.up {
		v.unmount()
	}
	if v.t.Failed() {
		v.t.Logf("kept the volume of %s: mount -o loop %s", v.p, v.image)
	}
}

func (v *volume) must(name string, args ...string) {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		v.t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

func (v *volume) mount() {
	v.must("mount", "-o", "loop", v.image, v.point)
	v.up = true
}

// unmountWithin bounds how long a file system stays busy after the last process
// on it has been killed.
const unmountWithin = 10 * time.Second

func (v *volume) unmount() {
	harness.Until(v.t, unmountWithin, func() string {
		if err := unix.Unmount(v.point, 0); err != nil {
			return fmt.Sprintf("unmount %s: %v", v.point, err)
		}
		return ""
	})
	v.up = false
}

// EXT4_IOC_SHUTDOWN is _IOR('X', 125, __u32) (linux, fs/ext4/ext4.h). Without a
// flush of the log the file system stands still as it is on disk: what was not
// synced is gone, and whoever still writes gets an I/O error.
const (
	ext4Shutdown    = 2<<30 | 4<<16 | 'X'<<8 | 125
	withoutLogFlush = 2
)

// shutdown makes the file system at a place stand still as it is on disk.
func shutdown(point string) error {
	f, err := os.Open(point)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), ext4Shutdown, withoutLogFlush); err != nil {
		return fmt.Errorf("shut down the file system at %s: %w", point, err)
	}
	return nil
}

// powerCut takes what is not synced, kills the process and mounts the file system
// as it is found after the cut. The process stands still before: it must not see
// that its disk fails, and answer somebody.
func (v *volume) powerCut() {
	if err := v.p.Signal(syscall.SIGSTOP); err != nil {
		v.t.Fatalf("stop %s: %v", v.p, err)
	}
	if err := shutdown(v.point); err != nil {
		v.t.Fatalf("cut the power of %s: %v", v.p, err)
	}
	v.p.Kill()
	v.unmount()
	v.mount()
}

func (v *volume) filler() string { return filepath.Join(v.point, "filler") }

// refillEvery is how soon room that others make is taken again.
const refillEvery = 100 * time.Millisecond

// fill takes all room that there is, and all that others make, until free.
func (v *volume) fill() {
	f, err := os.Create(v.filler())
	if err != nil {
		v.t.Fatalf("fill volume: %v", err)
	}
	end := take(f, 0)
	v.full = make(chan struct{})
	v.filling.Go(func() {
		defer f.Close()
		for {
			select {
			case <-v.full:
				return
			case <-time.After(refillEvery):
				end = take(f, end)
			}
		}
	})
}

// take makes a file longer until there is no room, and returns its end.
func take(f *os.File, end int64) int64 {
	for size := int64(1 << 20); size >= 4096; {
		if unix.Fallocate(int(f.Fd()), 0, end, size) == nil {
			end += size
		} else {
			size /= 2
		}
	}
	return end
}

// free gives the room back.
func (v *volume) free() {
	close(v.full)
	v.filling.Wait()
	v.full = nil
	if err := os.Remove(v.filler()); err != nil {
		v.t.Errorf("free volume: %v", err)
	}
}
