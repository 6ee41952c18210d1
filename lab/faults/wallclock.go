package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"time"

	"weir/lab/harness"
)

// wallClock sets the wall clock of one process, which must be a build of
// planted.StepClock. It goes on from where it is set; timers and the monotonic
// clock do not notice, as when an administrator or NTP sets it.
type wallClock struct {
	t    *trial
	file string // of whole seconds, little-endian, that the process maps
}

func newWallClock(x *site, p *harness.Product) *wallClock {
	c := &wallClock{t: x.trial, file: filepath.Join(p.Dir, "clock")}
	c.write(0)
	p.Env = append(p.Env, "GO_TIMESTEP_FILE="+c.file)
	return c
}

func (c *wallClock) write(seconds int64) {
	f, err := os.OpenFile(c.file, os.O_CREATE|os.O_WRONLY, 0o644) // in place: it is mapped
	if err == nil {
		_, err = f.Write(binary.LittleEndian.AppendUint64(nil, uint64(seconds)))
		_ = f.Close()
	}
	if err != nil {
		c.t.Fatalf("set clock: %v", err)
	}
}

// step sets the clock off by d.
func (c *wallClock) step(d time.Duration) { c.write(int64(d / time.Second)) }

// to1970 sets the clock to where boards without a battery start.
func (c *wallClock) to1970() { c.write(-time.Now().Unix()) }
