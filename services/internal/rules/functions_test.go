package rules

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"
)

// TestDocsListFunctions: the table of the reference is what there is.
func TestDocsListFunctions(t *testing.T) {
	page, err := os.ReadFile("../../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n| functions | |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var listed []string
	for _, m := range regexp.MustCompile("`([A-Za-z0-9_]+)`").FindAllStringSubmatch(table, -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(listed)
	offered := slices.Sorted(maps.Keys(functionsOf(ottlfuncs.NewIsRootSpanFactory())))
	if !slices.Equal(listed, offered) {
		t.Errorf("docs/rules.md lists\n%v\noffered are\n%v", listed, offered)
	}
	if _, is := functionsOf[*ottlspan.TransformContext]()["Now"]; is {
		t.Error("rules may ask for the time")
	}
}
