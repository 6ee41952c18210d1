package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/schemas"
	"weir/services/internal/datadir"
)

// gatewayOf starts a weir gateway on a folder and waits until it has announced
// itself.
func gatewayOf(t *testing.T, dir string, args ...string) (*process, datadir.Instance) {
	t.Helper()
	p := start(t, append([]string{"gateway", "--data", dir, "--http", "127.0.0.1:0", "--durability", "fast"}, args...)...)
	return p, p.announced(dir)
}

// announced waits until a process says that it is ready.
func (p *process) announced(dir string) (i datadir.Instance) {
	p.t.Helper()
	p.eventually("ready", func() (err error) {
		if i, err = datadir.ReadInstance(dir); err == nil && i.PID != p.cmd.Process.Pid {
			err = fmt.Errorf("run.json is of process %d", i.PID)
		}
		return err
	})
	return i
}

// owners waits until exactly these members own all partitions, as an instance says.
func (p *process) owners(i datadir.Instance, members ...string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("%v own the partitions", members), func() error {
		page, err := get(i, "/api/v1/ledger")
		if err != nil {
			return err
		}
		var said struct{ Owners schemas.Owners }
		if err := json.Unmarshal(page, &said); err != nil {
			return err
		}
		var names []string
		for _, name := range said.Owners.Owners {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if slices.Sort(names); !slices.Equal(names, members) {
			return fmt.Errorf("%s says that they are %v", i.HTTP, said.Owners.Owners)
		}
		return nil
	})
}

// TestGatewaysShare: a second gateway joins the server of the first with the
// credentials for services, and a third. Asked at any of them, the ledger says who
// owns what; whoever ends in order hands over at once, and who comes back with its
// folder is the same member.
func TestGatewaysShare(t *testing.T) {
	dir := t.TempDir()
	main, first := gatewayOf(t, dir, "--tier", "region", "--name", "north", "--nats", "127.0.0.1:0", "--leaf", "127.0.0.1:0")
	main.owners(first, "main")
	creds := filepath.Join(dir, "service.json")
	if info, err := os.Stat(creds); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%s: %v, %v", creds, info, err)
	}
	join := func(dir, name string) (*process, datadir.Instance) {
		t.Helper()
		return startJoined(t, dir, name, "nats://"+first.NATS, creds)
	}
	folder := t.TempDir()
	second, at := join(folder, "g2")
	main.owners(first, "g2", "main")
	second.owners(at, "g2", "main")
	third, third3 := join(t.TempDir(), "g3")
	third.owners(third3, "g2", "g3", "main")
	third.interrupt()
	second.kill()
	again, at := join(folder, "g2")
	again.owners(at, "g2", "main")
	code, out, messages := weir(t, "ledger", "--http", at.HTTP)
	if code != exitOK || !strings.Contains(out, "\npartitions: g2 ") || !strings.Contains(out, "; main ") {
		t.Errorf("exit code %d, %s%s", code, out, messages)
	}
	again.interrupt()
	main.owners(first, "main")
	main.interrupt()
}

func startJoined(t *testing.T, dir, name, server, creds string) (*process, datadir.Instance) {
	t.Helper()
	p := start(t, "gateway", "--data", dir, "--http", "127.0.0.1:0", "--tier", "region", "--name", "north", "--member", name, "--nats", server, "--creds", creds)
	return p, p.announced(dir)
}

// TestJoinRefused: what cannot be joined, and flags that make no sense with it.
func TestJoinRefused(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`{"user":"service","password":"guessed"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	main, first := gatewayOf(t, t.TempDir(), "--tier", "center", "--nats", "127.0.0.1:0", "--leaf", "127.0.0.1:0")
	region := []string{"gateway", "--tier", "region", "--name", "north", "--http", "127.0.0.1:0"}
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"--member g2 --nats nats://" + first.NATS + " --creds " + bad, exitUnreachable, "Authorization"},
		{"--member g2 --nats nats://127.0.0.1:1", exitUnreachable, "127.0.0.1:1"},
		{"--member g2 --nats nats://127.0.0.1:1 --leaf 127.0.0.1:0", exitUsage, "--leaf"},
		{"--member g2 --nats nats://127.0.0.1:1 --users people.yaml", exitUsage, "--users"},
		{"--member g2 --nats nats://127.0.0.1:1 --durability fast", exitUsage, "--durability"},
		{"--member main --nats nats://127.0.0.1:1", exitUsage, "--member main"},
		{"--member a.b --nats nats://127.0.0.1:1", exitUsage, "member name"},
		{"--member g2 --nats http://127.0.0.1:1", exitUsage, "nats://host:4222"},
		{"--member g2 --nats nats://10.9.8.7:4222 --creds " + bad, exitUsage, "in the clear"},
		{"--member g2 --nats nats://me:secret@127.0.0.1:1", exitUsage, "--creds"},
	} {
		code, _, messages := weir(t, append(slices.Clone(region), strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(messages, c.says) || strings.Contains(messages, "secret") {
			t.Errorf("%s: exit code %d, %s", c.args, code, messages)
		}
	}
	for _, command := range []string{"up", "agent --name a001 --region north"} {
		code, _, messages := weir(t, append(strings.Fields(command), "--nats", "nats://127.0.0.1:1")...)
		if code != exitUsage || !strings.Contains(messages, "host:port") {
			t.Errorf("%s: exit code %d, %s", command, code, messages)
		}
	}
	main.interrupt()
}

func TestNameOf(t *testing.T) {
	for host, want := range map[string]string{"gw-1": "gw-1", "gw1.example.com": "gw1-example-com", "": "", strings.Repeat("x", 70): strings.Repeat("x", 64)} {
		if got := nameOf(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}
