package packaging

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"weir/lab/harness"
)

// engine is a container engine beside whatever this machine runs: its processes,
// mounts and network are its own, so that no port is taken and nothing can be
// pulled.
type engine struct {
	t      *testing.T
	socket string
	cmd    *exec.Cmd
	api    *http.Client
}

// engineScript starts it. $1 is a folder for what it keeps.
const engineScript = `
exec unshare --mount --net --pid --fork --mount-proc --kill-child sh -euc '
	ip link set lo up
	exec dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" --host "unix://$1/socket" --bridge none --log-level warn
' sh "$1"
`

// startEngine starts an engine, or skips where none can run.
func startEngine(t *testing.T) *engine {
	t.Helper()
	needAll(t, "dockerd", "docker-compose", "unshare", "nsenter", "ip", "iptables")
	dir, err := os.MkdirTemp(scratch, "engine-") // t.TempDir would be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-euc", engineScript, "sh", dir)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, socket: filepath.Join(dir, "socket"), cmd: cmd}
	e.api = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", e.socket)
	}}}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unshare kills its child, and the kernel what that has started
		<-ended
		_ = log.Close()
	})
	for end := time.Now().Add(30 * time.Second); e.ask("/_ping", nil) != nil; harness.Pause(100 * time.Millisecond) {
		select {
		case <-ended:
			said, _ := os.ReadFile(log.Name())
			t.Skipf("no container engine can run here: %s", said)
		default:
		}
		if time.Now().After(end) {
			t.Skip("the container engine does not answer")
		}
	}
	return e
}

// ask asks the engine's API.
func (e *engine) ask(path string, into any) error {
	r, err := e.api.Get("http://engine" + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	switch {
	case r.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s", path, r.Status)
	case into == nil:
		return nil
	}
	return json.NewDecoder(r.Body).Decode(into)
}

// container is what the engine knows of one.
type container struct {
	ID    string `json:"Id"`
	State struct {
		Status    string
		OOMKilled bool
		Health    *struct{ Status string }
	}
	HostConfig struct {
		Memory, NanoCPUs int64
		ReadonlyRootfs   bool
	}
	Config struct{ User string }
}

// container is that of a service of the project.
func (e *engine) container(service string) (c container, err error) {
	var found []struct {
		ID string `json:"Id"`
	}
	filter := url.QueryEscape(`{"label":["com.docker.compose.service=` + service + `"]}`)
	if err := e.ask("/containers/json?all=1&filters="+filter, &found); err != nil {
		return c, err
	}
	if len(found) != 1 {
		return c, fmt.Errorf("%s has %d containers", service, len(found))
	}
	return c, e.ask("/containers/"+found[0].ID+"/json", &c)
}

// memory is how many bytes a service's container uses, without what is only
// cached of files.
func (e *engine) memory(service string) (int64, error) {
	c, err := e.container(service)
	if err != nil {
		return 0, err
	}
	var s struct {
		Memory struct {
			Usage int64
			Stats map[string]int64
		} `json:"memory_stats"`
	}
	err = e.ask("/containers/"+c.ID+"/stats?stream=0&one-shot=1", &s)
	return s.Memory.Usage - s.Memory.Stats["total_inactive_file"] - s.Memory.Stats["inactive_file"], err
}

// reach runs a program of this machine in the engine's network, where the
// published ports are.
func (e *engine) reach(name string, args ...string) (string, error) {
	pid := strconv.Itoa(e.cmd.Process.Pid)
	return try("", []string{"XDG_RUNTIME_DIR=" + scratch}, "nsenter", append([]string{"-t", pid, "-n", name}, args...)...)
}

// compose runs docker-compose on a project's file and returns what it printed.
func (e *engine) compose(file string, args ...string) string {
	e.t.Helper()
	env := []string{"DOCKER_HOST=unix://" + e.socket, "COMPOSE_PROJECT_NAME=weirpackaging"}
	out, err := try("", env, "docker-compose", append([]string{"-f", file, "--ansi", "never"}, args...)...)
	if err != nil {
		e.t.Fatal(err)
	}
	return out
}
