package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestExitCode(t *testing.T) {
	plain := errors.New("plain")
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{"nothing", nil, 0},
		{"before a command ran", plain, 2},
		{"usage", usageError("flag %s", "x"), 2},
		{"wrapped", fmt.Errorf("read: %w", exitWith(exitInvalid, plain)), 3},
		{"innermost wins", exitWith(exitFailed, exitWith(exitUnreachable, plain)), 5},
		{"nil stays nil", exitWith(exitNotEqual, nil), 0},
		{"nothing to say", &exitError{code: exitNotEqual}, 4},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%s: exit code %d, want %d", c.name, got, c.want)
		}
	}
	if got := (&exitError{code: 4}).Error(); got != "" {
		t.Errorf("an error without a message says %q", got)
	}
}

func TestClassErrors(t *testing.T) {
	root := &cobra.Command{Use: "weir", SilenceErrors: true, SilenceUsage: true}
	for use, err := range map[string]error{
		"breaks":  errors.New("broke"),
		"refuses": exitWith(exitInvalid, errors.New("no such field")),
	} {
		root.AddCommand(&cobra.Command{Use: use, RunE: func(*cobra.Command, []string) error { return err }})
	}
	classErrors(root)
	for args, want := range map[string]int{"breaks": 1, "refuses": 3, "unknown": 2, "breaks --unknown": 2} {
		root.SetArgs(strings.Fields(args))
		if got := exitCode(root.Execute()); got != want {
			t.Errorf("weir %s: exit code %d, want %d", args, got, want)
		}
	}
}
