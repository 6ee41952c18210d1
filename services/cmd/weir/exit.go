package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes: part of the fixed command line surface. A second interrupt while
// draining ends the process with 130, from the signal handler itself.
const (
	exitOK          = 0
	exitFailed      = 1 // failed while running
	exitUsage       = 2 // usage or configuration: a port in use, a data folder
	exitInvalid     = 3 // invalid document
	exitNotEqual    = 4 // a comparison found a difference
	exitUnreachable = 5 // nobody answers
)

// exitError is an error that knows the exit code of the process.
type exitError struct {
	code int
	err  error // nil: everything has been said already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exitWith gives err an exit code. The innermost code wins, nil stays nil.
func exitWith(code int, err error) error {
	if _, known := errors.AsType[*exitError](err); err == nil || known {
		return err
	}
	return &exitError{code: code, err: err}
}

// usageError says what is wrong with a command line.
func usageError(format string, args ...any) error {
	return exitWith(exitUsage, fmt.Errorf(format, args...))
}

// numbers are what a flag of a number wants, by what its parser is called.
var numbers = [][2]string{
	{": strconv.ParseUint:", "a whole number from 0"}, {": strconv.ParseInt:", "a whole number"}, {": strconv.ParseFloat:", "a number"}, {": strconv.ParseBool:", "true or false"},
}

// flagError says of a flag what would be right, and where flags are explained.
func flagError(c *cobra.Command, err error) error {
	text := err.Error()
	for _, n := range numbers {
		if before, _, found := strings.Cut(text, n[0]); found {
			text = before + ": use " + n[1]
		}
	}
	return usageError("%s; see %s --help", text, c.CommandPath())
}

// exitCode is the exit code that an error of the root command stands for. What
// has no class came from cobra before a command ran: a usage error.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return exitUsage
}

// argumentError says of arguments that a command cannot take what it wants.
func argumentError(c *cobra.Command, args []string) error {
	switch {
	case c.HasSubCommands():
		return usageError("%s has no command %q; see %s --help", c.CommandPath(), args[0], c.CommandPath())
	case len(args) == 0:
		return usageError("an argument is missing: use %s; see %s --help", c.UseLine(), c.CommandPath())
	}
	return usageError("unexpected arguments %q: use %s; see %s --help", args, c.UseLine(), c.CommandPath())
}

// classErrors makes a command tree class its errors: what a command returns
// failed while running unless it says otherwise, and arguments that it does not take
// are told by what it takes. The root calls it last.
func classErrors(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			if _, said := errors.AsType[*exitError](err); err == nil || said {
				return err
			}
			return argumentError(c, args)
		}
	}
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error { return exitWith(exitFailed, run(c, args)) }
	}
	for _, sub := range c.Commands() {
		classErrors(sub)
	}
}
