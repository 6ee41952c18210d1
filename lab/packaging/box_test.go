package packaging

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/lab/harness"
)

// box is a system beside this one: its files are those of this machine until it
// changes them, its processes, network and control groups are its own, and
// systemd runs in it. What it writes is in upper.
type box struct {
	t     *testing.T
	upper string
	cmd   *exec.Cmd
	init  string // process id of its systemd
}

// bootScript boots it. $1 is a folder for its files, $2 one that it shows as
// /mnt, $3 a control group of its own. What is mounted read-only, systemd leaves
// alone: settings of the kernel are everybody's.
const bootScript = `
mkdir -p "$1/upper" "$1/work" "$1/root" "$3"
echo $$ >"$3/cgroup.procs"
exec unshare --mount --net --pid --fork --uts --ipc --cgroup --kill-child sh -euc '
	mount --make-rprivate /
	mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
	cd "$1/root"
	mount --bind "$2" mnt
	mount -t proc proc proc
	mount --bind proc/sys proc/sys
	mount -o remount,ro,bind proc/sys
	mount -t sysfs -o ro sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount --rbind /dev dev
	mount -t tmpfs tmpfs run
	mount -t tmpfs tmpfs tmp
	mkdir run/old
	ip link set lo up
	pivot_root . run/old
	umount -l /run/old
	rm -f /usr/sbin/policy-rc.d # images for containers forbid packages to start anything
	exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=basic.target
' sh "$1" "$2"
`

// boot starts a box that shows a folder as /mnt.
func boot(t *testing.T, mnt string) *box {
	t.Helper()
	needAll(t, "dpkg", "systemctl", "unshare", "nsenter", "findmnt", "ip", "adduser", "deb-systemd-invoke")
	dir := t.TempDir()
	group := filepath.Join(unified(t), "weir-packaging-"+strconv.Itoa(os.Getpid()))
	cmd := exec.Command("sh", "-euc", bootScript, "sh", dir, mnt, group)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, upper: filepath.Join(dir, "upper"), cmd: cmd}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unshare kills its child, and the kernel what that has started
		<-ended
		removeGroup(t, group)
	})
	for end := time.Now().Add(30 * time.Second); ; harness.Pause(100 * time.Millisecond) {
		select {
		case <-ended:
			t.Skipf("no system of its own can be started here: %s", said.String())
		default:
		}
		if b.init = childOf(cmd.Process.Pid); b.init != "" && b.sh("systemctl is-system-running").code == 0 {
			return b
		}
		if time.Now().After(end) {
			t.Skipf("systemd does not come up in a system of its own: %s", said.String())
		}
	}
}

// unified is where control groups of version 2 are mounted.
func unified(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("findmnt", "-nt", "cgroup2", "-o", "TARGET").Output()
	first, _, _ := strings.Cut(string(out), "\n")
	if err != nil || first == "" {
		t.Skip("no control groups of version 2 are mounted here: systemd needs them")
	}
	return first
}

// childOf is the only child of a process, empty while it has none.
func childOf(pid int) string {
	id := strconv.Itoa(pid)
	text, _ := os.ReadFile("/proc/" + id + "/task/" + id + "/children")
	return strings.TrimSpace(string(text))
}

// removeGroup removes a control group and those below it. The kernel lets it go
// once it has forgotten the processes.
func removeGroup(t *testing.T, group string) {
	harness.Until(t, 10*time.Second, func() string {
		var dirs []string
		_ = filepath.WalkDir(group, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, name)
			}
			return nil
		})
		var errs []error
		for i := len(dirs) - 1; i >= 0; i-- {
			errs = append(errs, os.Remove(dirs[i]))
		}
		if err := errors.Join(errs...); err != nil {
			return err.Error()
		}
		return ""
	})
}

// outcome is what a command in a box did.
type outcome struct {
	code int
	out  string // both outputs
}

// sh runs a script in the box.
func (b *box) sh(script string) outcome {
	cmd := exec.Command("nsenter", "-t", b.init, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w",
		"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "sh", "-euc", script)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		b.t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), string(out)}
}

// must runs a script that must succeed and returns what it printed.
func (b *box) must(script string) string {
	b.t.Helper()
	r := b.sh(script)
	if r.code != 0 {
		b.t.Fatalf("%s\nexit code %d: %s", script, r.code, r.out)
	}
	return r.out
}

// await runs a script again and again until it succeeds.
func (b *box) await(script string) {
	b.t.Helper()
	harness.Until(b.t, 30*time.Second, func() string {
		if r := b.sh(script); r.code != 0 {
			return script + ": " + r.out
		}
		return ""
	})
}
