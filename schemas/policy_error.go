package schemas

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong with a policy document.
type Problem struct {
	Path  string // the field, such as views[1].size; empty: the document
	Value string // what stands there, shortened; empty: nothing
	Want  string // what is wrong and what to write instead
}

func (p Problem) String() string {
	parts := make([]string, 0, 3)
	for _, s := range [...]string{p.Path, p.Value, p.Want} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// PolicyError says everything that is wrong with a policy document.
type PolicyError struct{ Problems []Problem }

func (e *PolicyError) Error() string {
	if len(e.Problems) == 1 {
		return "policy: " + e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "policy: %d problems", len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// asError is the error of the problems, or nil without any.
func asError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &PolicyError{slices.Compact(problems)}
}

// join makes the path of a field of an object.
func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// short is a value as it stands in the document, cut where it is long.
func short(v any) string {
	switch v := v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "an array"
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("%.60q", v)
	case int:
		return strconv.Itoa(v)
	}
	return fmt.Sprintf("%.60s", fmt.Sprint(v))
}

// nearest is the candidate that a misspelled word most likely means, or "".
func nearest(word string, candidates []string) string {
	best, distance := "", 1+len(word)/3
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(word), strings.ToLower(c)); d <= distance {
			best, distance = c, d-1
		}
	}
	return best
}

// editDistance is the Levenshtein distance in bytes (Wagner and Fischer, 1974).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// oneOf lists words for a sentence: a, b or c.
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
