package house

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

// findMissingDocs wants exactly one package comment in each package. Test files count only where there are no others.
func findMissingDocs(t *Tree, report report) {
	for _, p := range t.packages {
		files := slices.DeleteFunc(slices.Clone(p.files), func(f file) bool { return f.test })
		if len(files) == 0 {
			files = p.files
		}
		want := "Package " + files[0].syntax.Name.Name
		if files[0].syntax.Name.Name == "main" {
			want = "Command " + path.Base(p.dir)
		}
		var docs []string
		for _, f := range files {
			if f.syntax.Doc != nil {
				docs = append(docs, f.name)
				if text := f.syntax.Doc.Text(); !strings.HasPrefix(text, want) {
					report(f.name, "the package comment does not begin with %q", want)
				}
			}
		}
		if len(docs) != 1 {
			report(p.dir, "%d package comments %v, wanted one that begins with %q", len(docs), docs, want)
		}
	}
}

// drawers are package names that say nothing about what is inside.
var drawers = []string{
	"util", "utils", "common", "base", "core", "helper", "helpers", "misc", "shared", "lib", "types", "runtime",
	"testutil", "testutils", "constants", "interfaces",
}

func findDrawers(t *Tree, report report) {
	for _, p := range t.packages {
		if name := p.files[0].syntax.Name.Name; slices.Contains(drawers, name) {
			report(p.dir, "a package is named %s", name)
		}
	}
}

// findHiddenStarts reports what runs because a package is linked: func init and blank imports.
func findHiddenStarts(t *Tree, report report) {
	for p, f := range t.goFiles {
		if f.test || match([]string{"weir/lab/..."}, p.path) {
			continue
		}
		for _, spec := range f.syntax.Imports {
			if to, _ := strconv.Unquote(spec.Path.Value); spec.Name != nil && spec.Name.Name == "_" && to != "embed" {
				report(t.at(spec), "imports %s for its side effects", to)
			}
		}
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				report(t.at(fn), "has a func init")
			}
		}
	}
}

// findSleeps reports time.Sleep in tests, except where it moves fake time: inside a call of synctest.Test or of a helper
// of the package that calls it, and in helpers whose comment says that they run in a bubble.
func findSleeps(t *Tree, report report) {
	helpers := bubbleHelpers(t)
	for _, f := range t.goFiles {
		if !f.test {
			continue
		}
		timeName, bubbleName := importName(f.syntax, "time"), importName(f.syntax, "testing/synctest")
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				return !strings.Contains(n.Doc.Text(), "bubble")
			case *ast.CallExpr:
				if id, ok := n.Fun.(*ast.Ident); ok && helpers[path.Dir(f.name)+"."+id.Name] {
					return false
				}
				return !callsBubble(n, bubbleName)
			case *ast.SelectorExpr:
				if name, ok := selected(n, timeName); ok && name == "Sleep" {
					report(t.at(n), "uses time.Sleep")
				}
			}
			return true
		})
	}
}

func callsBubble(n *ast.CallExpr, bubbleName string) bool {
	fun, ok := n.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	name, ok := selected(fun, bubbleName)
	return ok && name == "Test"
}

// bubbleHelpers are the functions of test files, as folder.name, that hand a function to synctest.Test.
func bubbleHelpers(t *Tree) map[string]bool {
	helpers := map[string]bool{}
	for _, f := range t.goFiles {
		bubbleName := importName(f.syntax, "testing/synctest")
		if !f.test || bubbleName == "" {
			continue
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || strings.HasPrefix(fn.Name.Name, "Test") {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && callsBubble(call, bubbleName) {
					helpers[path.Dir(f.name)+"."+fn.Name.Name] = true
				}
				return true
			})
		}
	}
	return helpers
}

// goVersion is what every go.mod says; a toolchain line is not wanted.
const goVersion = "1.26.0"

func findOddModules(t *Tree, report report) {
	for _, m := range t.modules {
		name := path.Join(m.dir, "go.mod")
		if m.mod.Go == nil || m.mod.Go.Version != goVersion {
			report(name, "does not say go %s", goVersion)
		}
		if m.mod.Toolchain != nil {
			report(name, "has a toolchain line")
		}
		if want := path.Join("weir", m.dir); m.mod.Module.Mod.Path != want {
			report(name, "declares module %s, wanted %s", m.mod.Module.Mod.Path, want)
		}
	}
}

// findVersionQuarrels wants one version of each dependency that some module imports directly.
func findVersionQuarrels(t *Tree, report report) {
	direct := map[string]bool{}
	users := map[string]map[string][]string{} // dependency, version, go.mod files
	for _, m := range t.modules {
		for _, r := range m.mod.Require {
			direct[r.Mod.Path] = direct[r.Mod.Path] || !r.Indirect
			if users[r.Mod.Path] == nil {
				users[r.Mod.Path] = map[string][]string{}
			}
			users[r.Mod.Path][r.Mod.Version] = append(users[r.Mod.Path][r.Mod.Version], m.dir)
		}
	}
	for dep, versions := range users {
		if direct[dep] && len(versions) > 1 {
			report("go.mod", "%s has several versions: %s", dep, fmt.Sprint(versions))
		}
	}
}
