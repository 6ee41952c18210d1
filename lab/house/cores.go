package house

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
)

// cores are the files that hold no clock, no chance, no machine and no goroutine: values in, values out.
// Patterns are those of path.Match. Test files are never part of a core.
var cores = []string{
	"pkg/*/*.go", "pkg/*/*/*.go",
	"schemas/*.go",
	"services/*/*.go", // services/internal/* and services/cmd/* lie deeper and are shells
}

// shells are the files within those patterns that touch the world on purpose.
var shells = []string{
	"services/*/service.go",  // New and Run: read, call the core, write
	"services/*/listener.go", // a socket that devices or people connect to
	"services/ingest/mqtt.go",
	"services/ingest/nats.go",
	"services/ingest/conn.go",   // deadlines of a connection
	"services/ingest/puback.go", // writes to connections
	"services/ingest/take.go",   // stamps arrivals
	"services/ingest/export.go", // likewise, and waits for the journal
	"services/ingest/otlp.go",   // bodies and the journal, by the clock
	"services/ingest/otlpgrpc.go",
	"services/ingest/otlphttp.go",
	"services/ingest/otlplisten.go",
	"services/ingest/writer.go",   // frames, by the clock
	"services/ingest/park.go",     // logs what cannot be kept
	"services/ingest/loglimit.go", // wraps a logger
	"services/ingest/deps.go",     // names what the shell is given
	"services/*/http.go",
	"services/policy/cache.go",        // asks the tier above, again and again
	"services/policy/hub.go",          // watches the bucket and holds questions
	"services/policy/status.go",       // logs what is refused
	"services/forwarder/carry.go",     // the cycle of a link
	"services/forwarder/pump.go",      // sends, by the clock
	"services/forwarder/fetch.go",     // reads the backlog
	"services/forwarder/watch.go",     // reads the outbox
	"services/forwarder/grant.go",     // asks the tier above
	"services/gateway/post.go",        // runs partitions and answers for them
	"services/console/findinghttp.go", // answers who follows findings, by the clock

	"services/exporter/carry.go",    // reads, sends, waits
	"services/exporter/secrets.go",  // reads files that policy names
	"services/exporter/send.go",     // names what a receiver asks for, by the clock
	"services/exporter/sendhttp.go", // speaks HTTP
	"services/exporter/sendgrpc.go", // speaks gRPC
}

// impure are the imports that a core does without.
var impure = []string{
	"os/...", "net/...", "syscall", "runtime/...",
	"math/rand/...", "crypto/rand", "hash/maphash",
	"log/...", "testing/...",
}

// pureAfterAll are harmless packages below impure ones.
var pureAfterAll = []string{"net/url", "net/netip"}

// clock are the functions of package time that read or wait for the clock.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

func findImpureCores(t *Tree, report report) {
	for _, f := range t.goFiles {
		if f.test || !matchAny(cores, f.name) || matchAny(shells, f.name) {
			continue
		}
		for _, spec := range f.syntax.Imports {
			to, _ := strconv.Unquote(spec.Path.Value)
			if match(impure, to) && !match(pureAfterAll, to) {
				report(t.at(spec), "a core imports %s", to)
			}
		}
		clockName := importName(f.syntax, "time")
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				report(t.at(n), "a core starts a goroutine")
			case *ast.SelectorExpr:
				if name, ok := selected(n, clockName); ok && slices.Contains(clock, name) {
					report(t.at(n), "a core uses time.%s", name)
				}
			}
			return true
		})
	}
}

// matchAny reports whether one of the patterns of path.Match fits the file name.
func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := path.Match(pattern, name) // the patterns are constants; a test tries each
		return ok
	})
}

// importName is the name under which a file knows an import, empty where it does not import it.
func importName(f *ast.File, importPath string) string {
	for _, spec := range f.Imports {
		if spec.Path.Value != strconv.Quote(importPath) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

// selected returns X of the expression pkgName.X.
func selected(e *ast.SelectorExpr, pkgName string) (string, bool) {
	id, ok := e.X.(*ast.Ident)
	return e.Sel.Name, ok && pkgName != "" && id.Name == pkgName
}
