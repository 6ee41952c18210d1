package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Result is what a command did.
type Result struct {
	Args   []string
	Stdout string
	Stderr string
	Code   int // exit code; -1: it was killed, because it took too long
}

// String is the result for people.
func (r Result) String() string {
	return fmt.Sprintf("weir %s: exit code %d\nstdout: %s\nstderr: %s", strings.Join(r.Args, " "), r.Code, r.Stdout, r.Stderr)
}

// commandWithin bounds a command that looks or changes.
const commandWithin = 3 * time.Minute

// Weir runs a command to its end. It finds the product as on a user's machine:
// by the index of running instances, in which there is no other.
func (p *Product) Weir(args ...string) Result {
	p.tb.Helper()
	return p.Do(p.command(args...))
}

// Command is a weir that is not started, for what Weir cannot do: standard
// input, signals, another user.
func (p *Product) Command(args ...string) *exec.Cmd { return p.command(args...) }

// Do runs a command to its end.
func (p *Product) Do(cmd *exec.Cmd) Result {
	p.tb.Helper()
	return p.DoWithin(cmd, commandWithin)
}

// DoWithin runs a command to its end, and kills it where that takes longer.
func (p *Product) DoWithin(cmd *exec.Cmd, within time.Duration) Result {
	p.tb.Helper()
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	ended, err := spawn(cmd)
	if err != nil {
		p.tb.Fatalf("start %s: %v", cmd, err)
	}
	tooLong := time.AfterFunc(within, func() { _ = cmd.Process.Kill() })
	defer tooLong.Stop()
	<-ended
	return Result{Args: cmd.Args[1:], Stdout: out.String(), Stderr: messages.String(), Code: cmd.ProcessState.ExitCode()}
}

// spawn starts a command that dies with this process: the kernel kills it when
// the thread that started it ends, so that thread waits for it. ended is closed
// once its exit code is known.
func spawn(cmd *exec.Cmd) (ended chan struct{}, err error) {
	ended = make(chan struct{})
	started := make(chan error)
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the exit code is in cmd
		}
	}()
	return ended, <-started
}

// ask runs a command that must succeed.
func (p *Product) ask(args ...string) Result {
	p.tb.Helper()
	r := p.Weir(args...)
	if r.Code != 0 {
		p.tb.Fatal(r)
	}
	return r
}

// decodeLines decodes an answer of one JSON object per line.
func decodeLines[T any](p *Product, r Result) []T {
	p.tb.Helper()
	var all []T
	for line := range strings.Lines(r.Stdout) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			p.tb.Fatalf("weir %s: line %q: %v", strings.Join(r.Args, " "), line, err)
		}
		all = append(all, v)
	}
	return all
}

// Operator is how operators sign in over NATS.
type Operator struct{ URL, User, Password string }

// Operator reads the credentials in the data folder.
func (p *Product) Operator() Operator {
	p.tb.Helper()
	var o Operator
	data, err := os.ReadFile(p.Folder + "/operator.json")
	if err == nil {
		err = json.Unmarshal(data, &o)
	}
	if err != nil {
		p.tb.Fatalf("read operator credentials: %v", err)
	}
	return o
}
