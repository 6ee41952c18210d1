package house

import (
	"fmt"
	"slices"
)

// A Rule is one convention of the house.
type Rule struct {
	Name string
	Why  string // what goes wrong where the rule is broken
	find func(*Tree, report)
}

// report takes one finding: a place and what is wrong there.
type report func(place, format string, args ...any)

// Rules lists every rule, imports first.
func Rules() []Rule {
	var rules []Rule
	for _, r := range importRules {
		rules = append(rules, Rule{Name: r.name, Why: r.why, find: r.find})
	}
	return append(rules, otherRules...)
}

var otherRules = []Rule{
	{
		Name: "cores are pure",
		Why:  "the same journal must give the same windows; time, chance and the machine enter a core as values, from its shell",
		find: findImpureCores,
	},
	{
		Name: "every package says what it is",
		Why:  "the first thing a reader meets is the package comment: in, out, promises, limits; two of them are concatenated by go doc",
		find: findMissingDocs,
	},
	{
		Name: "no drawers",
		Why:  "a package named after nothing collects everything; name it after the idea",
		find: findDrawers,
	},
	{
		Name: "nothing starts by being linked",
		Why:  "what runs is decided in cmd/weir and nowhere else; an init makes tests and binaries differ in silence",
		find: findHiddenStarts,
	},
	{
		Name: "tests do not sleep",
		Why:  "a sleep is too short on a busy machine and too long on all others: wait for a condition, or use fake time (testing/synctest)",
		find: findSleeps,
	},
	{
		Name: "modules look alike",
		Why:  "one workspace is built by one toolchain; a toolchain line would download another",
		find: findOddModules,
	},
	{
		Name: "one version of each dependency",
		Why:  "the workspace has one build list: with several versions, GOWORK=off tests another program than the one that ships",
		find: findVersionQuarrels,
	},
	{
		Name: "decisions say why",
		Why:  "a record without context, decision and consequences answers no newcomer's question",
		find: findOddDecisions,
	},
	{
		Name: "links lead somewhere",
		Why:  "a dead link tells the reader that nobody reads the page",
		find: findDeadLinks,
	},
	{
		Name: "no line numbers in prose",
		Why:  "a line number is wrong after the next change; link the file or the package",
		find: findLineNumbers,
	},
	{
		Name: "no paths of one machine",
		Why:  "the project must build and read the same wherever it is cloned",
		find: findMachinePaths,
	},
	{
		Name: "documented make targets exist",
		Why:  "the first command a stranger copies must work",
		find: findUnknownTargets,
	},
}

// Check applies the rule and returns what it finds, sorted: place, then what is wrong.
func (r Rule) Check(t *Tree) []string {
	var found []string
	r.find(t, func(place, format string, args ...any) {
		found = append(found, place+": "+fmt.Sprintf(format, args...))
	})
	slices.Sort(found)
	return found
}
