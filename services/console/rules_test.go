package console

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const rulesFolder = "../../deploy/prometheus"

// TestRules runs the tests of the shipped alerts with Prometheus' own tool.
func TestRules(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: the package prometheus of Debian has it")
	}
	for _, args := range [][]string{{"check", "rules", "weir.rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		cmd := exec.Command(tool, args...)
		cmd.Dir = rulesFolder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestRulesNameWhatThereIs: every metric in the rules is exported.
func TestRulesNameWhatThereIs(t *testing.T) {
	rules, err := os.ReadFile(rulesFolder + "/weir.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\bweir_[a-z_]+`).FindAllString(string(rules), -1)
	if len(named) < 10 {
		t.Fatalf("the rules name %v", named)
	}
	for _, name := range named {
		if !slices.ContainsFunc(descs, func(d *described) bool { return d.name == name }) {
			t.Errorf("%s is in the rules and not exported", name)
		}
	}
}
