package packaging

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/lab/harness"
	"weir/schemas"
)

// published are the servers of the fleet and where their pages are.
var published = map[string]string{
	"center": "127.0.0.1:8080", "r01": "127.0.0.1:8081", "r02": "127.0.0.1:8082",
	"a001": "127.0.0.1:8091", "a002": "127.0.0.1:8092", "a003": "127.0.0.1:8093",
}

var agents = []string{"a001", "a002", "a003"}

// What an agent's container may use.
const (
	agentMemory = 200 << 20 // bytes
	agentCPU    = 5e8       // billionths of a processor
)

// TestCompose brings the fleet up as docs/install.md says, and wants every tier
// healthy, every record of every agent at the center, and data that survives its
// container.
func TestCompose(t *testing.T) {
	dir := tree(t)
	needCommand(t, filepath.Join(dir, "dist", "linux-"+architecture(), "weir"), "agent")
	e := startEngine(t)
	run(t, dir, "deploy/image", architecture())
	run(t, dir, "deploy/compose/secrets.sh")
	file := filepath.Join(dir, "deploy/compose/docker-compose.yml")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(e.compose(file, "logs", "--no-color", "--tail", "20"))
		}
		e.compose(file, "down", "--volumes", "--timeout", "5")
	})
	e.compose(file, "up", "-d", "--build")
	f := fleet{e, file}
	f.awaitHealthy()
	f.confined()
	t.Run("monitoring", func(t *testing.T) { f.monitored(t, dir) })
	f.compose(file, "stop", "devices-a001", "devices-a002", "devices-a003")
	before := f.settled()

	f.compose(file, "rm", "--stop", "--force", "a001", "r01")
	f.compose(file, "up", "-d", "a001", "r01")
	f.awaitHealthy()
	if after := f.settled(); after != before {
		t.Errorf("the center's account was %+v, and is %+v since a001 and r01 have new containers", before, after)
	}
}

// fleet is the project of deploy/compose, up in an engine.
type fleet struct {
	*engine
	file string
}

// awaitHealthy waits until the health check of every server is content.
func (f fleet) awaitHealthy() {
	f.t.Helper()
	for name := range published {
		harness.Until(f.t, 90*time.Second, func() string {
			c, err := f.container(name)
			switch {
			case err != nil:
				return err.Error()
			case c.State.Health == nil:
				f.t.Fatalf("%s has no health check", name)
			case c.State.Health.Status != "healthy":
				return fmt.Sprintf("%s is %s and %s", name, c.State.Status, c.State.Health.Status)
			}
			return ""
		})
	}
}

// confined wants the agents to run as nobody in particular, within their limits.
func (f fleet) confined() {
	f.t.Helper()
	for _, name := range agents {
		c, err := f.container(name)
		if err != nil {
			f.t.Fatal(err)
		}
		h := c.HostConfig
		if h.Memory != agentMemory || h.NanoCPUs != agentCPU || !h.ReadonlyRootfs || c.Config.User != "65532:65532" {
			f.t.Errorf("%s runs as %q with %+v", name, c.Config.User, h)
		}
		if used, err := f.memory(name); err != nil || used > agentMemory/2 || c.State.OOMKilled {
			f.t.Errorf("%s uses %d bytes of %d, killed for it: %v, %v", name, used, agentMemory, c.State.OOMKilled, err)
		} else {
			f.t.Logf("%s uses %.1f MB", name, float64(used)/1e6)
		}
	}
}

// ledger asks a server through its published port.
func (f fleet) ledger(name string) (l schemas.Ledger, err error) {
	out, err := f.reach(string(weir), "ledger", "-o", "json", "--http", published[name])
	if err == nil {
		err = json.Unmarshal([]byte(out), &l)
	}
	return l, err
}

// settled waits until nothing is in flight anywhere and the center has what all
// agents have received. It returns the center's account.
func (f fleet) settled() (center schemas.Account) {
	f.t.Helper()
	harness.Until(f.t, 2*time.Minute, func() string {
		var received uint64
		for name := range published {
			l, err := f.ledger(name)
			if err != nil {
				return err.Error()
			}
			if wrong := harness.Unbalanced(&l); wrong != "" || l.Totals.LostDeclared > 0 || l.Totals.Shed > 0 {
				return fmt.Sprintf("%s: %s %+v", name, wrong, l.Totals)
			}
			switch {
			case name == "center":
				center = l.Totals
			case strings.HasPrefix(name, "a"):
				received += l.Totals.Received
			}
		}
		if center.Received != received || received == 0 {
			return fmt.Sprintf("agents have received %d, the center knows of %d", received, center.Received)
		}
		return ""
	})
	return center
}

// monitored runs this machine's Prometheus with the configuration of the profile
// monitoring, whose image would have to be pulled.
func (f fleet) monitored(t *testing.T, dir string) {
	for _, p := range []string{"prometheus", "promtool"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "deploy/compose/prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	config := strings.ReplaceAll(string(text), "15s", "1s")
	for name, address := range published {
		config = strings.ReplaceAll(config, name+":8080", address)
	}
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nsenter", "-t", fmt.Sprint(f.cmd.Process.Pid), "-n", "prometheus", "--config.file="+file,
		"--storage.tsdb.path="+t.TempDir(), "--enable-feature=native-histograms", "--web.listen-address=127.0.0.1:9090")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	harness.Until(t, 30*time.Second, func() string {
		out, err := f.reach("promtool", "query", "instant", "http://127.0.0.1:9090", "sum(up) == 6 and sum(weir_records_total) > 0")
		if err != nil || !strings.Contains(out, "=> 6 @") {
			return fmt.Sprintf("six targets with records: %q, %v", out, err)
		}
		return ""
	})
}
