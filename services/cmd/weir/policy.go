package main

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"weir/services/console"
	"weir/services/policy"
)

func newPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Show, check and change policy documents",
		Long: `Show, check and change policy documents: JSON, stored under the keys default,
region.NAME, group.NAME and agent.NAME. Each is put on top of those before it. In
a fleet they are set at the center.`,
		Example: `  weir policy get > policy.json
  weir policy validate policy.json
  weir policy test rules-test.yaml
  weir policy set policy.json
  weir policy set agent.a001 - < one-agent.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPolicyGetCommand(), newPolicySetCommand(), newPolicyValidateCommand(), newPolicyTestCommand())
	return cmd
}

// consoleLanguage is the language of policy documents as the console wants it.
func (p *plant) consoleLanguage() console.Language {
	l := p.site.language()
	return console.Language{
		BuiltIn: l.BuiltIn, Merge: agreed(l), Check: checkDocument, CheckKey: policy.CheckKey, Layers: p.layers, Copy: p.site.linked,
	}
}

// layers are the keys whose documents make the effective one of a key.
func (p *plant) layers(key string) []string {
	for _, a := range p.agents() {
		if key == policy.AgentKey(a.Name) {
			return p.place(a.Name).LayersOf(a.Name)
		}
	}
	if key == policy.DefaultKey {
		return []string{key}
	}
	return []string{policy.DefaultKey, key}
}

// agreed is the merge of a console that stores what results: a layer on anything
// but what is built in is of some agents, and must go with the others.
func agreed(l policy.Language) func(document, layer []byte) ([]byte, error) {
	return func(document, layer []byte) ([]byte, error) {
		merged, err := l.Merge(document, layer)
		if err != nil || bytes.Equal(document, l.BuiltIn) {
			return merged, err
		}
		if _, err := l.Check(merged); err != nil {
			return nil, err
		}
		return merged, l.Agree(document, merged)
	}
}

// checkDocument says what is wrong with a whole document, naming the field, or
// returns it with every default written out.
func checkDocument(document []byte) ([]byte, error) {
	whole, err := language.Check(document)
	return whole.Document, err
}

func newPolicyGetCommand() *cobra.Command {
	c, effective := newClient(), false
	cmd := &cobra.Command{
		Use:   "get [default | region.NAME | group.NAME | agent.NAME]",
		Short: "Print the document in force, or one as it is stored",
		Example: `  weir policy get
  weir policy get default
  weir policy get agent.a001 --effective`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, q := "/api/v1/policy", url.Values{}
			switch {
			case len(args) > 0 && effective:
				q.Set("key", args[0])
			case len(args) > 0:
				path += "/" + url.PathEscape(args[0])
			}
			body, err := c.get(cmd.Context(), path, q)
			if err != nil {
				return err
			}
			defer body.Close()
			_, err = io.Copy(cmd.OutOrStdout(), body)
			return cutOff(cmd.Context(), err)
		},
	}
	c.addFlags(cmd)
	cmd.Flags().BoolVar(&effective, "effective", false, "the document in force for that key: with the layers below it and what is built in")
	return cmd
}

func newPolicySetCommand() *cobra.Command {
	c := newClient()
	cmd := &cobra.Command{
		Use:   "set [default | region.NAME | group.NAME | agent.NAME] FILE",
		Short: "Store a valid document; - reads standard input",
		Long: `Store a document and put it in force. One that is not valid is refused with the name
of the field, exit code 3, and nothing changes.`,
		Example: `  weir policy set policy.json
  weir policy set agent.a001 - < one-agent.json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, file := policy.DefaultKey, args[len(args)-1]
			if len(args) == 2 {
				key = args[0]
			}
			document, err := readDocument(cmd, file)
			if err != nil {
				return err
			}
			var stored console.Stored
			if err := c.put(cmd.Context(), "/api/v1/policy/"+url.PathEscape(key), document, &stored); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "stored as revision %d of the policy bucket, key %s\n", stored.Revision, stored.Key)
			return nil
		},
	}
	c.addFlags(cmd)
	cmd.Flags().StringVar(&c.operator, "operator", "", "operator.json with the password (default: that of the running instance)")
	return cmd
}

func newPolicyValidateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE",
		Short: "Check a document without storing it; - reads standard input",
		Long: `Check a document on top of what is built in, without asking anybody. Exit code 3 where
it is not valid; the message names the field.`,
		Example: `  weir policy validate policy.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			document, err := readDocument(cmd, args[0])
			if err != nil {
				return err
			}
			whole, err := language.Merge(builtInPolicy(), document)
			if err == nil {
				_, err = checkDocument(whole)
			}
			if err != nil {
				return exitWith(exitInvalid, fmt.Errorf("%s: %w", args[0], err))
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is valid\n", args[0])
			return nil
		},
	}
}

// readDocument reads a file, or standard input for "-".
func readDocument(cmd *cobra.Command, name string) ([]byte, error) {
	var document []byte
	var err error
	if name == "-" {
		document, err = io.ReadAll(cmd.InOrStdin())
	} else {
		document, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, usageError("read document: %w", err)
	}
	return document, nil
}
