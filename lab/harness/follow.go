package harness

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"syscall"

	"weir/lab/sights"
)

// Follower is a user who runs weir windows --follow and looks at each line when
// it comes.
type Follower struct {
	p     *Product
	cmd   *exec.Cmd
	err   bytes.Buffer
	ended chan struct{}
	seen  chan []sights.Sight // what was seen, once it has ended
}

// Follow starts a user. flags say which windows.
func (p *Product) Follow(flags ...string) *Follower {
	p.tb.Helper()
	f := &Follower{p: p, seen: make(chan []sights.Sight, 1)}
	f.cmd = p.command(append([]string{"windows", "--http", p.HTTP, "--follow", "-o", "json"}, flags...)...)
	lines, out := io.Pipe()
	f.cmd.Stdout, f.cmd.Stderr = out, &f.err
	var err error
	if f.ended, err = spawn(f.cmd); err != nil {
		p.tb.Fatalf("start %s: %v", f.cmd, err)
	}
	go func() { <-f.ended; out.Close() }()
	go func() {
		seen, _ := sights.Watch(lines) // a pipe fails only by its end
		f.seen <- seen
	}()
	p.tb.Cleanup(func() {
		_ = syscall.Kill(-f.cmd.Process.Pid, syscall.SIGKILL) // most of the time it has ended
		<-f.ended
	})
	return f
}

// Leave ends the user and returns what was seen.
func (f *Follower) Leave() []sights.Sight {
	f.p.tb.Helper()
	_ = f.cmd.Process.Signal(os.Interrupt) // one that has ended says below with what
	<-f.ended
	if code := f.cmd.ProcessState.ExitCode(); code != 0 {
		f.p.tb.Errorf("%s: exit code %d: %s", f.cmd, code, f.err.String())
	}
	return <-f.seen
}
