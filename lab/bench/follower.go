package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// follower is a user who runs weir windows --follow and looks at each line when
// it comes.
type follower struct {
	*process
	seen []sight
	done chan error // once the last line has been seen
}

// follow starts a user. flags say which windows.
func (w *product) follow(flags ...string) (*follower, error) {
	cmd := w.command(append([]string{"windows", "--http", w.at.HTTP, "--follow", "-o", "json"}, flags...)...)
	lines, out := io.Pipe()
	cmd.Stdout = out
	p, err := startProcess(cmd)
	if err != nil {
		return nil, err
	}
	f := &follower{process: p, done: make(chan error, 1)}
	go func() { <-p.ended; out.Close() }()
	go func() { f.done <- f.watch(lines) }()
	return f, nil
}

// watch notes when each line was seen. What it says is read later, so that one
// line does not delay the next.
func (f *follower) watch(lines io.Reader) error {
	in := bufio.NewReaderSize(lines, 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f.seen = append(f.seen, sight{at: time.Now(), line: bytes.TrimSpace(line)})
	}
}

// leave ends a user and returns what was seen.
func (f *follower) leave() ([]sight, error) {
	err := errors.Join(f.interrupt(), <-f.done)
	if err != nil {
		return nil, fmt.Errorf("follow windows: %w", err)
	}
	return f.seen, nil
}
