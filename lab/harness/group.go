package harness

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Limits are what the kernel lets a process have, however much it wants.
type Limits struct {
	CPU    float64 // cores; 0: no limit
	Memory int64   // bytes, of what it holds and of files that it reads and writes; 0: no limit
}

// Group is a control group with limits: one folder in the hierarchy of CPU, one in
// that of memory (version 1, see cgroups(7)). It is below the group of this process
// and ends with the test.
type Group struct{ cpu, memory string }

// cpuPeriod is the time within which a share of CPU is granted, in µs.
const cpuPeriod = 100_000

// CheckLimits says why this process cannot make control groups, if it cannot.
func CheckLimits() error {
	g, err := newGroup("check")
	return errors.Join(err, g.remove())
}

// NewGroup makes a group.
func NewGroup(tb testing.TB, name string, l Limits) *Group {
	tb.Helper()
	g, err := newGroup(name)
	tb.Cleanup(func() { _ = g.remove() })
	if err == nil && l.Memory > 0 {
		err = write(g.memory, "memory.limit_in_bytes", l.Memory)
	}
	if err == nil && l.CPU > 0 {
		err = errors.Join(write(g.cpu, "cpu.cfs_period_us", cpuPeriod), write(g.cpu, "cpu.cfs_quota_us", int64(l.CPU*cpuPeriod)))
	}
	if err != nil {
		tb.Fatalf("make control group: %v", err)
	}
	return g
}

func newGroup(name string) (g *Group, err error) {
	g = new(Group)
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return g, err
	}
	for line := range strings.Lines(string(text)) {
		field := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(field) != 3 {
			continue
		}
		dir := filepath.Join("/sys/fs/cgroup", field[1], field[2], fmt.Sprintf("weir-lab-%d-%s", os.Getpid(), name))
		for controller := range strings.SplitSeq(field[1], ",") {
			switch controller {
			case "cpu":
				g.cpu = dir
			case "memory":
				g.memory = dir
			}
		}
	}
	if g.cpu == "" || g.memory == "" {
		return g, errors.New("control groups of version 1 for CPU and memory: /proc/self/cgroup names none")
	}
	return g, errors.Join(os.Mkdir(g.cpu, 0o755), os.Mkdir(g.memory, 0o755))
}

// remove removes an empty group.
func (g *Group) remove() error {
	var errs []error
	for _, dir := range []string{g.cpu, g.memory} {
		if dir != "" {
			errs = append(errs, os.Remove(dir))
		}
	}
	return errors.Join(errs...)
}

func write(dir, file string, value int64) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(strconv.FormatInt(value, 10)), 0)
}

// Confine has the product run in a group in the lives to come; commands and
// simulated devices do not. Its program is a copy that nobody else has read: who
// reads a file first is charged with it.
func (p *Product) Confine(g *Group) {
	p.tb.Helper()
	own := filepath.Join(p.Dir, "weir")
	if err := copyUnread(own, string(p.weir)); err != nil {
		p.tb.Fatalf("copy the product: %v", err)
	}
	const enter = `echo $$ >"$1/cgroup.procs" && echo $$ >"$2/cgroup.procs" && shift 2 && exec "$@"`
	p.cell = []string{"/bin/sh", "-c", enter, "sh", g.cpu, g.memory, own}
}

// copyUnread copies a program and leaves nothing of the copy in memory.
func copyUnread(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if err == nil {
		err = unix.Fadvise(int(out.Fd()), 0, 0, unix.FADV_DONTNEED)
	}
	return errors.Join(err, out.Close())
}

// Confined is what became of processes in a group.
type Confined struct {
	Peak      int64 // bytes, as Limits.Memory counts them
	Kills     int64 // by the kernel, because memory ran out
	Periods   int64 // of 100 ms, in which there was something to do
	Throttled int64 // of them, in which there was more to do than granted
}

// String is the group for people.
func (c Confined) String() string {
	return fmt.Sprintf("%d MB at most, %d kills, throttled in %d of %d periods", c.Peak>>20, c.Kills, c.Throttled, c.Periods)
}

// Confined asks the kernel.
func (g *Group) Confined() (c Confined, err error) {
	peak, err := os.ReadFile(filepath.Join(g.memory, "memory.max_usage_in_bytes"))
	if err != nil {
		return c, err
	}
	c.Peak, _ = strconv.ParseInt(strings.TrimSpace(string(peak)), 10, 64)
	for _, file := range []string{filepath.Join(g.memory, "memory.oom_control"), filepath.Join(g.cpu, "cpu.stat")} {
		text, err := os.ReadFile(file)
		if err != nil {
			return c, err
		}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			n, _ := strconv.ParseInt(value, 10, 64)
			switch key {
			case "oom_kill":
				c.Kills = n
			case "nr_periods":
				c.Periods = n
			case "nr_throttled":
				c.Throttled = n
			}
		}
	}
	return c, nil
}
