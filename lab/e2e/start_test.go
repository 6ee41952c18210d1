package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/lab/harness"
	"weir/schemas"
)

// TestStartAndIdle is not parallel: it measures.
func TestStartAndIdle(t *testing.T) {
	p := harness.New(t, weir)
	p.Launch()
	ready := p.Ready()
	if ready > harness.Busy*5*time.Second {
		t.Errorf("ready only after %v", ready)
	}
	const watched = 5 * time.Second
	before := p.Resources()
	harness.Pause(watched)
	after := p.Resources()
	load := (after.CPU - before.CPU).Seconds() / watched.Seconds()
	t.Logf("ready after %v; idle: %v, %.1f %% CPU", ready.Round(time.Millisecond), after, 100*load)
	if after.RSS > 80e6 {
		t.Errorf("idle it holds %d bytes, wanted at most 80 MB", after.RSS)
	}
	if load > 0.10 {
		t.Errorf("idle it takes %.1f %% CPU", 100*load)
	}
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d after an interrupt", code)
	}
	if _, err := os.Stat(filepath.Join(p.Folder, "run.json")); err == nil {
		t.Error("run.json is still there after the end")
	}
}

// TestRefusesToStart wants one clear line and exit code 2.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	p := start(t)
	folder := func(name, content string, mode os.FileMode) string {
		dir := filepath.Join(p.Dir, name)
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if content != "" {
			if err := os.WriteFile(filepath.Join(dir, "weir.json"), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	foreign := folder("foreign", "", 0o777)
	if err := os.WriteFile(filepath.Join(foreign, "thesis.tex"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct{ name, flag, value, says string }{
		{"HTTP port in use", "--http", p.HTTP, p.HTTP},
		{"NATS port in use", "--nats", taken.Addr().String(), taken.Addr().String()},
		{"MQTT port in use", "--mqtt", p.MQTT, p.MQTT},
		{"folder in use", "--data", p.Folder, p.Folder},
		{"foreign folder", "--data", foreign, "thesis.tex"},
		{"read-only folder", "--data", folder("readonly", "", 0o555), "readonly"},
		{"newer folder", "--data", folder("newer", `{"format":99,"weir":"9.9","agents":1,"regions":1}`, 0o777), "newer"},
		{"open to the world", "--mqtt", "0.0.0.0:0", "--insecure"},
		{"no such policy", "--policy", "nowhere.json", "nowhere.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := p.Command("up", "--devices", "0", "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--otlp-grpc", "", "--otlp-http", "", c.flag, c.value)
			asNobody(t, p, cmd.SysProcAttr)
			r := p.Do(cmd)
			if r.Code != 2 || r.Stdout != "" || strings.Count(r.Stderr, "\n") != 1 || !strings.Contains(r.Stderr, c.says) {
				t.Errorf("%v\nwanted exit code 2 and one line about %s", r, c.says)
			}
		})
	}
}

// nobody is a user that owns nothing.
const nobody = 65534

// asNobody makes a process one that permissions bind, where the tests run as
// root. It gets a way into the folders of the test.
func asNobody(t *testing.T, p *harness.Product, attr *syscall.SysProcAttr) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	for _, dir := range []string{p.Dir, p.Folder} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUpFor runs for some seconds with demo devices of its own and wants the
// ledger at the end to be closed.
func TestUpFor(t *testing.T) {
	t.Parallel()
	p := harness.New(t, weir)
	r := p.Weir("up", "--http", p.HTTP, "--nats", p.NATS, "--mqtt", p.MQTT, "--otlp-grpc", "", "--otlp-http", "", "--data", p.Folder, "--policy", harness.FastPolicy(t),
		"--agents", "3", "--regions", "2", "--devices", "10", "--rate", "20", "--for", "4s", "-o", "json")
	l := new(schemas.Ledger)
	if err := json.Unmarshal([]byte(r.Stdout), l); r.Code != 0 || err != nil {
		t.Fatal(r, err)
	}
	if wrong := harness.Unbalanced(l); wrong != "" {
		t.Error(wrong)
	}
	t.Logf("%+v", l.Totals)
	if l.Totals.Counted < 100 || l.Tenants["demo"] == nil {
		t.Errorf("the demo devices counted %d records: %+v", l.Totals.Counted, l.Tenants)
	}
	for _, says := range []string{p.HTTP, p.NATS, p.MQTT, p.Folder, "mosquitto_pub"} {
		if !strings.Contains(r.Stderr, says) {
			t.Errorf("the banner does not say %s: %s", says, r.Stderr)
		}
	}
}

// TestNobodyAnswers wants exit code 5 where no product runs.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	p := harness.New(t, weir)
	for _, command := range []string{"ledger", "windows", "devices", "parked"} {
		if r := p.Weir(command, "--http", p.HTTP); r.Code != 5 || r.Stdout != "" || strings.Count(r.Stderr, "\n") != 1 {
			t.Errorf("%v\nwanted exit code 5 and one line", r)
		}
	}
	if r := p.Weir("sim", "--mqtt", p.MQTT, "--devices", "1", "--for", "1s", "--quiet", "--truth", fmt.Sprint(p.Dir, "/t")); r.Code != 5 {
		t.Errorf("%v\nwanted exit code 5", r)
	}
}

// TestBeginsWithoutALink kills an agent that never had a link in the first moments of its
// first lives. The next one folds what they have acknowledged: it need not hear from its
// region first that nothing was lost.
func TestBeginsWithoutALink(t *testing.T) {
	t.Parallel()
	p := harness.NewAgent(t, weir, "a001", "north", "--upstream", "nats-leaf://"+harness.FreeAddress(t))
	for _, early := range []time.Duration{200 * time.Millisecond, 500 * time.Millisecond} {
		p.Launch()
		harness.Pause(early)
		p.Kill()
	}
	for range 2 {
		p.Launch()
		p.Ready()
		publish(t, p, "", "-q", "1", "-t", "tel/acme/pump-1/metrics", "-m", `{"temp":21.5}`)
		p.Kill()
	}
	p.Launch()
	p.Ready()
	p.Settle(tenant, counted(2))
}
