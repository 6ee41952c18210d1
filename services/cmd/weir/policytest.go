package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"weir/schemas"
	"weir/services/internal/rules"
	"weir/services/internal/rules/cases"
)

func newPolicyTestCommand() *cobra.Command {
	f := &format{}
	cmd := &cobra.Command{
		Use:   "test FILE",
		Short: "Try the rules of a document on items that a file describes",
		Long: `Try the rules of a policy document on spans, data points and log records that a file
describes (YAML or JSON, see docs/rules.md), and compare what becomes of them with what is
expected, without asking anybody. Exit code 4 where something is not as expected, 3 where
the file or the rules are not valid.`,
		Example: `  weir policy test examples/rules-test.yaml
  weir policy test examples/rules-test.yaml -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return testRules(cmd, args[0], *f)
		},
	}
	f.addFlag(cmd, asTable, asJSON)
	return cmd
}

// testRules runs a file of cases and shows the results.
func testRules(cmd *cobra.Command, name string, f format) error {
	data, err := readDocument(cmd, name)
	if err != nil {
		return err
	}
	file, err := cases.Read(data)
	if err != nil {
		return exitWith(exitInvalid, fmt.Errorf("%s: %w", name, err))
	}
	program, err := programOf(file, filepath.Dir(name))
	if err != nil {
		return exitWith(exitInvalid, fmt.Errorf("%s: %w", name, err))
	}
	results := file.Run(program)
	if err := showResults(cmd.OutOrStdout(), results, f); err != nil {
		return err
	}
	good := 0
	for i := range results {
		if results[i].OK {
			good++
		}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d items are as expected\n", good, len(results))
	if good < len(results) {
		return &exitError{code: exitNotEqual}
	}
	return nil
}

// programOf compiles the rules of a file of cases, which is in a folder.
func programOf(file *cases.File, folder string) (*rules.Program, error) {
	if file.Policy == "" {
		document, err := json.Marshal(map[string]any{"rules": file.Rules})
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		p, err := schemas.ParsePolicy(document)
		if err != nil {
			return nil, err
		}
		return rules.Compile(p.ItemRules)
	}
	name := file.Policy
	if !filepath.IsAbs(name) {
		name = filepath.Join(folder, name)
	}
	document, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	if err := checkDefault(document); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rules.Compile(schemas.RulesOf(document))
}

// showResults writes them for people, or as a line of JSON each.
func showResults(out io.Writer, results []cases.Result, f format) error {
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for i := range results {
		r := &results[i]
		if f.name == asJSON {
			if err := lines.Encode(r); err != nil {
				return err
			}
			continue
		}
		if err := showResult(out, r); err != nil {
			return err
		}
	}
	return nil
}

func showResult(out io.Writer, r *cases.Result) error {
	mark, by := "ok  ", ""
	if !r.OK {
		mark = "FAIL"
	}
	if r.By != "" {
		by = " by " + r.By
	}
	_, err := fmt.Fprintf(out, "%s  %s (%s%s)\n", mark, printable(r.Name), r.Outcome, by)
	for _, d := range r.Differences {
		_, err = fmt.Fprintf(out, "      %s\n", printable(d.String()))
	}
	for _, e := range r.Failed {
		_, err = fmt.Fprintf(out, "      rule %s failed: %s\n", e.Rule, printable(e.Error))
	}
	return err
}
