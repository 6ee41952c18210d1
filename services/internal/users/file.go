package users

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile bounds what is read of a file, in bytes: 100,000 users.
const maxFile = 16 << 20

// maxErrors is how many mistakes of a file are told at once.
const maxErrors = 20

// read reads the users of a file. The warnings are about what works but should
// not stay so.
func read(path string) (list []User, warnings []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read users: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("read users: %w", err)
	}
	if warnings, err = judgeMode(path, info.Mode()); err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read users %s: %w", path, err)
	}
	list, more, err := parse(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read users %s: %w", path, err)
	}
	return list, append(warnings, more...), nil
}

// judgeMode refuses a file that others may write, and warns of one that others
// may read.
func judgeMode(path string, mode fs.FileMode) (warnings []string, err error) {
	switch perm := mode.Perm(); {
	case perm&0o022 != 0:
		return nil, fmt.Errorf("read users %s: mode %#o lets others write it, and so make themselves users: chmod 600 %s", path, perm, path)
	case perm&0o044 != 0:
		return []string{fmt.Sprintf("users %s: mode %#o lets others read the hashes: chmod 600 %s", path, perm, path)}, nil
	}
	return nil, nil
}

// parse reads a YAML list of entries.
func parse(data []byte) (list []User, warnings []string, err error) {
	written, err := entries(data)
	if err != nil {
		return nil, nil, err
	}
	var errs []error
	lines := map[string]int{} // by name
	for _, e := range written {
		u, warning, err := e.user()
		if before, twice := lines[u.Name]; err == nil && twice {
			err = fmt.Errorf("user %q is there twice, first in line %d", u.Name, before)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", e.line, err))
			continue
		}
		lines[u.Name] = e.line
		list = append(list, u)
		if warning != "" {
			warnings = append(warnings, fmt.Sprintf("users line %d: %s", e.line, warning))
		}
	}
	if n := len(errs); n > maxErrors {
		errs = append(errs[:maxErrors], fmt.Errorf("and %d more", n-maxErrors))
	}
	return list, warnings, errors.Join(errs...)
}

// entries are the items of the list. Errors quote nothing of the file: there are
// hashes in it.
func entries(data []byte) ([]entry, error) {
	file, err := parser.ParseBytes(data, 0) // refuses a field that is there twice
	if err != nil {
		return nil, errors.New(yaml.FormatError(err, false, false))
	}
	var all []entry
	for i, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType {
			continue
		}
		items, ok := doc.Body.(*ast.SequenceNode)
		if !ok || i > 0 {
			return nil, errors.New("want one list of entries like `- {name: pump-1, password: $2y$…, tenant: acme, device: pump-1}`")
		}
		for _, item := range items.Values {
			all = append(all, entryOf(item))
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there are no users in it, so nobody could connect: it should have a list of entries")
	}
	return all, nil
}

// entry is one item of the list as it was written.
type entry struct {
	line   int
	fields map[string]string
	err    error // why it is no set of plain fields
}

func entryOf(item ast.Node) entry {
	e := entry{line: item.GetToken().Position.Line, fields: map[string]string{}}
	m, ok := item.(ast.MapNode)
	if !ok {
		e.err = errors.New("want fields: name, password, and what the user may do")
		return e
	}
	for it := m.MapRange(); it.Next(); {
		key := it.Key().GetToken()
		e.line = min(e.line, key.Position.Line)
		switch value := it.Value().(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
			e.fields[key.Value] = value.GetToken().Value
		case *ast.NullNode:
			e.fields[key.Value] = ""
		default:
			e.err = fmt.Errorf("%.40s: want one plain value", key.Value)
		}
	}
	return e
}
