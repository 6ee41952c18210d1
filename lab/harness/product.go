package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/schemas"
)

// Product is one data folder and, most of the time, a weir up, agent or gateway
// on it. One goroutine starts and stops it; questions may be asked by others too.
type Product struct {
	Folder string // the data folder
	Dir    string // holds the data folder and the log; scratch space for the test
	HTTP   string // addresses are host:port, the same in every life
	NATS   string
	MQTT   string // empty: a gateway
	Leaf   string // of a gateway

	Env  []string // for the lives to come, beside the environment of the test
	Wrap []string // command that runs the product in its own process, as nsenter --net=FILE; empty: none

	tb     testing.TB
	weir   Binary
	cell   []string // the program as it is launched, with what puts it into its control group; empty: weir
	role   []string // the command and what it always gets
	args   []string // beside those of always
	client *http.Client
	log    *os.File
	life   *life // the newest
}

// life is one process.
type life struct {
	cmd   *exec.Cmd
	begun time.Time
	ended chan struct{} // closed once it has ended and its exit code is known
	asked bool          // to end, by the test
}

// readyWithin bounds a start; killedWithin the end of a process that was killed;
// stoppedWithin a drain.
const (
	readyWithin   = 2 * time.Minute
	killedWithin  = time.Minute
	stoppedWithin = time.Minute
)

// Start makes a product on a new data folder and waits until it accepts devices.
// args are further flags of weir up.
func Start(tb testing.TB, weir Binary, args ...string) *Product {
	tb.Helper()
	p := New(tb, weir, args...)
	p.Launch()
	p.Ready()
	return p
}

// New prepares a weir up and starts nothing.
func New(tb testing.TB, weir Binary, args ...string) *Product {
	tb.Helper()
	p := prepare(tb, weir, []string{"up", "--devices", "0"}, args)
	p.MQTT = FreeAddress(tb)
	return p
}

// NewAgent prepares a weir agent and starts nothing.
func NewAgent(tb testing.TB, weir Binary, name, region string, args ...string) *Product {
	tb.Helper()
	p := prepare(tb, weir, []string{"agent", "--name", name, "--region", region}, args)
	p.MQTT = FreeAddress(tb)
	return p
}

// NewGateway prepares a weir gateway and starts nothing. The region "center" is
// the center.
func NewGateway(tb testing.TB, weir Binary, region string, args ...string) *Product {
	tb.Helper()
	p := prepare(tb, weir, gatewayOf(region), args)
	p.Leaf = FreeAddress(tb)
	return p
}

// gatewayOf is the command of a gateway. The region "center" is the center.
func gatewayOf(region string) []string {
	tier := "region"
	if region == schemas.Center {
		tier = schemas.Center
	}
	return []string{"gateway", "--tier", tier, "--name", region}
}

func prepare(tb testing.TB, weir Binary, role, args []string) *Product {
	tb.Helper()
	dir, err := os.MkdirTemp(scratch(tb), "weir-lab-")
	if err != nil {
		tb.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		tb.Fatal(err)
	}
	p := &Product{
		Folder: filepath.Join(dir, "data"), Dir: dir,
		HTTP: FreeAddress(tb), NATS: FreeAddress(tb),
		tb: tb, weir: weir, role: role, args: args, log: log, client: &http.Client{Timeout: 30 * time.Second},
	}
	tb.Cleanup(p.end)
	return p
}

// scratch is where products get their folders: where the test says, or else the
// system's place for such things.
func scratch(tb testing.TB) string {
	if t, ok := tb.(interface{ Scratch() string }); ok {
		return t.Scratch()
	}
	return ""
}

// Flags sets the further flags for the lives to come, in the place of
// those that New or Start were given.
func (p *Product) Flags(args ...string) { p.args = args }

// end leaves nothing behind but what explains a failure.
func (p *Product) end() {
	if died := p.died(); died != "" {
		p.tb.Error(died)
	}
	if p.tb.Failed() && p.Running() {
		_ = os.WriteFile(filepath.Join(p.Dir, "goroutines.txt"), []byte(p.Quit()), 0o644)
	}
	p.Kill()
	p.client.CloseIdleConnections()
	_ = p.log.Close()
	if !p.tb.Failed() {
		_ = os.RemoveAll(p.Dir)
		return
	}
	p.tb.Logf("kept %s; the end of its log:\n%s", p.Dir, p.LogTail(40))
}

// Launch starts a process and waits for nothing.
func (p *Product) Launch() {
	p.tb.Helper()
	if p.Running() {
		p.tb.Fatalf("launch the product: it runs, as process %d", p.life.cmd.Process.Pid)
	}
	listeners := []string{"--data", p.Folder, "--http", p.HTTP, "--nats", p.NATS}
	if p.MQTT != "" {
		listeners = append(listeners, "--mqtt", p.MQTT, "--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0")
	}
	if p.Leaf != "" {
		listeners = append(listeners, "--leaf", p.Leaf)
	}
	cmd := p.wrapped(p.cell, slices.Concat(p.role, listeners, p.args))
	cmd.Stdout, cmd.Stderr = p.log, p.log
	begun := time.Now()
	ended, err := spawn(cmd)
	if err != nil {
		p.tb.Fatalf("launch the product: %v", err)
	}
	p.life = &life{cmd: cmd, begun: begun, ended: ended}
}

// command is the binary in a group of its own, which no terminal interrupts and
// which dies with the test. It sees no other product of this machine.
func (p *Product) command(args ...string) *exec.Cmd { return p.wrapped(nil, args) }

