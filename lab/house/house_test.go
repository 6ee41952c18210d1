package house

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// TestHouse applies every rule to the project itself.
func TestHouse(t *testing.T) {
	tree, err := Load(os.DirFS(root(t)))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.modules) == 0 || len(tree.packages) == 0 {
		t.Fatalf("found %d modules and %d packages: the rules would judge nothing", len(tree.modules), len(tree.packages))
	}
	for _, rule := range Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			for _, found := range rule.Check(tree) {
				t.Errorf("%s\n\twhy it matters: %s", found, rule.Why)
			}
		})
	}
}

// root is the folder of go.work at or above the folder of this test.
func root(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.work at or above the folder of the test")
		}
		dir = filepath.Dir(dir)
	}
}

// sound is a small project that keeps every rule; each case below spoils it in one way.
var sound = map[string]string{
	"go.work":          "go 1.26.0\n\nuse (\n\t./pkg\n\t./schemas\n\t./services\n\t./simulator\n\t./lab\n)\n",
	"pkg/go.mod":       "module weir/pkg\n\ngo 1.26.0\n",
	"schemas/go.mod":   "module weir/schemas\n\ngo 1.26.0\n\nrequire example.com/x v1.0.0\n",
	"services/go.mod":  "module weir/services\n\ngo 1.26.0\n\nrequire example.com/x v1.0.0 // indirect\n",
	"simulator/go.mod": "module weir/simulator\n\ngo 1.26.0\n",
	"lab/go.mod":       "module weir/lab\n\ngo 1.26.0\n",
	"lab/peers/go.mod": "module weir/lab/peers\n\ngo 1.25.0\n",
	"lab/peers/odd.go": "package util\n\nimport _ \"weir/services/ingest\"\n",

	"pkg/window/window.go":      "// Package window tells time.\npackage window\n\nimport (\n\t\"net/netip\"\n\t\"time\"\n)\n\nvar _ netip.Addr\n\nconst hour = time.Hour\n",
	"pkg/window/gen.go":         "//go:build ignore\n\npackage main\n\nimport \"os\"\n",
	"pkg/window/window_test.go": "package window_test\n\nimport (\n\t_ \"os\"\n\t\"time\"\n\n\t\"testing/synctest\"\n\n\t\"weir/pkg/window\"\n)\n\nfunc f() { synctest.Test(nil, func() { time.Sleep(1) }); go f() }\n",
	"schemas/doc.go":            "// Package schemas is the contract.\npackage schemas\n\nimport (\n\t_ \"embed\"\n\n\t\"github.com/vmihailenco/msgpack/v5\"\n)\n",

	"services/flow_test.go":           "// Package services_test joins all.\npackage services_test\n\nimport _ \"weir/services/ingest\"\n",
	"services/ingest/service.go":      "// Package ingest takes.\npackage ingest\n\nimport (\n\t\"time\"\n\n\t\"weir/pkg/window\"\n\t\"weir/schemas\"\n\t\"weir/services/ingest/inner\"\n\t\"weir/services/internal/bus\"\n)\n\nvar now = time.Now\n",
	"services/ingest/inner/in.go":     "// Package inner is part of ingest.\npackage inner\n",
	"services/ingest/mqtt.go":         "package ingest\n\nimport \"github.com/mochi-mqtt/server/v2\"\n\nfunc f() { go f() }\n",
	"services/internal/bus/bus.go":    "// Package bus speaks NATS.\npackage bus\n\nimport (\n\t\"os\"\n\n\t\"github.com/nats-io/nats.go\"\n)\n",
	"services/cmd/weir/main.go":       "// Command weir is the product.\npackage main\n\nimport (\n\t\"weir/services/ingest\"\n\t\"weir/simulator\"\n)\n",
	"simulator/device.go":             "// Package simulator plays devices.\npackage simulator\n\nimport \"weir/schemas\"\n",
	"lab/endtoend/endtoend.go":        "// Package endtoend judges.\npackage endtoend\n\nimport (\n\t\"github.com/mochi-mqtt/server/v2\"\n\t\"github.com/nats-io/nats.go\"\n\t\"weir/simulator\"\n)\n\nfunc init() {}\n",
	"docs/decisions/0001-why.md":      "# 1. Why\n\n## Context\n\nc\n\n## Decision\n\nd\n\n## Consequences\n\ne\n",
	"docs/decisions/README.md":        "# Decisions\n",
	"README.md":                       "# Weir: a `dam`\n\n[why](docs/decisions/0001-why.md#context) [up](#weir-a-dam) [out](https://example.com/x.go) [folder](pkg/window)\nmake sure of it with `make test`.\n\n```\nmake test X=1\n[no](link)\n```\n",
	"Makefile":                        "test: deps ## Test.\n\tgo test work\ncheck lint:\nX := 1\n",
	".ci/run":                         "#!/bin/sh\nmake check\n",
	"bin/junk.md":                     "[dead](link)\n",
	"pkg/testdata/fuzz/FuzzX/seed.md": "[dead](link)\n",
}

