package harness

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Resources are what the product's process holds and has used.
type Resources struct {
	RSS     int64         // bytes of memory in RAM
	Files   int           // open files and sockets
	Threads int           // of the operating system
	CPU     time.Duration // user and system, since it started
}

// String is the resources for people.
func (r Resources) String() string {
	return fmt.Sprintf("%.1f MB RSS, %d files, %d threads, %.2f s CPU", float64(r.RSS)/1e6, r.Files, r.Threads, r.CPU.Seconds())
}

// Resources asks /proc about the newest life.
func (p *Product) Resources() Resources {
	p.tb.Helper()
	r, err := ResourcesOf(p.PID())
	if err != nil {
		p.tb.Fatalf("read what process %d uses: %v", p.PID(), err)
	}
	return r
}

// ResourcesOf asks /proc about a process.
func ResourcesOf(pid int) (r Resources, err error) {
	proc := "/proc/" + strconv.Itoa(pid)
	files, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return r, err
	}
	r.Files = len(files)
	stat, err := os.ReadFile(proc + "/stat")
	if err != nil {
		return r, err
	}
	// After the name, which may hold anything but ends with the last ')', the
	// fields are numbered from 3 (proc_pid_stat(5)).
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	number := func(field int) int64 {
		n, _ := strconv.ParseInt(fields[field-3], 10, 64)
		return n
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux
	r.CPU = time.Duration(number(14)+number(15)) * tick
	r.Threads = int(number(20))
	r.RSS = number(24) * int64(os.Getpagesize())
	return r, nil
}
