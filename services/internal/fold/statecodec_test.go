package fold

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestAppendSized: what is appended in place is as if it had been made apart, and what
// was there before it stays.
func TestAppendSized(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := strings.Repeat("b", rapid.IntRange(0, 300).Draw(t, "before"))
		s := strings.Repeat("s", rapid.IntRange(0, 20_000).Draw(t, "size"))
		got := AppendSized([]byte(before), func(b []byte) []byte { return append(b, s...) })
		if want := AppendString([]byte(before), s); string(got) != string(want) {
			t.Fatalf("%d bytes behind %d are not as AppendString writes them", len(s), len(before))
		}
	})
}