// wrapped is such a command of another program than the one that others run.
func (p *Product) wrapped(program, args []string) *exec.Cmd {
	if program == nil {
		program = []string{string(p.weir)}
	}
	line := slices.Concat(p.Wrap, program, args)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(append(os.Environ(), "XDG_RUNTIME_DIR="+p.Dir), p.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// Ready waits until devices are accepted and returns how long that took since
// the launch.
func (p *Product) Ready() time.Duration {
	p.tb.Helper()
	Until(p.tb, readyWithin, p.notReady)
	took := time.Since(p.life.begun)
	if missing := p.checkRunFile(); missing != "" {
		p.tb.Fatal(missing)
	}
	return took
}

func (p *Product) notReady() string {
	if died := p.died(); died != "" {
		p.tb.Fatal(died)
	}
	r, err := p.client.Get("http://" + p.HTTP + "/readyz?verbose")
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	if r.StatusCode == http.StatusOK {
		return ""
	}
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	return fmt.Sprintf("not ready: %s %s", r.Status, body.String())
}

// checkRunFile compares run.json with what was asked for.
func (p *Product) checkRunFile() string {
	var said struct {
		PID              int
		HTTP, NATS, MQTT string
	}
	var missing string
	Until(p.tb, readyWithin, func() string {
		data, err := os.ReadFile(filepath.Join(p.Folder, "run.json"))
		if err == nil {
			err = json.Unmarshal(data, &said)
		}
		if err != nil {
			return err.Error()
		}
		if said.PID != p.PID() || said.HTTP != p.HTTP || said.NATS != p.NATS || said.MQTT != p.MQTT {
			missing = fmt.Sprintf("run.json says %+v, wanted process %d at %s, %s and %s", said, p.PID(), p.HTTP, p.NATS, p.MQTT)
		}
		return ""
	})
	return missing
}

// Listening waits until the process takes connections, ready or not: by then it
// knows what a signal asks for.
func (p *Product) Listening() {
	p.tb.Helper()
	Until(p.tb, readyWithin, func() string {
		if died := p.died(); died != "" {
			p.tb.Fatal(died)
		}
		c, err := net.Dial("tcp", p.HTTP)
		if err != nil {
			return err.Error()
		}
		_ = c.Close()
		return ""
	})
}

// PID is the process of the newest life.
func (p *Product) PID() int { return p.life.cmd.Process.Pid }

// Running reports whether the process of the newest life has not ended.
func (p *Product) Running() bool {
	if p.life == nil {
		return false
	}
	select {
	case <-p.life.ended:
		return false
	default:
		return true
	}
}

// Died says how the newest life ended, if it did and nobody had asked for it.
func (p *Product) Died() string { return p.died() }

// died says how the newest life ended, if it did and nobody had asked for it.
func (p *Product) died() string {
	if p.life == nil || p.life.asked || p.Running() {
		return ""
	}
	return fmt.Sprintf("the product ended by itself: %v; the end of its log:\n%s", p.life.cmd.ProcessState, p.LogTail(10))
}

// ExitCode is that of the newest life, which has ended; -1 after a signal.
func (p *Product) ExitCode() int {
	<-p.life.ended
	return p.life.cmd.ProcessState.ExitCode()
}

// Kill is kill -9 of the product and whatever it has started. It is no error
// where nothing runs.
func (p *Product) Kill() {
	p.tb.Helper()
	if !p.Running() {
		return
	}
	p.life.asked = true
	err := syscall.Kill(-p.PID(), syscall.SIGKILL)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		p.tb.Errorf("kill process group %d: %v", p.PID(), err)
	}
	p.awaitEnd(killedWithin)
}

// Quit ends the process and returns the dump of all its goroutines, which is taken
// out of the log.
func (p *Product) Quit() (goroutines string) {
	p.tb.Helper()
	p.life.asked = true
	before, err := p.log.Seek(0, io.SeekCurrent) // the product writes to the same open file
	if err != nil {
		p.tb.Errorf("find the end of the log: %v", err)
	}
	if err := p.life.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		p.tb.Errorf("signal SIGQUIT to process %d: %v", p.PID(), err)
	}
	p.awaitEnd(killedWithin)
	all, err := os.ReadFile(p.log.Name())
	if err == nil {
		goroutines = string(all[min(before, int64(len(all))):])
		_, err = p.log.Seek(before, io.SeekStart)
	}
	if err = errors.Join(err, p.log.Truncate(before)); err != nil {
		p.tb.Errorf("read the goroutines: %v", err)
	}
	return goroutines
}

// Stop asks for an end and returns the exit code.
func (p *Product) Stop() int {
	p.tb.Helper()
	p.life.asked = true
	if err := p.life.cmd.Process.Signal(os.Interrupt); err != nil {
		p.tb.Errorf("interrupt process %d: %v", p.PID(), err)
	}
	p.awaitEnd(stoppedWithin)
	return p.ExitCode()
}

func (p *Product) awaitEnd(within time.Duration) {
	p.tb.Helper()
	select {
	case <-p.life.ended:
	case <-time.After(within):
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
		p.tb.Fatalf("process %d still runs %v after it was asked to end", p.PID(), within)
	}
}

// LogTail is the last lines of what the product has said in all its lives.
func (p *Product) LogTail(lines int) string {
	data, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	all := strings.SplitAfter(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}

// Signal sends a signal to the process and whatever it has started.
func (p *Product) Signal(s syscall.Signal) error { return syscall.Kill(-p.PID(), s) }

// Begun is when the newest life was launched.
func (p *Product) Begun() time.Time { return p.life.begun }

// LogFile is where everything is that the product has said in all its lives.
func (p *Product) LogFile() string { return p.log.Name() }

// String is what the product is: its command.
func (p *Product) String() string { return "weir " + strings.Join(p.role, " ") }
