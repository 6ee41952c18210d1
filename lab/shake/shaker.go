package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// hinges are the functions and methods at which goroutines meet each other or the
// world: behind each of them somebody else may be quicker.
var hinges = strings.Fields(`
	close cancel stop
	Unlock RUnlock Done Signal Broadcast Go Wait
	Store Add Swap CompareAndSwap Load
	Close Stop Shutdown Drain Flush
	Write Read ReadByte Accept Send Receive Next Ask
	Publish PublishMsg Append Respond RespondMsg Ack Put Update Delete
`)

// starters take a function that runs in a goroutine of its own.
var starters = strings.Fields(`Go AfterFunc HandleFunc Subscribe QueueSubscribe Consume Watch`)

// source is a file.
type source struct {
	name string
	text []byte
	file *ast.File
	base int // position of its first byte
}

func parse(name string, text []byte) (*source, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &source{name, text, file, set.File(file.Package).Base()}, nil
}

// shake returns the texts of all sources with pauses in them.
func shake(sources []*source) (texts [][]byte) {
	begun := map[string]bool{}
	for _, s := range sources {
		noteBegun(s.file, begun)
	}
	places := 0
	for _, s := range sources {
		sh := shaker{source: s, begun: begun, places: places}
		ast.Inspect(s.file, sh.visit)
		texts = append(texts, sh.write())
		places = sh.places
	}
	return texts
}

// noteBegun notes the names of functions and methods that begin goroutines.
func noteBegun(file *ast.File, names map[string]bool) {
	note := func(fn ast.Expr) {
		if name := nameOf(fn); name != "" {
			names[name] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			note(n.Call.Fun)
		case *ast.CallExpr:
			if slices.Contains(starters, nameOf(n.Fun)) {
				for _, arg := range n.Args {
					note(arg)
				}
			}
		}
		return true
	})
}

// shaker puts pauses into one source. Each place has a number of its own.
type shaker struct {
	*source
	begun   map[string]bool // names of functions that begin goroutines
	places  int
	inserts []insert
}

// insert is text that comes to stand at an offset.
type insert struct {
	at   int
	text string
}

// visit looks at a node. Pauses at the start of a block have no other reason than
// the header of what it belongs to.
func (s *shaker) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BlockStmt:
		s.between(n.List)
	case *ast.CaseClause:
		s.between(n.Body)
	case *ast.CommClause:
		if n.Comm != nil { // a message came or went
			s.pause(n.Colon+1, "%s;")
		}
		s.between(n.Body)
	case *ast.RangeStmt:
		if n.Value == nil { // it may range over a channel
			s.pause(n.Body.Lbrace+1, "%s;")
		}
	case *ast.IfStmt:
		if n.Init != nil && hinge(n.Init) || hinge(n.Cond) {
			s.pause(n.Body.Lbrace+1, "%s;")
		}
	case *ast.FuncDecl:
		if n.Body != nil && s.begun[n.Name.Name] {
			s.pause(n.Body.Lbrace+1, "%s;")
		}
	case *ast.GoStmt:
		s.begin(n.Call.Fun)
	case *ast.CallExpr:
		if slices.Contains(starters, nameOf(n.Fun)) {
			s.begin(n.Args...)
		}
	}
	return true
}

// begin puts a pause at the start of each function that is written down here.
func (s *shaker) begin(functions ...ast.Expr) {
	for _, fn := range functions {
		if lit, ok := fn.(*ast.FuncLit); ok {
			s.pause(lit.Body.Lbrace+1, "%s;")
		}
	}
}

// between puts pauses behind those statements of a list that have a hinge.
func (s *shaker) between(list []ast.Stmt) {
	for i, stmt := range list {
		if !hinge(stmt) {
			continue
		}
		switch stmt := stmt.(type) {
		case *ast.ExprStmt, *ast.SendStmt, *ast.GoStmt, *ast.AssignStmt, *ast.IncDecStmt, *ast.DeclStmt:
			s.pause(stmt.End(), "; %s")
		case *ast.IfStmt, *ast.ForStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.RangeStmt:
			if i < len(list)-1 { // the last may be how the function ends
				s.pause(stmt.End(), "; %s")
			}
		case *ast.DeferStmt: // what is deferred before runs after
			s.pause(stmt.Pos(), "defer %s;")
		}
	}
}

func (s *shaker) pause(at token.Pos, format string) {
	call := fmt.Sprintf("shaken.At(%d)", s.places)
	s.inserts = append(s.inserts, insert{int(at) - s.base, fmt.Sprintf(format, call)})
	s.places++
}

// write returns the text with what is inserted.
func (s *shaker) write() (out []byte) {
	if len(s.inserts) == 0 {
		return s.text
	}
	s.inserts = append(s.inserts, insert{int(s.file.Name.End()) - s.base, `; import shaken "weir/lab/shake/pause"`})
	slices.SortStableFunc(s.inserts, func(a, b insert) int { return a.at - b.at })
	done := 0
	for _, i := range s.inserts {
		out = append(append(out, s.text[done:i.at]...), i.text...)
		done = i.at
	}
	return append(out, s.text[done:]...)
}

// hinge reports whether a node has one, not counting blocks and functions within it.
func hinge(n ast.Node) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit, *ast.BlockStmt:
			return false
		case *ast.SendStmt, *ast.GoStmt:
			found = true
		case *ast.UnaryExpr:
			found = found || n.Op == token.ARROW
		case *ast.CallExpr:
			found = found || slices.Contains(hinges, nameOf(n.Fun))
		}
		return !found
	})
	return found
}

// nameOf is the name of a function or method; empty: it has none.
func nameOf(fn ast.Expr) string {
	switch fn := fn.(type) {
	case *ast.Ident:
		return fn.Name
	case *ast.SelectorExpr:
		return fn.Sel.Name
	}
	return ""
}
