package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is a child that is measured. It is in a group of its own, so that the
// terminal does not interrupt it, and dies with this process.
type process struct {
	cmd   *exec.Cmd
	said  bytes.Buffer  // on standard error; read it once ended is closed
	ended chan struct{} // closed once it has ended
}

// startedWithin and stoppedWithin bound a start and an end.
const (
	startedWithin = 30 * time.Second
	stoppedWithin = 30 * time.Second
)

func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &p.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd, err)
	}
	go func() { defer close(p.ended); _ = cmd.Wait() }() // its exit code is in cmd
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// await looks until ready reports true.
func (p *process) await(ready func() bool) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(startedWithin)
	for !ready() {
		select {
		case <-look.C:
		case <-p.ended:
			return fmt.Errorf("%s ended before it was ready: %s\n%s", p.cmd, p.cmd.ProcessState, p.said.Bytes())
		case <-deadline:
			return fmt.Errorf("%s is not ready after %v", p.cmd, startedWithin)
		}
	}
	return nil
}

// interrupt asks for an end and waits for it.
func (p *process) interrupt() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("interrupt %s: %w", p.cmd, err)
	}
	return p.join()
}

// join waits for the end and kills a process that does not come to one.
func (p *process) join() error {
	select {
	case <-p.ended:
	case <-time.After(stoppedWithin):
		err := p.cmd.Process.Kill()
		<-p.ended
		return errors.Join(fmt.Errorf("%s did not end within %v and was killed", p.cmd, stoppedWithin), err)
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s: %s\n%s", p.cmd, p.cmd.ProcessState, p.said.Bytes())
	}
	return nil
}
