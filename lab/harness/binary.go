package harness

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Binary is the path of a built weir.
type Binary string

// Main is a TestMain: it finds or builds the binary, stores it in weir and runs
// the tests. It returns the exit code.
func Main(m *testing.M, weir *Binary) int {
	if was, err := asNode(); err != nil {
		return complain(err)
	} else if was {
		return 0
	}
	path := flag.String("weir", "", "the weir to test (default: built from the sources)")
	flag.Parse()
	if *path != "" {
		return withBinary(m, weir, *path)
	}
	dir, err := os.MkdirTemp("", "weir-lab-bin-")
	if err != nil {
		return complain(err)
	}
	defer os.RemoveAll(dir)
	built := filepath.Join(dir, "weir")
	if err := build(built); err != nil {
		return complain(err)
	}
	return withBinary(m, weir, built)
}

// withBinary runs the tests with a binary that is there. Tests run in folders of
// their packages, so its path is made absolute.
func withBinary(m *testing.M, weir *Binary, path string) int {
	abs, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(abs)
	}
	if err != nil {
		return complain(fmt.Errorf("-weir %s: %w", path, err))
	}
	*weir = Binary(abs)
	return m.Run()
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func build(to string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	out, err := exec.Command("go", "build", "-C", filepath.Join(root, "services"), "-buildvcs=false", "-o", to, "./cmd/weir").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the product: %w\n%s", err, out)
	}
	return os.Chmod(filepath.Dir(to), 0o755) // for tests that start it as another user
}

// Root is the folder of the project: the one of go.work at or above the working
// folder.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.work"))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find go.work at or above the working folder: %w", err)
		}
		dir = filepath.Dir(dir)
	}
}

// Example is the path of a file in the project's examples.
func Example(tb testing.TB, name string) string {
	tb.Helper()
	root, err := Root()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(root, "examples", name)
}

// FastPolicy is the document of one-second windows with two seconds of lateness.
func FastPolicy(tb testing.TB) string {
	tb.Helper()
	return Example(tb, "policy-fast.json")
}
