package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// demo says which devices play on a server that has none of its own.
type demo struct {
	devices int
	rate    float64 // readings per second and device
	mqtt    string  // address; empty: over NATS
	nats    string
}

// demoTenant is who the demo devices belong to.
const demoTenant = "demo"

// demoPolicy is put in force on a new data folder with demo devices where no other is named:
// a spike of theirs is beyond a limit, and a step too fast, which need not be learned first; flow and pressure of the
// pump belong together.
const demoPolicy = `{"tenants":{"` + demoTenant + `":{"detect":{"metrics":{"temp":{"max":60,"max_rate":10}},"joint":[{"metrics":["flow","pressure"]}]}}}}`

// misbehaviour is what demo devices do wrong, in percent of their messages.
var misbehaviour = [...]struct{ flag, percent, says string }{
	{"late", "1", "1 % come late"},
	{"duplicate", "1", "1 % twice"},
	{"future", "0.5", "0.5 % from the future"},
	{"malformed", "0.5", "0.5 % malformed"},
}

// args are those of the simulator, which is this program.
func (d demo) args() []string {
	a := []string{
		"sim", "--qos", "1", "--tenant", demoTenant, "--for", "0", "--drain", "3s", "--trouble",
		"--devices", strconv.Itoa(d.devices), "--rate", strconv.FormatFloat(d.rate, 'g', -1, 64),
	}
	for _, m := range misbehaviour {
		a = append(a, "--"+m.flag, m.percent)
	}
	if d.mqtt != "" {
		return append(a, "--mqtt", d.mqtt)
	}
	return append(a, "--nats", "nats://"+d.nats)
}

// stopDemo is how long the simulator may take to end before it is killed.
const stopDemo = 5 * time.Second

// Run plays the devices in a process of their own until ctx ends, so that they
// reach the services as any device does. The process dies with this one, however
// that dies. An end that nobody asked for is an error.
func (d demo) Run(ctx context.Context) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	var said tail
	cmd := exec.CommandContext(ctx, exe, d.args()...)
	cmd.Stderr = &said
	cmd.Env = withoutSettings(os.Environ())
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopDemo
	// A group of its own: Ctrl-C on a terminal reaches this process only, which
	// then stops the devices first.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	// The kernel sends Pdeathsig when the thread that started the child ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
		err = errors.New("exit code 0")
	}
	return fmt.Errorf("demo devices ended: %w: %s", err, said.last())
}

// withoutSettings leaves out the variables that set flags: they are meant for
// this process.
func withoutSettings(env []string) []string {
	var kept []string
	for _, v := range env {
		if !strings.HasPrefix(v, "WEIR_") {
			kept = append(kept, v)
		}
	}
	return kept
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

const tailBytes = 1 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - tailBytes; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

// last is the last line.
func (t *tail) last() string {
	lines := strings.FieldsFunc(string(t.b), func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) == 0 {
		return "it said nothing"
	}
	return strings.TrimSpace(lines[len(lines)-1])
}
