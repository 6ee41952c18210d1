package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/datadir"
)

// asWeir makes the test binary behave as the program, so that tests meet a
// process of its own: signals, exit codes, kill -9.
const asWeir = "TEST_BINARY_IS_WEIR"

func TestMain(m *testing.M) {
	if os.Getenv(asWeir) != "" {
		main()
	}
	if os.Getenv(asReplaced) != "" {
		replaceOnce()
	}
	os.Exit(m.Run())
}

// patience bounds every wait of these tests.
const patience = 2 * time.Minute

// busy is how many times longer than promised things may take on a machine that runs
// other tests at the same time; what they take where nothing else runs is measured in lab.
const busy = 8

// process is a running weir.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err said
	ended    chan struct{}
}

// said is what a process has said so far.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs weir with these arguments.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(exe, args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asWeir+"=1", "XDG_RUNTIME_DIR="+t.TempDir())
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.ended); _ = p.cmd.Wait() }()
	t.Cleanup(p.kill)
	t.Cleanup(p.explain)
	return p
}

// explain shows of the processes of a failed test what they said, and what each
// goroutine waits for of those that still run.
func (p *process) explain() {
	if !p.t.Failed() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGQUIT) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(patience):
	}
	p.t.Logf("weir %s: %v, and said %s", strings.Join(p.cmd.Args[1:], " "), p.cmd.ProcessState, p.err.String())
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// wait returns the exit code and what was said.
func (p *process) wait() (code int, out, messages string) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.kill()
		p.t.Fatalf("still running; it said %s", p.err.String())
	}
	return p.cmd.ProcessState.ExitCode(), p.out.String(), p.err.String()
}

// interrupt asks for an end and wants a clean one.
func (p *process) interrupt() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(os.Interrupt)
	if code, _, messages := p.wait(); code != exitOK {
		p.t.Errorf("exit code %d after an interrupt: %s", code, messages)
	}
}

// weir runs a command to its end.
func weir(t *testing.T, args ...string) (code int, out, messages string) {
	t.Helper()
	return start(t, args...).wait()
}

// anyPort are flags for listeners that collide with nothing.
var anyPort = []string{"--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"}

// up starts weir up on a folder and waits until devices are accepted.
func up(t *testing.T, dir string, args ...string) (*process, datadir.Instance) {
	t.Helper()
	p := start(t, append(append([]string{"up", "--data", dir, "--devices", "0"}, anyPort...), args...)...)
	var i datadir.Instance
	p.eventually("ready", func() error {
		var err error
		if i, err = datadir.ReadInstance(dir); err == nil && i.PID != p.cmd.Process.Pid {
			err = fmt.Errorf("run.json is of process %d", i.PID)
		}
		return err
	})
	return p, i
}

// eventually tries until there is no error.
func (p *process) eventually(what string, try func() error) {
	p.t.Helper()
	for end := time.After(patience); ; {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-p.ended:
			p.t.Fatalf("not %s: %v; weir ended: %s", what, err, p.err.String())
		case <-end:
			p.t.Fatalf("not %s: %v; weir says %s", what, err, p.err.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// send is a device that asks for an answer over NATS.
func send(t *testing.T, i datadir.Instance, reading string) string {
	t.Helper()
	return sendAs(t, i, "boiler-1", reading)
}

func sendAs(t *testing.T, i datadir.Instance, device, reading string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b, err := bus.Dial(ctx, "nats://"+i.NATS, "", "", schemas.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	answer, err := b.Ask(ctx, schemas.Telemetry("demo", device, schemas.Metrics), []byte(reading))
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// get reads a page.
func get(i datadir.Instance, path string) ([]byte, error) {
	r, err := http.Get("http://" + i.HTTP + path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, r.Status, data)
	}
	return data, err
}

// received waits until the ledger is closed over so many records.
func (p *process) received(i datadir.Instance, want uint64) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("received %d", want), func() error {
		data, err := get(i, "/api/v1/ledger")
		var l schemas.Ledger
		if err = errors.Join(err, json.Unmarshal(data, &l)); err != nil {
			return err
		}
		if l.Totals.Received != want || l.Totals.Unexplained != 0 {
			return fmt.Errorf("totals %+v", l.Totals)
		}
		return nil
	})
}

func TestUpFromStartToEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p, i := up(t, dir, "--agents", "3", "--regions", "2")
	if i.Agents != 3 || i.Regions != 2 || i.Data != dir {
		t.Errorf("run.json says %+v", i)
	}
	if got := send(t, i, `{"temp":21.5,"hum":40}`); got != `{"records":2,"journaled":2}` {
		t.Errorf("answer %s", got)
	}
	p.received(i, 2)
	p.eventually("ready", func() error { _, err := get(i, "/readyz?verbose"); return err })
	p.interrupt()
	for _, want := range []string{i.HTTP, i.NATS, i.MQTT, dir, "3 in 2 regions", "mosquitto_pub -p "} {
		if !strings.Contains(p.err.String(), want) {
			t.Errorf("the banner does not say %q:\n%s", want, p.err.String())
		}
	}
	if _, err := datadir.ReadInstance(dir); !errors.Is(err, datadir.ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

func TestUpAfterKill(t *testing.T) {
	dir := t.TempDir()
	p, i := up(t, dir)
	send(t, i, `{"temp":21.5}`)
	send(t, i, `{"temp":"warm"}`)
	p.kill()
	p, i = up(t, dir)
	send(t, i, `{"temp":21.5}`)
	p.received(i, 3)
	p.interrupt()
}

func TestUpRefusesToStart(t *testing.T) {
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`{"views": 3`), 0o600); err != nil {
		t.Fatal(err)
	}
	used := t.TempDir()
	_, i := up(t, used)
	with := func(flag, value string) []string { return append(append([]string{"up"}, anyPort...), flag, value) }
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"MQTT port in use", with("--mqtt", i.MQTT), exitUsage, "--mqtt " + i.MQTT + " is in use"},
		{"NATS port in use", with("--nats", i.NATS), exitUsage, "--nats " + i.NATS + " is in use"},
		{"HTTP port in use", with("--http", i.HTTP), exitUsage, "--http " + i.HTTP + " is in use"},
		{"folder in use", with("--data", used), exitUsage, "in use by process"},
		{"foreign folder", with("--data", foreign), exitUsage, "something else"},
		{"open to others", with("--http", "0.0.0.0:0"), exitUsage, "--insecure"},
		{"no address", with("--nats", "4222"), exitUsage, "host:port"},
		{"API open to others", append(with("--http", "0.0.0.0:0"), "--users", "u.yaml", "--devices", "0"), exitUsage, "API know no users"},
		{"API open to others beside TLS", append(with("--http", "0.0.0.0:0"), "--users", "u.yaml", "--devices", "0", "--tls-cert", "c", "--tls-key", "k"), exitUsage, "API know no users"},
		{"passwords in the clear", append(with("--mqtt", "0.0.0.0:0"), "--users", "u.yaml", "--devices", "0"), exitUsage, "--tls-cert"},
		{"no users file", append(with("--users", "nowhere.yaml"), "--devices", "0"), exitUsage, "nowhere.yaml"},
		{"no policy file", with("--policy", "nowhere.json"), exitUsage, "nowhere.json"},
		{"policy", with("--policy", bad), exitInvalid, "--policy"},
		{"no number", with("--agents", "many"), exitUsage, "--agents"},
		{"no agent", with("--agents", "0"), exitUsage, "--agents 0"},
		{"unknown flag", with("--colour", "red"), exitUsage, "--colour"},
		{"argument", []string{"up", "now"}, exitUsage, "now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, messages := weir(t, c.args...)
			if code != c.code || out != "" || !strings.Contains(messages, c.says) || strings.Count(messages, "\n") != 1 {
				t.Errorf("exit code %d, want %d with one line about %q; it said %s%s", code, c.code, c.says, messages, out)
			}
		})
	}
}

