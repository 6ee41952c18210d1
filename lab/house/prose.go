package house

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var (
	fence      = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$")
	codeSpan   = regexp.MustCompile("`[^`\n]*`")
	link       = regexp.MustCompile(`\]\(<?([^)\s>]+)>?[^)]*\)`)
	external   = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
	heading    = regexp.MustCompile(`(?m)^#+[ \t]+(.+?)[ \t]*$`)
	lineNumber = regexp.MustCompile(`\.(go|md|sh|json|yaml)(:[0-9]+|#L[0-9]+)`)
	makeTarget = regexp.MustCompile(`(?m)(?:^|[;&|$])[ \t]*make[ \t]+([a-z][a-z0-9-]*)`)
	makeRule   = regexp.MustCompile(`(?m)^([a-z][a-z0-9 -]*):([^=]|$)`)

	decisionName     = regexp.MustCompile(`^docs/decisions/([0-9]{4})-[a-z0-9-]+\.md$`)
	decisionSections = []string{"Context", "Decision", "Consequences"}

	// machinePath is a folder of one person's machine. It is written so that it does not match itself.
	machinePath = regexp.MustCompile(`(?m)(?:^|[\s"'=(:\x60])/(?:home|Users|root|work|farm)/[\w.-]+`)
)

// prose is a page without its code: what is in brackets there is a link.
func prose(page string) string {
	return codeSpan.ReplaceAllString(fence.ReplaceAllString(page, ""), "")
}

// commands is the code of a page: what a reader may copy.
func commands(page string) string {
	spans := codeSpan.FindAllString(fence.ReplaceAllString(page, ""), -1)
	return strings.Join(fence.FindAllString(page, -1), "\n") + "\n" + strings.ReplaceAll(strings.Join(spans, "\n"), "`", "")
}

func findDeadLinks(t *Tree, report report) {
	for _, name := range t.textNames(".md") {
		for _, m := range link.FindAllStringSubmatch(prose(t.texts[name]), -1) {
			if external.MatchString(m[1]) {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			switch {
			case !t.names[target]:
				report(name, "links to %s, which does not exist", m[1])
			case anchor != "" && path.Ext(target) == ".md" && !slices.Contains(anchors(t.texts[target]), anchor):
				report(name, "links to %s, but the page has no such heading", m[1])
			}
		}
	}
}

// anchors are the names that the headings of a page get on the common forges.
func anchors(page string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
				return r
			}
			return -1
		}, strings.ToLower(m[1])))
	}
	return all
}

func findLineNumbers(t *Tree, report report) {
	for _, name := range t.textNames(".md") {
		for _, s := range lineNumber.FindAllString(t.texts[name], -1) {
			report(name, "points at a line: …%s", s)
		}
	}
}

func findMachinePaths(t *Tree, report report) {
	for name, text := range t.texts {
		for _, s := range machinePath.FindAllString(text, -1) {
			report(name, "names a folder of somebody's machine: %s", strings.TrimSpace(s))
		}
	}
}

func findUnknownTargets(t *Tree, report report) {
	known := map[string]bool{}
	for _, m := range makeRule.FindAllStringSubmatch(t.texts["Makefile"], -1) {
		for target := range strings.FieldsSeq(m[1]) {
			known[target] = true
		}
	}
	said := map[string]string{".ci/run": t.texts[".ci/run"]}
	for _, name := range t.textNames(".md") {
		said[name] = commands(t.texts[name])
	}
	for name, text := range said {
		for _, m := range makeTarget.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				report(name, "says make %s, which the Makefile does not know", m[1])
			}
		}
	}
}

func findOddDecisions(t *Tree, report report) {
	numbers := map[string]string{}
	for _, name := range t.textNames(".md") {
		if path.Dir(name) != "docs/decisions" || path.Base(name) == "README.md" {
			continue
		}
		m := decisionName.FindStringSubmatch(name)
		if m == nil {
			report(name, "is not named like 0001-short-question.md")
			continue
		}
		if other, taken := numbers[m[1]]; taken {
			report(name, "has the number of %s", other)
		}
		numbers[m[1]] = name
		for _, section := range decisionSections {
			if !strings.Contains(t.texts[name], "\n## "+section+"\n") {
				report(name, "has no section %q", section)
			}
		}
	}
}
