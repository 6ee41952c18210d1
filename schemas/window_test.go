package schemas

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Keys have the same ID only if they are equal, and sort by it.
func TestKeyID(t *testing.T) {
	values := rapid.SliceOfN(rapid.StringOf(rapid.SampledFrom([]rune{0, 'a', 'b', 'ÿ'})), 2, 2)
	rapid.Check(t, func(t *rapid.T) {
		a, b := Key{"t", values.Draw(t, "a")}, Key{"t", values.Draw(t, "b")}
		if got, want := strings.Compare(a.ID(), b.ID()), slices.Compare(a.Values, b.Values); got != want {
			t.Fatalf("%q and %q compare as %d, want %d", a.ID(), b.ID(), got, want)
		}
	})
}
