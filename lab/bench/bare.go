package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	"weir/simulator"
)

// bare is a floor: a server without a product. See package floor.
type bare struct {
	*process
	questions io.WriteCloser
	answers   *bufio.Scanner
	addr      string
	batch     int64 // readings per message of its run
}

// buildFloor compiles the floor into a folder.
func buildFloor(ctx context.Context, root, dir string) (string, error) {
	binary := filepath.Join(dir, "floor")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "weir/lab/bench/floor")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return binary, nil
}

// startBare starts the floor that a shape is compared with.
func startBare(o options, binary string, s shape) (server, error) {
	b := &bare{batch: int64(s.Batch)}
	cmd := exec.Command(binary, "-kind", s.floor(), "-group", o.group.String())
	questions, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	answers, out := io.Pipe()
	cmd.Stdout = out
	b.questions, b.answers = questions, bufio.NewScanner(answers)
	if b.process, err = startProcess(cmd); err != nil {
		return nil, err
	}
	go func() { <-b.ended; out.Close() }() // nobody waits for an answer any more
	first, err := b.answer()
	if err != nil {
		return nil, errors.Join(err, b.stop())
	}
	b.addr = first.MQTT
	return b, nil
}

// said is one answer.
type said struct {
	MQTT            string
	Messages, Bytes int64
}

func (b *bare) answer() (s said, err error) {
	if !b.answers.Scan() {
		return s, fmt.Errorf("%s: no answer", b.cmd)
	}
	return s, json.Unmarshal(b.answers.Bytes(), &s)
}

func (b *bare) mqtt() string { return b.addr }

func (b *bare) stop() error { return errors.Join(b.questions.Close(), b.join()) }

func (b *bare) counters(context.Context) (counters, error) {
	if _, err := io.WriteString(b.questions, "\n"); err != nil {
		return counters{}, fmt.Errorf("ask %s: %w", b.cmd, err)
	}
	s, err := b.answer()
	return counters{Messages: float64(s.Messages), PayloadBytes: float64(s.Bytes)}, err
}

// patience is how long a floor may take in nothing before what is missing is
// lost. On a machine that devices fill it stalls for seconds and drops nothing.
const patience = 10 * time.Second

// judge waits until everything has arrived, or nothing more does.
func (b *bare) judge(ctx context.Context, sent simulator.Summary) (verdict, error) {
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	most, since := -1.0, time.Now()
	for {
		now, err := b.counters(ctx)
		if err != nil {
			return verdict{}, err
		}
		if now.Messages > most {
			most, since = now.Messages, time.Now()
		}
		missing := max(0, sent.Messages-int64(most)) * b.batch
		if missing == 0 || time.Since(since) > patience {
			return verdict{Missing: missing}, nil
		}
		select {
		case <-ctx.Done():
			return verdict{}, ctx.Err()
		case <-look.C:
		}
	}
}
