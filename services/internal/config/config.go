// Package config fills in the flags of one command from the environment and
// from a file.
//
// In: a set of parsed flags, the environment, and the name of a YAML file whose
// keys are the command's flags:
//
//	mqtt: 0.0.0.0:1883
//	agents: 4
//	for: 30s
//
// Out: the same flags. Flag beats WEIR_MQTT beats file beats default.
//
// Promises: only the file named is read. A key that is no flag, a key twice, a
// value that does not fit and a value that is not plain are errors that name
// file, line and key. The environment is judged like the command line.
//
// Limits: one file for one process; lists are written as on the command line.
// An empty variable counts as not set, as compose files leave them.
package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"
)

// Flag is the name of the flag that names the file.
const Flag = "config"

// Env is the variable that sets a flag: WEIR_ and the name in capitals.
func Env(flag string) string {
	return "WEIR_" + strings.ReplaceAll(strings.ToUpper(flag), "-", "_")
}

// Apply sets the flags that the command line has not set, from the variables of
// getenv and then from the file that the flag --config names, if there is one.
func Apply(flags *pflag.FlagSet, getenv func(string) string) error {
	if err := fromEnv(flags, getenv); err != nil {
		return err
	}
	f := flags.Lookup(Flag)
	if f == nil || f.Value.String() == "" {
		return nil
	}
	return fromFile(flags, f.Value.String())
}

func fromEnv(flags *pflag.FlagSet, getenv func(string) string) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		value := getenv(Env(f.Name))
		if f.Changed || value == "" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("variable %s: %w", Env(f.Name), err))
		}
	})
	return errors.Join(errs...)
}

func fromFile(flags *pflag.FlagSet, name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	entries, err := pairs(data)
	if err != nil {
		return fmt.Errorf("read configuration %s: %w", name, err)
	}
	var errs []error
	for _, e := range entries {
		if err := e.set(flags); err != nil {
			errs = append(errs, fmt.Errorf("configuration %s line %d: %w", name, e.line, err))
		}
	}
	return errors.Join(errs...)
}

// pair is one line of the file.
type pair struct {
	key, value string
	plain      bool // the value is a scalar
	line       int
}

func (p pair) set(flags *pflag.FlagSet) error {
	f := flags.Lookup(p.key)
	switch {
	case f == nil || p.key == Flag || p.key == "help":
		return fmt.Errorf("%s is not a key of this command: keys are its flags, see --help", p.key)
	case !p.plain:
		return fmt.Errorf("%s: write one plain value, as after --%s", p.key, p.key)
	case f.Changed:
		return nil
	}
	return flags.Set(p.key, p.value)
}

// pairs reads the top level of a YAML document.
func pairs(data []byte) ([]pair, error) {
	file, err := parser.ParseBytes(data, 0) // refuses a key that is there twice
	if err != nil {
		return nil, err
	}
	var all []pair
	for i, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType {
			continue
		}
		if i > 0 {
			return nil, errors.New("more than one document: one file is for one process")
		}
		m, ok := doc.Body.(ast.MapNode)
		if !ok {
			return nil, errors.New("write lines of the form `flag: value`")
		}
		for it := m.MapRange(); it.Next(); {
			all = append(all, newPair(it.Key(), it.Value()))
		}
	}
	return all, nil
}

func newPair(key ast.MapKeyNode, value ast.Node) pair {
	t := key.GetToken()
	p := pair{key: t.Value, line: t.Position.Line}
	switch value.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		p.plain, p.value = true, value.GetToken().Value
	case *ast.NullNode: // `flag:` with nothing behind it
		p.plain = true
	}
	return p
}
