package memlimit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// inGroup makes the test binary print what it finds and end.
const inGroup = "TEST_MEMLIMIT_IN_GROUP"

func TestMain(m *testing.M) {
	if os.Getenv(inGroup) == "" {
		os.Exit(m.Run())
	}
	limit, ok := Find(os.DirFS("/"))
	fmt.Println(limit, ok)
}

// TestKernel puts a process below a real group with a limit, where that may be
// done: root, and a hierarchy that limits memory.
func TestKernel(t *testing.T) {
	const limit = 128 << 20
	group := limited(t, limit)
	below := filepath.Join(group, "below")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(below)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$1"`, below, exe)
	cmd.Env = append(os.Environ(), inGroup+"=1")
	out, err := cmd.CombinedOutput()
	if want := fmt.Sprintln(limit, true); err != nil || string(out) != want {
		t.Errorf("a process below a group with a limit of %d finds %q, %v", limit, out, err)
	}
}

// limited makes a group with a limit, in the first hierarchy where that works.
func limited(t *testing.T, limit int64) string {
	t.Helper()
	var last error
	for _, m := range readMounts(os.DirFS("/")) {
		group := filepath.Join("/"+m.point, "weir-memlimit-"+strconv.Itoa(os.Getpid()))
		if last = os.Mkdir(group, 0o755); last != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(group) })
		if last = write(filepath.Join(group, m.version.files()[0]), limit); last == nil {
			return group
		}
	}
	t.Skipf("no group with a memory limit can be made here: %v", last)
	return ""
}

// write sets a limit in a file that the kernel has made.
func write(name string, limit int64) error {
	if _, err := os.Stat(name); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(strconv.FormatInt(limit, 10)), 0)
}
