package packaging

import (
	"encoding/json"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/schemas"
)

// TestPackage looks at the package from outside.
func TestPackage(t *testing.T) {
	needAll(t, "dpkg-deb")
	deb := one(t, tree(t)+"/dist/*.deb")
	listing := run(t, "", "dpkg-deb", "-c", deb)
	for _, want := range []string{
		`-rwxr-xr-x root/root .* \./usr/bin/weir`,
		`-rw-r--r-- root/root .* \./etc/weir/agent\.yaml`,
		`-rw-r--r-- root/root .* \./etc/weir/gateway\.yaml`,
		`-rw-r--r-- root/root .* \./usr/lib/systemd/system/weir-agent\.service`,
		`-rw-r--r-- root/root .* \./usr/lib/systemd/system/weir-gateway\.service`,
		`-rw-r--r-- root/root .* \./usr/share/doc/weir/copyright`,
		`-rw-r--r-- root/root .* \./usr/share/doc/weir/third-party-licenses`,
		`-rw-r--r-- root/root .* \./usr/share/doc/weir/install\.md`,
	} {
		if !regexp.MustCompile("(?m)^" + want + "$").MatchString(listing) {
			t.Errorf("no line like %s in\n%s", want, listing)
		}
	}
	control := run(t, "", "dpkg-deb", "-f", deb)
	for _, want := range []string{"Package: weir\n", "Depends: adduser\n"} {
		if !strings.Contains(control, want) {
			t.Errorf("no %q in\n%s", want, control)
		}
	}
	if files := run(t, "", "sh", "-c", `dpkg-deb -I "$0" conffiles`, deb); files != "/etc/weir/agent.yaml\n/etc/weir/gateway.yaml\n" {
		t.Errorf("configuration files are %q", files)
	}
	if _, err := exec.LookPath("lintian"); err == nil {
		run(t, "", "lintian", "--allow-root", "--fail-on", "error,warning", deb)
	}
}

// TestReproducible builds a second time, in another folder and with nothing that
// was compiled before, and wants the same bytes.
func TestReproducible(t *testing.T) {
	first, second := tree(t), filepath.Join(t.TempDir(), "some", "where", "else")
	err := copyTree(first, second, nfpm(t))
	if err == nil {
		err = dist(second, t.TempDir())
	}
	if err != nil {
		t.Fatal(err)
	}
	const sums = "dist/SHA256SUMS"
	if a, b := run(t, first, "cat", sums), run(t, second, "cat", sums); a != b {
		t.Errorf("built twice:\n%s\n%s", a, b)
	}
}

// TestInstalled takes the package through its life in a system of its own:
// installed, configured, used, upgraded, killed, removed, purged.
func TestInstalled(t *testing.T) {
	dist := filepath.Join(tree(t), "dist")
	needCommand(t, filepath.Join(dist, "linux-"+architecture(), "weir"), "agent")
	b := boot(t, dist)
	deb := "/mnt/" + filepath.Base(one(t, dist+"/*.deb"))

	b.must("dpkg -i " + deb)
	b.installed()
	b.configured()
	before := b.used()
	b.upgraded(deb, before)
	b.killed(before)
	b.removed()
	b.purged()
}

// installed checks what is there before anybody has configured anything.
func (b *box) installed() {
	b.t.Helper()
	b.must("test $(stat -c %U:%G:%a /var/lib/weir) = weir:weir:750")
	b.must("! systemctl is-enabled weir-agent && ! systemctl is-active weir-agent weir-gateway")
	if warnings := b.must("systemd-analyze verify --man=no weir-agent.service weir-gateway.service"); warnings != "" {
		b.t.Errorf("systemd-analyze verify: %s", warnings)
	}
	var v struct{ Version string }
	if err := json.Unmarshal([]byte(b.must("weir version -o json")), &v); err != nil {
		b.t.Fatal(err)
	}
	if want := strings.TrimSpace(b.must(`dpkg-query -f '${Version}' -W weir`)); v.Version != want {
		b.t.Errorf("the package has version %s, the program in it says %s", want, v.Version)
	}
}

