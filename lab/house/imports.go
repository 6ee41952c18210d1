package house

import (
	"slices"
	"strconv"
	"strings"
)

// An importRule binds the packages in from, less those in but: they import nothing in bad, less what is in ok.
// A pattern is an import path, or a path followed by /... for itself and all below. What a package imports
// from its own service or library is its own affair.
type importRule struct {
	name      string
	from, but []string
	bad, ok   []string
	files     int // this many files of the bound packages may break the rule all the same: the wrappers
	why       string
}

var importRules = []importRule{
	{
		name: "pkg imports nothing of ours",
		from: []string{"weir/pkg/..."},
		bad:  []string{"weir/..."},
		why:  "a library that knows the product, or its neighbor, is of no use to a stranger and does not outlive the product",
	},
	{
		name: "schemas imports nothing of ours",
		from: []string{"weir/schemas/..."},
		bad:  []string{"weir/..."}, ok: []string{"weir/schemas/..."},
		why: "everybody reads the contract, so it must not pin anybody's algorithm",
	},
	{
		name: "pkg and schemas know no NATS",
		from: []string{"weir/pkg/...", "weir/schemas/..."},
		bad:  []string{"github.com/nats-io/..."},
		why:  "values and codecs are tested without a server; subjects and topology are data",
	},
	{
		name: "services do not import each other",
		from: []string{"weir/services/..."}, but: []string{"weir/services", "weir/services/cmd/..."},
		bad: []string{"weir/services/..."}, ok: []string{"weir/services/internal/..."},
		why: "services meet on subjects only, so that each runs in a process of its own; a type that two want belongs to schemas",
	},
	{
		name: "only bus imports NATS",
		from: []string{"weir/services/..."}, but: []string{"weir/services/internal/bus", "weir/services/internal/bustest"},
		bad: []string{"github.com/nats-io/..."},
		why: "acknowledgement, fences and retries are decided once, and a service runs on a bus in fake time",
	},
	{
		name: "the product does not know its judges",
		from: []string{"weir/services/..."}, but: []string{"weir/services/cmd/..."},
		bad: []string{"weir/simulator/...", "weir/lab/..."},
		why: "a product that can see the simulator can please it; cmd/weir alone starts it, as `weir sim`",
	},
	{
		name: "simulator imports schemas only",
		from: []string{"weir/simulator/..."},
		bad:  []string{"weir/..."}, ok: []string{"weir/schemas/...", "weir/simulator/..."},
		why: "a judge that shares code with the accused agrees with its bugs",
	},
	{
		name: "lab does not import services",
		from: []string{"weir/lab/..."},
		bad:  []string{"weir/services/..."},
		why:  "the lab judges the built binary over real sockets, as its users meet it",
	},
	{
		name: "the MQTT library stays in ingest",
		from: []string{"weir/..."}, but: []string{"weir/services/ingest", "weir/lab/..."},
		bad: []string{"github.com/mochi-mqtt/..."},
		why: "the library is quiet upstream and must stay replaceable",
	},
	{
		name: "one file wraps the MQTT library",
		from: []string{"weir/services/ingest"}, files: 1,
		bad: []string{"github.com/mochi-mqtt/..."},
		why: "replacing the library must be a change of one file",
	},
	{
		name: "msgpack is decoded in schemas and ingest",
		from: []string{"weir/..."}, but: []string{"weir/schemas/...", "weir/services/ingest", "weir/lab/..."},
		bad: []string{"github.com/vmihailenco/..."},
		why: "untrusted bytes pass one structural check of depth and length before any decoder sees them",
	},
}

func (r importRule) find(t *Tree, report report) {
	broken := 0
	for p, f := range t.goFiles {
		if !match(r.from, p.path) || match(r.but, p.path) {
			continue
		}
		var bad []string
		for _, spec := range f.syntax.Imports {
			to, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
			if match(r.bad, to) && !match(r.ok, to) && unit(to) != unit(p.path) {
				bad = append(bad, to)
			}
		}
		if len(bad) == 0 {
			continue
		}
		if broken++; broken > r.files {
			report(f.name, "imports %s", strings.Join(bad, ", "))
		}
	}
}

// match reports whether one of the patterns names the import path.
func match(patterns []string, importPath string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		tree, below := strings.CutSuffix(pattern, "/...")
		return importPath == tree || below && strings.HasPrefix(importPath, tree+"/")
	})
}

// unit is the library or the service a package belongs to: the first three elements of its path.
func unit(importPath string) string {
	elements := strings.SplitN(importPath, "/", 4)
	return strings.Join(elements[:min(3, len(elements))], "/")
}
