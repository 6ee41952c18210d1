package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mostExposure is ten times what systemd-analyze security may say: 0 is a box
// without doors, 100 is no protection at all.
const mostExposure = "20"

// TestUnits lets systemd judge the units.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	for _, name := range []string{"weir-agent.service", "weir-gateway.service"} {
		unit := filepath.Join(t.TempDir(), name) // verify wants the program to be there
		text := strings.ReplaceAll(read(t, "deploy/systemd/"+name), "/usr/bin/weir", string(weir))
		if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if said := run(t, "", "systemd-analyze", "verify", "--man=no", unit); said != "" {
			t.Errorf("systemd-analyze verify %s: %s", name, said)
		}
		out := run(t, "", "systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold="+mostExposure, unit)
		t.Log(regexp.MustCompile(`Overall exposure.*`).FindString(out))
	}
}

// keyLine is a key of a configuration file, or one that is commented out.
var keyLine = regexp.MustCompile(`(?m)^#?([a-z][a-z-]*):`)

// TestConfigurationFiles wants each key, also those in comments, to be a flag of
// the command, and the file as it is to be read.
func TestConfigurationFiles(t *testing.T) {
	for _, command := range []string{"agent", "gateway"} {
		t.Run(command, func(t *testing.T) {
			needCommand(t, string(weir), command)
			name := "deploy/deb/" + command + ".yaml"
			help := run(t, "", string(weir), command, "--help")
			keys := keyLine.FindAllStringSubmatch(read(t, name), -1)
			if len(keys) < 10 {
				t.Errorf("%s has %d keys", name, len(keys))
			}
			for _, key := range keys {
				if !regexp.MustCompile(`(?m)^ +--` + key[1] + `( |$)`).MatchString(help) {
					t.Errorf("%s: weir %s has no flag --%s", name, command, key[1])
				}
			}
			wantRefusal(t, command, filepath.Join(project(t), name))
		})
	}
}

// wantRefusal starts a command with the file as it is delivered: its name is
// missing, and nothing else is wrong.
func wantRefusal(t *testing.T, command, file string) {
	t.Helper()
	cmd := exec.Command(string(weir), command, "--config", file)
	out, _ := cmd.CombinedOutput()
	lines := slices.DeleteFunc(strings.Split(string(out), "\n"), func(s string) bool {
		return s == "" || strings.HasSuffix(s, "--name is needed") || strings.HasSuffix(s, "--region is needed")
	})
	if code := cmd.ProcessState.ExitCode(); code != 2 || len(lines) > 0 {
		t.Errorf("weir %s with %s: exit code %d: %s", command, file, code, out)
	}
}
