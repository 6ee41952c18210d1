package main

import (
	"errors"
	"fmt"
	"io"

	"weir/lab/sights"
)

// follower is a user who runs weir windows --follow, or weir findings --follow, and
// looks at each line when it comes.
type follower struct {
	*process
	seen []sights.Sight
	done chan error // once the last line has been seen
}

// follow starts a user. what is windows or findings, flags say which.
func (w *product) follow(what string, flags ...string) (*follower, error) {
	cmd := w.command(append([]string{what, "--http", w.at.HTTP, "--follow", "-o", "json"}, flags...)...)
	lines, out := io.Pipe()
	cmd.Stdout = out
	p, err := startProcess(cmd)
	if err != nil {
		return nil, err
	}
	f := &follower{process: p, done: make(chan error, 1)}
	go func() { <-p.ended; out.Close() }()
	go func() {
		var err error
		f.seen, err = sights.Watch(lines)
		f.done <- err
	}()
	return f, nil
}

// leave ends a user and returns what was seen.
func (f *follower) leave() ([]sights.Sight, error) {
	err := errors.Join(f.interrupt(), <-f.done)
	if err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	return f.seen, nil
}
