package planted

import (
	"slices"
	"strings"
	"testing"

	"weir/lab/harness"
)

// TestPatchesApplyAndCompile: a bug whose place in the sources has changed would
// otherwise be noticed only when it is planted again.
func TestPatchesApplyAndCompile(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	all := append(Bugs(), Bug{Name: "step clock", Patches: StepClock()}, Bug{Name: "fast clock", Patches: FastClock(60)})
	for _, b := range all {
		t.Run(b.Name, func(t *testing.T) {
			o := Options{Root: root, Dir: t.TempDir(), Patches: slices.Concat(b.Beside, b.Patches)}
			if b.Name == "step clock" { // to compile all that imports time takes minutes
				_, err = o.overlay()
			} else {
				err = Check(o)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPatchWhoseTextIsGone(t *testing.T) {
	for text, want := range map[string]string{"a b": "0 times", "old, old": "2 times"} {
		if _, err := (Patch{"x.go", "old", "new"}).apply(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a patch of %q gives the error %v, wanted %q in it", text, err, want)
		}
	}
	if got, err := (Patch{"x.go", "old", "new"}).apply("an old text"); err != nil || got != "an new text" {
		t.Errorf("a patch gives %q, %v", got, err)
	}
}

func TestNamesOfBugs(t *testing.T) {
	var names []string
	for _, b := range Bugs() {
		if (len(b.Caught) == 0) == (b.Test.Name == "") || b.Does == "" {
			t.Errorf("%s: say what it does and which scenarios, or else which test, catch it", b.Name)
		}
		names = append(names, b.Name)
	}
	slices.Sort(names)
	if n := len(names); n != len(slices.Compact(names)) {
		t.Error("two bugs have the same name")
	}
}