// configured does what docs/install.md says: a name, a region, and it starts.
func (b *box) configured() {
	b.t.Helper()
	b.must("sed -i -e 's/^#name:/name:/' -e 's/^#region:/region:/' /etc/weir/agent.yaml")
	b.must("systemctl enable --now weir-agent")
	b.await("weir ledger")
	b.must("systemctl is-active weir-agent")
	b.must(`test -e /var/lib/weir/agent/weir.json && test $(stat -c %U /var/lib/weir/agent/weir.json) = weir`)
	status := b.must("cat /proc/$(systemctl show -P MainPID weir-agent)/status")
	for _, want := range []string{"CapEff:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
		if !strings.Contains(status, want) {
			b.t.Errorf("the agent does not run with %q:\n%s", want, status)
		}
	}
}

// used sends records and returns what the ledger says once all are counted.
func (b *box) used() schemas.Account {
	b.t.Helper()
	b.must("weir sim --mqtt 127.0.0.1:1883 --qos 1 --devices 10 --rate 10 --for 1s --quiet")
	a := b.account()
	if a.Received < 100 || a.Unexplained != 0 {
		b.t.Errorf("the ledger says %+v", a)
	}
	return a
}

// account is the ledger's total.
func (b *box) account() schemas.Account {
	b.t.Helper()
	var l schemas.Ledger
	if err := json.Unmarshal([]byte(b.must("weir ledger -o json")), &l); err != nil {
		b.t.Fatal(err)
	}
	return l.Totals
}

// upgraded installs the package again: what ran runs again, with its data and
// with the configuration that was changed.
func (b *box) upgraded(deb string, before schemas.Account) {
	b.t.Helper()
	pid := b.must("systemctl show -P MainPID weir-agent")
	b.must("dpkg -i " + deb)
	b.must("grep -q '^name: a001' /etc/weir/agent.yaml")
	b.await("weir ledger")
	if now := b.must("systemctl show -P MainPID weir-agent"); now == pid {
		b.t.Errorf("process %s runs on after the upgrade", pid)
	}
	if now := b.account(); now.Received != before.Received || now.Unexplained != 0 {
		b.t.Errorf("before the upgrade the ledger said %+v, after it %+v", before, now)
	}
}

// killed kills the process, and systemd starts it again.
func (b *box) killed(before schemas.Account) {
	b.t.Helper()
	b.must("systemctl kill --signal=KILL weir-agent")
	b.await("weir ledger --http 127.0.0.1:8080 && test $(systemctl show -P NRestarts weir-agent) = 1")
	if now := b.account(); now.Received != before.Received || now.Unexplained != 0 {
		b.t.Errorf("before the kill the ledger said %+v, after it %+v", before, now)
	}
}

// removed removes the package, which keeps configuration and data.
func (b *box) removed() {
	b.t.Helper()
	b.must("dpkg -r weir")
	b.must("! test -e /usr/bin/weir && ! pgrep -x weir")
	b.must("test -e /etc/weir/agent.yaml && test -e /var/lib/weir/agent/weir.json")
	b.must("! test -L /etc/systemd/system/multi-user.target.wants/weir-agent.service")
}

// mayStay are the files, below the root, that a purged package may have changed:
// books of the system, not files of its own. The user stays, as is usual.
var mayStay = regexp.MustCompile(`^(etc/(passwd|group|shadow|gshadow|subuid|subgid)-?` +
	`|var/(lib/(dpkg|systemd)|log|cache)/.*|etc/(machine-id|\.updated|\.pwd\.lock|resolv\.conf|hostname)|var/\.updated)$`)

// purged purges the package and looks through everything that was written.
func (b *box) purged() {
	b.t.Helper()
	b.must("dpkg -P weir")
	_ = filepath.WalkDir(b.upper, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			b.t.Error(err)
			return nil
		}
		below, _ := filepath.Rel(b.upper, name)
		deleted := d.Type()&fs.ModeCharDevice != 0 // as an overlay marks it
		if strings.Contains(filepath.Base(name), "weir") && !deleted {
			b.t.Errorf("%s stays behind", below)
		}
		if d.Type().IsRegular() && !mayStay.MatchString(below) {
			b.t.Errorf("%s was written and stays", below)
		}
		return nil
	})
}
