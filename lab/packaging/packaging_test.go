// Package packaging judges what is handed out: binaries, packages, units,
// containers, and the commands of docs/install.md.
//
//	make packaging        all of it: needs root, and skips what the machine cannot do
//	go test ./lab/packaging        what takes seconds
//
// In: the project as it is on disk, copied once, so that changes made meanwhile
// change nothing. Out: the machine as it was before: the package is installed
// in a system of its own (box), containers run in an engine of their own.
//
// Limits: Linux on Debian; the architecture of this machine.
package packaging

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"weir/lab/harness"
)

var (
	weir harness.Binary
	all  = flag.Bool("all", false, "test packages and containers too; needs root and some minutes")
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "weir-packaging-")
	if err != nil {
		panic(err)
	}
	scratch = dir
	code := harness.Main(m, &weir)
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

// needAll skips what is only tested with -all, as root and with these programs.
func needAll(t *testing.T, programs ...string) {
	t.Helper()
	if !*all {
		t.Skip("takes minutes and needs root: make packaging")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes namespaces and mounts")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

// project is the folder of the project.
func project(t *testing.T) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// run runs a command in a folder; it must succeed. It returns what it printed.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	out, err := try(dir, nil, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try runs a command in a folder with further variables.
func try(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return string(out), err
}

// tree is a copy of the project with what deploy/dist builds from it for this
// machine. It needs -all.
func tree(t *testing.T) string {
	t.Helper()
	needAll(t)
	if _, err := os.Stat(nfpm(t)); err != nil {
		t.Skip("bin/nfpm is missing: make packaging gets it")
	}
	to := filepath.Join(scratch, "tree")
	built.Do(func() {
		if builtErr = copyTree(project(t), to, nfpm(t)); builtErr == nil {
			builtErr = dist(to, "")
		}
	})
	if builtErr != nil {
		t.Fatal(builtErr)
	}
	return to
}

var (
	scratch  string // a folder that goes when the tests have ended
	built    sync.Once
	builtErr error
)

func nfpm(t *testing.T) string { return filepath.Join(project(t), "bin/nfpm") }

// copyTree copies a project without what was built in it, and gives it nfpm.
func copyTree(from, to, nfpm string) error {
	if err := os.MkdirAll(filepath.Join(to, "bin"), 0o755); err != nil {
		return err
	}
	const script = `tar --exclude=./bin --exclude=./dist --exclude=./deploy/compose/secrets --exclude=./deploy/compose/.env -c . | tar -C "$0" -x`
	if _, err := try(from, nil, "sh", "-c", script, to); err != nil {
		return err
	}
	return os.Symlink(nfpm, filepath.Join(to, "bin/nfpm"))
}

// dist builds a copy for this machine, with a cache of compiled code of its own
// where one is named.
func dist(tree, cache string) error {
	env := []string{"ARCHS=" + architecture()}
	if cache != "" {
		env = append(env, "GOCACHE="+cache)
	}
	_, err := try(tree, env, "deploy/dist")
	return err
}

// architecture is this machine's, as deploy/build names it.
func architecture() string {
	if runtime.GOARCH == "arm" {
		return "armv7"
	}
	return runtime.GOARCH
}

// one is the only file that fits the pattern.
func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v; want one file", pattern, found, err)
	}
	return found[0]
}

// read is the text of a file of the project.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(project(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// needCommand skips where the program does not know a command.
func needCommand(t *testing.T, binary, command string) {
	t.Helper()
	out, _ := exec.Command(binary, "help").CombinedOutput() // what it does not print it does not know
	if !strings.Contains(string(out), "\n  "+command+" ") {
		t.Skipf("%s has no command %s", binary, command)
	}
}