// TestRulesCanFail spoils the sound project once for each rule, or more, and wants that rule to say so.
func TestRulesCanFail(t *testing.T) {
	const doc = "// Package x is.\npackage x\n\n"
	cases := []struct{ rule, name, text, want string }{
		{"pkg imports nothing of ours", "pkg/x/x.go", doc + `import "weir/pkg/window"`, "imports weir/pkg/window"},
		{"pkg imports nothing of ours", "pkg/x/x.go", doc + `import "weir/schemas"`, "imports weir/schemas"},
		{"pkg imports nothing of ours", "pkg/window/b_test.go", "package window\n\nimport \"weir/pkg/sketch\"", "pkg/window/b_test.go"},
		{"schemas imports nothing of ours", "schemas/x.go", `package schemas; import "weir/pkg/sketch"`, "weir/pkg/sketch"},
		{"pkg and schemas know no NATS", "schemas/x.go", `package schemas; import "github.com/nats-io/nats.go/jetstream"`, "jetstream"},
		{"services do not import each other", "services/policy/x.go", doc + `import "weir/services/ingest"`, "imports weir/services/ingest"},
		{"services do not import each other", "services/policy/x.go", doc + `import "weir/services/ingest/inner"`, "inner"},
		{"services do not import each other", "services/internal/x/x.go", doc + `import "weir/services/ingest"`, "services/internal/x/x.go"},
		{"only bus imports NATS", "services/policy/x.go", doc + `import "github.com/nats-io/nats.go"`, "nats.go"},
		{"only bus imports NATS", "services/cmd/weir/x.go", `package main; import "github.com/nats-io/nats-server/v2/server"`, "nats-server"},
		{"the product does not know its judges", "services/ingest/x.go", `package ingest; import "weir/simulator"`, "weir/simulator"},
		{"simulator imports schemas only", "simulator/x.go", `package simulator; import "weir/pkg/sketch"`, "weir/pkg/sketch"},
		{"lab does not import services", "lab/x/x_test.go", doc + `import "weir/services/ingest"`, "weir/services/ingest"},
		{"the MQTT library stays in ingest", "services/gateway/x.go", doc + `import "github.com/mochi-mqtt/server/v2/packets"`, "packets"},
		{"one file wraps the MQTT library", "services/ingest/x.go", `package ingest; import "github.com/mochi-mqtt/server/v2/packets"`, "services/ingest/x.go"},
		{"msgpack is decoded in schemas and ingest", "services/gateway/x.go", doc + `import "github.com/vmihailenco/msgpack/v5"`, "msgpack"},

		{"cores are pure", "pkg/x/x.go", doc + `import "time"; var t = time.Now()`, "pkg/x/x.go:4: a core uses time.Now"},
		{"cores are pure", "services/gateway/merge.go", doc + `import clk "time"; var t = clk.After(1)`, "time.After"},
		{"cores are pure", "schemas/x.go", `package schemas; import "math/rand/v2"`, "math/rand/v2"},
		{"cores are pure", "schemas/x.go", `package schemas; import "os"`, "imports os"},
		{"cores are pure", "schemas/x.go", `package schemas; import "net/http"`, "net/http"},
		{"cores are pure", "pkg/x/deep/x.go", doc + `func f() { go f() }`, "goroutine"},

		{"every package says what it is", "pkg/x/x.go", "package x", "0 package comments"},
		{"every package says what it is", "pkg/x/x.go", "// X is.\npackage x", `begin with "Package x"`},
		{"every package says what it is", "pkg/window/y.go", "// Package window too.\npackage window", "2 package comments"},
		{"every package says what it is", "services/cmd/weir/main.go", "// Package main is.\npackage main", `"Command weir"`},
		{"no drawers", "pkg/x/x.go", "package util", "named util"},
		{"nothing starts by being linked", "pkg/x/x.go", doc + "func init() {}", "func init"},
		{"nothing starts by being linked", "services/ingest/x.go", `package ingest; import _ "net/http/pprof"`, "side effects"},
		{"tests do not sleep", "lab/x/x_test.go", doc + `import "time"; func f() { time.Sleep(1) }`, "lab/x/x_test.go:4"},
		{"tests do not sleep", "lab/x/x_test.go", doc + `import "time"; var f = time.Sleep`, "time.Sleep"},
		{"modules look alike", "pkg/go.mod", "module weir/pkg\n\ngo 1.26.1\n", "go 1.26.0"},
		{"modules look alike", "pkg/go.mod", "module weir/pkg\n\ngo 1.26.0\n\ntoolchain go1.26.8\n", "toolchain"},
		{"modules look alike", "pkg/go.mod", "module weir/packages\n\ngo 1.26.0\n", "wanted weir/pkg"},
		{"one version of each dependency", "lab/go.mod", "module weir/lab\n\ngo 1.26.0\n\nrequire example.com/x v1.0.1\n", "v1.0.1:[lab]"},
		{"decisions say why", "docs/decisions/0002-x.md", "# 2. X\n\n## Context\n\n## Consequences\n", `"Decision"`},
		{"decisions say why", "docs/decisions/0001-again.md", sound["docs/decisions/0001-why.md"], "has the number of"},
		{"decisions say why", "docs/decisions/x.md", "# X\n", "named like"},
		{"links lead somewhere", "docs/x.md", "[x](../nowhere.md)", "nowhere.md"},
		{"links lead somewhere", "docs/x.md", "[x](../README.md#nothing)", "no such heading"},
		{"links lead somewhere", "docs/x.md", "[x](#nothing)", "no such heading"},
		{"no line numbers in prose", "docs/x.md", "see `pane.go:12`", ".go:12"},
		{"no line numbers in prose", "docs/x.md", "see [x](../pkg/window/window.go#L3)", "#L3"},
		{"no paths of one machine", "docs/x.md", "cd /" + "home/me/weir", "/" + "home/me"},
		{"no paths of one machine", "pkg/x/x.go", doc + `const dir = "/` + `root/weir"`, "/" + "root/weir"},
		{"documented make targets exist", "docs/x.md", "run `make everything`", "make everything"},
		{"documented make targets exist", "docs/x.md", "```\ncd weir && make everything\n```", "make everything"},
		{"documented make targets exist", ".ci/run", "make tset\n", "make tset"},
	}

	for _, rule := range Rules() {
		if found := rule.Check(load(t, nil)); found != nil {
			t.Errorf("%s: finds fault with the sound project: %q", rule.Name, found)
		}
	}
	tried := map[string]bool{}
	for _, c := range cases {
		tried[c.rule] = true
		found := ruleNamed(t, c.rule).Check(load(t, map[string]string{c.name: c.text}))
		if len(found) != 1 || !strings.Contains(found[0], c.want) {
			t.Errorf("%s: with %s = %q found %q, wanted one finding with %q", c.rule, c.name, c.text, found, c.want)
		}
	}
	for _, rule := range Rules() {
		if !tried[rule.Name] {
			t.Errorf("%s: no case shows that the rule can fail", rule.Name)
		}
	}
}

// load reads the sound project with some files replaced or added.
func load(t *testing.T, spoiled map[string]string) *Tree {
	fsys := fstest.MapFS{}
	for _, files := range []map[string]string{sound, spoiled} {
		for name, text := range files {
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	tree, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func ruleNamed(t *testing.T, name string) Rule {
	for _, r := range Rules() {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no rule is named %q", name)
	return Rule{}
}

// TestPatternsAreValid keeps a misspelled pattern from matching nothing in silence.
func TestPatternsAreValid(t *testing.T) {
	for _, pattern := range append(append([]string{}, cores...), shells...) {
		if _, err := path.Match(pattern, "x"); err != nil {
			t.Errorf("pattern %q: %v", pattern, err)
		}
	}
}
