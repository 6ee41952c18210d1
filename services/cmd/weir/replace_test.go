package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asReplaced makes the test binary replace its process once, and say who it is
// before and after.
const asReplaced = "TEST_BINARY_REPLACES_ITSELF"

func replaceOnce() {
	fmt.Println(os.Getpid(), os.Args[1:])
	if os.Getenv(asReplaced) == "done" {
		os.Exit(exitOK)
	}
	_ = os.Setenv(asReplaced, "done")
	fmt.Println(replaceProcess())
	os.Exit(exitFailed)
}

// TestReplaceProcess: the new process has the number and the arguments of the old.
func TestReplaceProcess(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "up", "--quiet")
	cmd.Env = append(os.Environ(), asReplaced+"=first")
	out, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != 2 || lines[0] != lines[1] || !strings.HasSuffix(lines[0], "[up --quiet]") {
		t.Errorf("%v: %s", err, out)
	}
}
