package packaging

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/lab/harness"
)

// TestBackupAndRestore runs the commands of docs/install.md: what was received
// before the copy is exact after it came back, what came later is gone as if it
// had never been, and what comes then is exact too.
func TestBackupAndRestore(t *testing.T) {
	backup, restore := documented(t)
	p := harness.Start(t, weir, "--policy", harness.FastPolicy(t))
	before := play(p, "before")
	verify(t, p, before)
	var received uint64
	harness.Until(t, time.Minute, func() string {
		l := p.Ledger()
		received = l.Totals.Received
		return harness.Unbalanced(l)
	})
	obey(t, p, backup)
	d := p.Connect("later")
	err := d.SendAcknowledged("tel/later/d/metrics", []byte(`{"temp":21.5}`))
	if err = errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	obey(t, p, restore)
	harness.Until(t, time.Minute, func() string {
		if now := p.Ledger().Totals.Received; now != received {
			return fmt.Sprintf("%d records were received when the copy was taken, and %d now", received, now)
		}
		return ""
	})
	again := play(p, "again")
	verify(t, p, before, again)
}

// TestMovedAgent moves an agent that has something to deliver, by the same
// commands without the start in the middle: every tier has every record once.
func TestMovedAgent(t *testing.T) {
	if !*all {
		t.Skip("takes half a minute: make packaging")
	}
	needCommand(t, string(weir), "agent")
	backup, restore := documented(t)
	f := harness.StartFleet(t, weir, harness.Layout{"r01": {"a001"}}, harness.FastPolicy(t))
	a := f.Agents["a001"]
	sims := []*harness.Sim{play(a, "before")}
	f.Links["a001"].Cut()
	sims = append(sims, play(a, "meanwhile"))
	obey(t, a, backup[:len(backup)-1])
	obey(t, a, restore[1:])
	f.Links["a001"].Heal()
	sims = append(sims, play(a, "after"))
	harness.Until(t, 2*time.Minute, func() string {
		if r := f.Verify(sims...); r.Code != 0 {
			return r.String()
		}
		return ""
	})
}

// TestCenterPutBack puts a center back to an older copy: its regions bring again what it
// lacks, and every tier has every record once.
func TestCenterPutBack(t *testing.T) {
	f, sims := putBack(t, func(f *harness.Fleet) *harness.Product { return f.Center })
	harness.Until(t, 2*time.Minute, func() string {
		if r := f.Verify(sims...); r.Code != 0 {
			return r.String()
		}
		return ""
	})
}

// TestRegionPutBack puts a region back to an older copy: its agents bring again what it
// lacks, so that it counts as they do, and it says what of it does not count above.
func TestRegionPutBack(t *testing.T) {
	f, _ := putBack(t, func(f *harness.Fleet) *harness.Product { return f.Regions["r01"] })
	harness.Until(t, 2*time.Minute, func() string {
		region, agent := f.Regions["r01"].Ledger().Totals, f.Agents["a001"].Ledger().Totals
		if region != agent || agent.InFlight != 0 {
			return fmt.Sprintf("the region has %+v, its agent %+v", region, agent)
		}
		return ""
	})
	if line := f.Regions["r01"].Weir("ledger").Stdout; !strings.Contains(line, "an older copy") {
		t.Errorf("the region does not say that it is an older copy: %s", line)
	}
}

// putBack puts one of a fleet back to a copy from before the second of three loads.
func putBack(t *testing.T, which func(*harness.Fleet) *harness.Product) (*harness.Fleet, []*harness.Sim) {
	t.Helper()
	if !*all {
		t.Skip("takes half a minute: make packaging")
	}
	needCommand(t, string(weir), "agent")
	backup, restore := documented(t)
	f := harness.StartFleet(t, weir, harness.Layout{"r01": {"a001"}}, harness.FastPolicy(t))
	a, p := f.Agents["a001"], which(f)
	sims := []*harness.Sim{play(a, "before")}
	if r := f.Verify(sims...); r.Code != 0 {
		t.Fatal(r)
	}
	obey(t, p, backup)
	sims = append(sims, play(a, "between"))
	if r := f.Verify(sims...); r.Code != 0 {
		t.Fatal(r)
	}
	obey(t, p, restore)
	return f, append(sims, play(a, "after"))
}

// play simulates some devices of a tenant.
func play(p *harness.Product, tenant string) *harness.Sim {
	s := p.Simulate("--mqtt", p.MQTT, "--qos", "1", "--tenant", tenant, "--devices", "20", "--rate", "20", "--for", "1s",
		"--size", "1s", "--lateness", "2s", "--duplicate", "2", "--late", "1")
	s.Wait()
	return s
}

// verify waits until everything is as the truths have it. After a pause, windows
// come late at first.
func verify(t *testing.T, p *harness.Product, sims ...*harness.Sim) {
	t.Helper()
	args := []string{"verify"}
	for _, s := range sims {
		args = append(args, "--truth", s.Truth)
	}
	harness.Until(t, 2*time.Minute, func() string {
		if r := p.Weir(args...); r.Code != 0 {
			return r.String()
		}
		return ""
	})
}

// documented are the two blocks of commands of the section on backups.
func documented(t *testing.T) (backup, restore []string) {
	t.Helper()
	_, section, _ := strings.Cut(read(t, "docs/install.md"), "\n## Backup and restore\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)\n```\n(.*?)\n```\n").FindAllStringSubmatch(section, -1)
	if len(blocks) != 2 {
		t.Fatalf("the section on backups has %d blocks of commands, wanted 2", len(blocks))
	}
	return strings.Split(blocks[0][1], "\n"), strings.Split(blocks[1][1], "\n")
}

// obey runs commands as they are written, on the product's folder in the place
// of the package's.
func obey(t *testing.T, p *harness.Product, commands []string) {
	t.Helper()
	paths := strings.NewReplacer(
		"/var/lib/weir/agent", p.Folder, "/var/lib/weir", filepath.Dir(p.Folder), "/var/backups", p.Dir, ".tar.gz agent", ".tar.gz "+filepath.Base(p.Folder))
	for _, command := range commands {
		switch command {
		case "systemctl stop weir-agent":
			if code := p.Stop(); code != 0 {
				t.Fatalf("stop: exit code %d", code)
			}
		case "systemctl start weir-agent":
			p.Launch()
			p.Ready()
		default:
			run(t, os.TempDir(), "sh", "-euc", paths.Replace(command))
		}
	}
}
