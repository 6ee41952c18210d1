package main

import (
	"strings"
	"testing"
)

// TestEmptyLists: who looks at nothing is told where to look, and programs are told nothing.
func TestEmptyLists(t *testing.T) {
	s := api(t, map[string]string{"/api/v1/windows": "", "/api/v1/devices": "", "/api/v1/parked": "", "/api/v1/findings": ""})
	for name, says := range map[string]string{"windows": "--from", "devices": "weir parked", "parked": "weir ledger", "findings": "nothing abnormal"} {
		if out, errs, code := runCommand(t, name, "--http", s.URL); strings.Count(out, "\n") != 1 || !strings.Contains(errs, says) || code != exitOK {
			t.Errorf("weir %s: exit code %d, stdout %q, stderr %q; want the head of the table and %q", name, code, out, errs, says)
		}
		if out, errs, code := runCommand(t, name, "--http", s.URL, "-o", "json"); out != "" || errs != "" || code != exitOK {
			t.Errorf("weir %s -o json: exit code %d, stdout %q, stderr %q; want nothing", name, code, out, errs)
		}
	}
}

// TestMistakesInFlags: the error says what would be right.
func TestMistakesInFlags(t *testing.T) {
	s := api(t, map[string]string{"/api/v1/windows": windowAnswer})
	for _, c := range []struct{ args, says string }{
		{"windows --limit -1", `invalid argument "-1" for "--limit" flag: use a whole number from 0; see weir windows --help`},
		{"up --rate x", `invalid argument "x" for "--rate" flag: use a number; see weir up --help`},
		{"findings --from 5m", "unknown flag: --from; see weir findings --help"},
		{"windows --detail", "--detail is for programs: add -o json"},
		{"windows -o xml", `--output "xml": use table, json, csv`},
	} {
		args := strings.Fields(c.args)
		if args[0] == "windows" {
			args = append(args, "--http", s.URL)
		}
		if out, errs, code := runCommand(t, args...); out != "" || strings.TrimSpace(errs) != c.says || code != exitUsage {
			t.Errorf("weir %s: exit code %d, stdout %q, stderr %q; want %q", c.args, code, out, errs, c.says)
		}
	}
}
