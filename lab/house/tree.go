package house

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/modfile"
)

// Tree is the project as the rules see it. All names are slash-separated and relative to the folder of go.work.
type Tree struct {
	modules  []module
	packages []pkg             // those of the modules, sorted by import path
	texts    map[string]string // every text file, Go files included
	names    map[string]bool   // every file and folder
	fset     *token.FileSet
}

// module is one module that go.work uses.
type module struct {
	dir string
	mod *modfile.File
}

// pkg is one folder with Go files. An external test package belongs to the folder that it tests.
type pkg struct {
	path  string // import path
	dir   string
	files []file // sorted by name
}

// file is one parsed Go file.
type file struct {
	name   string
	test   bool // named *_test.go
	syntax *ast.File
}

// Load reads the project whose go.work lies at the root of fsys. Hidden folders other than .ci, bin, data and
// testdata/fuzz, Go files of modules that go.work does not use and generators (//go:build ignore) are left out.
// It returns an error for a file that cannot be read or parsed.
func Load(fsys fs.FS) (*Tree, error) {
	t := &Tree{texts: map[string]string{}, names: map[string]bool{}, fset: token.NewFileSet()}
	if err := t.readFiles(fsys); err != nil {
		return nil, err
	}
	if err := t.readModules(); err != nil {
		return nil, err
	}
	return t, t.readPackages()
}

func (t *Tree) readFiles(fsys fs.FS) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped(name):
			return fs.SkipDir
		case name == ".git": // a linked work tree has a file of this name
			return nil
		}
		t.names[name] = true
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if utf8.Valid(data) && !bytes.Contains(data, []byte{0}) {
			t.texts[name] = string(data)
		}
		return nil
	})
}

// skipped says that a folder holds nothing that people wrote for the project.
func skipped(dir string) bool {
	base := path.Base(dir)
	hidden := strings.HasPrefix(base, ".") && base != "." && base != ".ci"
	return hidden || dir == "bin" || dir == "data" || dir == "dist" || strings.HasSuffix(dir, "testdata/fuzz")
}

func (t *Tree) readModules() error {
	work, err := modfile.ParseWork("go.work", []byte(t.texts["go.work"]), nil)
	if err != nil {
		return err
	}
	for _, use := range work.Use {
		dir := path.Clean(use.Path)
		name := path.Join(dir, "go.mod")
		mod, err := modfile.Parse(name, []byte(t.texts[name]), nil)
		if err != nil {
			return err
		}
		if mod.Module == nil {
			return fmt.Errorf("read %s, which go.work uses: no module line", name)
		}
		t.modules = append(t.modules, module{dir: dir, mod: mod})
	}
	return nil
}

func (t *Tree) readPackages() error {
	byDir := map[string]*pkg{}
	for name, text := range t.texts {
		m, ok := t.moduleOf(name)
		if !ok || path.Ext(name) != ".go" || strings.Contains(name, "/testdata/") || isGenerator(text) {
			continue
		}
		syntax, err := parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		p := byDir[dir]
		if p == nil {
			p = &pkg{path: path.Join(m.mod.Module.Mod.Path, strings.TrimPrefix(dir, m.dir)), dir: dir}
			byDir[dir] = p
		}
		p.files = append(p.files, file{name: name, test: strings.HasSuffix(name, "_test.go"), syntax: syntax})
	}
	for _, p := range byDir {
		slices.SortFunc(p.files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
		t.packages = append(t.packages, *p)
	}
	slices.SortFunc(t.packages, func(a, b pkg) int { return cmp.Compare(a.path, b.path) })
	return nil
}

// isGenerator says that a file is a program of its own, started by go generate.
func isGenerator(text string) bool {
	return strings.Contains("\n"+text, "\n//go:build ignore\n")
}

// moduleOf finds the used module that holds a file; ok is false where the nearest go.mod is not used by go.work.
func (t *Tree) moduleOf(name string) (m module, ok bool) {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if _, nearest := t.texts[path.Join(dir, "go.mod")]; nearest {
			i := slices.IndexFunc(t.modules, func(m module) bool { return m.dir == dir })
			if i < 0 {
				return module{}, false
			}
			return t.modules[i], true
		}
		if dir == "." {
			return module{}, false
		}
	}
}

// goFiles yields every file with the package it is in.
func (t *Tree) goFiles(yield func(pkg, file) bool) {
	for _, p := range t.packages {
		for _, f := range p.files {
			if !yield(p, f) {
				return
			}
		}
	}
}

// at names a place in a Go file as file:line.
func (t *Tree) at(n ast.Node) string {
	pos := t.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", pos.Filename, pos.Line)
}

// textNames returns the names of the text files with this extension, sorted.
func (t *Tree) textNames(ext string) []string {
	var names []string
	for name := range t.texts {
		if path.Ext(name) == ext {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
