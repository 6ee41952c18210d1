package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAddress(t *testing.T) {
	for _, c := range []struct {
		value           string
		valid, loopback bool
	}{
		{"127.0.0.1:1883", true, true},
		{"127.0.0.1:0", true, true},
		{"[::1]:1883", true, true},
		{"localhost:1883", true, true},
		{"0.0.0.0:1883", true, false},
		{":1883", true, false},
		{"[::]:1883", true, false},
		{"10.0.0.7:1883", true, false},
		{"localhost.evil.example:1883", true, false},
		{"1883", false, false},
		{"127.0.0.1:mqtt", false, true},
		{"127.0.0.1:70000", false, true},
	} {
		a := address{"mqtt", c.value}
		if err := a.check(); (err == nil) != c.valid {
			t.Errorf("%s: %v", c.value, err)
		}
		if got := a.loopback(); got != c.loopback {
			t.Errorf("%s: loopback %v", c.value, got)
		}
	}
}

func TestConnections(t *testing.T) {
	for _, c := range []struct {
		files uint64
		most  int
		warns bool
	}{
		{math.MaxUint64, mostConnections, false},
		{mostConnections + reservedFiles, mostConnections, false},
		{12_000, 12_000 - reservedFiles, false},
		{1024, 1024 - reservedFiles, true},
		{64, 16, true},
	} {
		most, warning := connections(c.files)
		if most != c.most || (warning != "") != c.warns {
			t.Errorf("%d files: %d connections, %q", c.files, most, warning)
		}
	}
}

// terminal is a screen of some columns that writes into b.
func terminal(b *strings.Builder, columns int) *screen {
	return &screen{out: b, width: func() int { return columns }}
}

func TestScreenRewritesOneLine(t *testing.T) {
	var b strings.Builder
	s := terminal(&b, 40)
	s.show("one")
	s.show("two")
	if _, err := s.Write([]byte("a warning\n")); err != nil {
		t.Fatal(err)
	}
	s.leave()
	if _, err := s.Write([]byte("the end\n")); err != nil {
		t.Fatal(err)
	}
	const want = clearLine + "one" + clearLine + "two" + clearLine + "a warning\n" + clearLine + "two" + "\nthe end\n"
	if b.String() != want {
		t.Errorf("wrote %q, want %q", b.String(), want)
	}
}

func TestScreenThatIsNoTerminal(t *testing.T) {
	var b strings.Builder
	s := newScreen(&b)
	s.show("one")
	s.show("")
	s.leave()
	if b.String() != "one\n" {
		t.Errorf("wrote %q", b.String())
	}
}

func TestLineFitsTheTerminal(t *testing.T) {
	const line = "12 received = 10 counted + 2 rejected (1 future, 1 bad_name) · 0 unexplained"
	for columns, want := range map[int]string{
		100: line,
		70:  "12 received = 10 counted + 2 rejected · 0 unexplained",
		30:  "12 received = 10 … unexplained",
		0:   "…",
	} {
		if got := cut(line, columns); got != want {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
}

func TestDemoArguments(t *testing.T) {
	overMQTT := strings.Join(demo{devices: 20, rate: 2.5, mqtt: "127.0.0.1:1", nats: "127.0.0.1:2"}.args(), " ")
	for _, want := range []string{"sim ", "--tenant demo", "--qos 1", "--devices 20", "--rate 2.5", "--future 0.5", "--mqtt 127.0.0.1:1"} {
		if !strings.Contains(overMQTT, want) {
			t.Errorf("%s has no %s", overMQTT, want)
		}
	}
	if overNATS := strings.Join(demo{devices: 1, rate: 1, nats: "127.0.0.1:2"}.args(), " "); !strings.HasSuffix(overNATS, "--nats nats://127.0.0.1:2") {
		t.Error(overNATS)
	}
}

func TestTailKeepsTheLastLine(t *testing.T) {
	var kept tail
	for range 100 {
		_, _ = kept.Write([]byte(strings.Repeat("x", 99) + "\n"))
	}
	_, _ = kept.Write([]byte("progress\rthe last\n"))
	if kept.last() != "the last" || len(kept.b) > tailBytes {
		t.Errorf("%q of %d bytes", kept.last(), len(kept.b))
	}
}

// TestSecondSignal stops the demo devices' process so that the drain takes a
// while, and asks twice.
func TestSecondSignal(t *testing.T) {
	p, _ := up(t, t.TempDir(), "--devices", "1")
	child := p.child()
	if err := syscall.Kill(child, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.eventually("the devices have stopped", func() error { // of two signals that wait, the kernel takes SIGTERM first
		if state := stateOf(child); state != "T" {
			return fmt.Errorf("their process is in state %q", state)
		}
		return nil
	})
	_ = p.cmd.Process.Signal(os.Interrupt)
	for end := time.After(patience); ; { // asks again until it is heard as a second signal
		select {
		case <-p.ended:
			if code := p.cmd.ProcessState.ExitCode(); code != exitInterrupted {
				t.Errorf("exit code %d: %s", code, p.err.String())
			}
			return
		case <-end:
			t.Fatal("still running")
		case <-time.After(sameSignal):
			_ = p.cmd.Process.Signal(os.Interrupt)
		}
	}
}

// TestStoppedWhileStarting: whoever asks for the end before the start has come to
// its own gets a clean one.
func TestStoppedWhileStarting(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := start(t, append([]string{"agent", "--name", "a1", "--region", "north", "--data", dir}, anyPort...)...)
	p.eventually("there is a data folder", func() error {
		_, err := os.Stat(dir)
		return err
	})
	p.interrupt()
}

func TestUnlessStopped(t *testing.T) {
	going, stop := context.WithCancel(t.Context())
	stopped, other := fmt.Errorf("make it: %w", context.Canceled), errors.New("no room")
	if err := unlessStopped(going, stopped); !errors.Is(err, stopped) {
		t.Errorf("nobody has asked for the end: %v", err)
	}
	stop()
	if err := unlessStopped(going, stopped); err != nil {
		t.Errorf("asked to end: %v", err)
	}
	if err := unlessStopped(going, exitWith(exitUsage, other)); !errors.Is(err, other) {
		t.Errorf("asked to end, and there was no room: %v", err)
	}
}

// TestDevicesDieWithTheProcess kills weir up, and the devices must go too.
func TestDevicesDieWithTheProcess(t *testing.T) {
	p, _ := up(t, t.TempDir(), "--devices", "1")
	child := p.child()
	p.kill()
	for end := time.After(patience); alive(child); {
		select {
		case <-end:
			t.Fatalf("process %d outlives weir", child)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestForSomeTime runs with demo devices and wants a closed ledger on stdout.
func TestForSomeTime(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "fast.json")
	if err := os.WriteFile(policy, []byte(`{"views":[{"name":"device","size":"1s","allowed_lateness":"2s"},{"name":"fleet","size":"1s","allowed_lateness":"2s"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, append([]string{"up", "--devices", "5", "--rate", "20", "--for", "1s", "-o", "json", "--quiet", "--policy", policy}, anyPort...)...)
	code, out, messages := p.wait()
	l := ledgerOf(t, out)
	if code != exitOK || l.Totals.Received == 0 || l.Totals.InFlight != 0 || l.Totals.Unexplained != 0 || l.Tenants[demoTenant] == nil {
		t.Errorf("exit code %d, totals %+v: %s", code, l.Totals, messages)
	}
}