func TestShapeOfTheFolder(t *testing.T) {
	dir := t.TempDir()
	p, _ := up(t, dir, "--agents", "2")
	p.interrupt()
	code, _, messages := weir(t, append([]string{"up", "--data", dir, "--agents", "3"}, anyPort...)...)
	if code != exitUsage || !strings.Contains(messages, "--agents 2") {
		t.Errorf("exit code %d: %s", code, messages)
	}
	p, i := up(t, dir)
	if i.Agents != 2 {
		t.Errorf("%d agents without a flag", i.Agents)
	}
	p.interrupt()
}

func TestTemporaryFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p := start(t, append([]string{"up", "--devices", "0"}, anyPort...)...)
	var folders []string
	p.eventually("ready", func() error {
		folders, _ = filepath.Glob(filepath.Join(os.TempDir(), "weir-*"))
		if len(folders) != 1 {
			return fmt.Errorf("folders %v", folders)
		}
		_, err := datadir.ReadInstance(folders[0])
		return err
	})
	p.interrupt()
	if !strings.Contains(p.err.String(), folders[0]+"   temporary") {
		t.Errorf("the banner does not name %s:\n%s", folders[0], p.err.String())
	}
	if _, err := os.Stat(folders[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", folders[0], err)
	}
}

func TestConfigFileAndEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte("agents: 2\nregions: 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WEIR_REGIONS", "1")
	p, i := up(t, t.TempDir(), "--config", file)
	if i.Agents != 2 || i.Regions != 1 {
		t.Errorf("%d agents in %d regions", i.Agents, i.Regions)
	}
	p.interrupt()
}

func TestTerminationIsAnEnd(t *testing.T) {
	p, _ := up(t, t.TempDir())
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if code, _, messages := p.wait(); code != exitOK {
		t.Errorf("exit code %d: %s", code, messages)
	}
}

func TestHelpShowsHowToBegin(t *testing.T) {
	code, out, _ := weir(t)
	if code != exitOK || !strings.Contains(out, "weir up") || strings.Count(out, "\n") > 45 {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestUnknownCommand(t *testing.T) {
	if code, _, messages := weir(t, "upp"); code != exitUsage || !strings.Contains(messages, "upp") {
		t.Errorf("exit code %d: %s", code, messages)
	}
}

// child waits for the process of the demo devices and returns its id.
func (p *process) child() (pid int) {
	p.t.Helper()
	p.eventually("playing demo devices", func() error {
		lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
		for _, list := range lists {
			children, _ := os.ReadFile(list)
			for _, child := range strings.Fields(string(children)) {
				if pid, _ = strconv.Atoi(child); plays(pid) {
					return nil
				}
			}
		}
		return errors.Join(errors.New("no child that plays devices"), err)
	})
	return pid
}

// plays reports whether a process is the simulator. The Go runtime starts a
// short-lived child of its own before the first one, and a child is a copy of
// its parent until it has started its program.
func plays(pid int) bool {
	args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Contains(string(args), "\x00sim\x00")
}

// alive reports whether a process runs: one that nobody has waited for does not.
func alive(pid int) bool { return !strings.ContainsAny(stateOf(pid), "ZX") }

// stateOf is the state of a process as the kernel names it: R, S, T, Z and others;
// X: there is none.
func stateOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "X"
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return state[:1]
}

// ledgerOf reads a ledger that was printed as JSON.
func ledgerOf(t *testing.T, text string) schemas.Ledger {
	t.Helper()
	var l schemas.Ledger
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return l
}
