package planted

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Patch changes a file of the product.
type Patch struct {
	File     string // from the folder of the project; where it begins with $GOROOT, from that of Go
	Old, New string // Old is in the file exactly once
}

// Options of a build.
type Options struct {
	Root    string // folder of the project
	Dir     string // for the binary and what it is made from; made if need be
	Patches []Patch
	Race    bool // with the race detector
}

// Build builds the patched product and returns the path of the binary.
func Build(o Options) (string, error) {
	path := filepath.Join(o.Dir, "weir")
	args := []string{"build", "-C", filepath.Join(o.Root, "services"), "-buildvcs=false", "-o", path}
	if o.Race {
		args = append(args, "-race")
	}
	return path, o.goCommand(args, "./cmd/weir")
}

// Check compiles the packages that the patches change, and links nothing.
func Check(o Options) error {
	if len(o.Patches) == 0 {
		return nil
	}
	seen := map[string]bool{}
	var packages []string
	for _, p := range o.Patches {
		dir := "./" + filepath.Dir(p.File)
		if strings.HasPrefix(p.File, goRoot) {
			dir = strings.TrimPrefix(filepath.Dir(p.File), goRoot+"/src/")
		}
		if !seen[dir] {
			seen[dir] = true
			packages = append(packages, dir)
		}
	}
	return o.goCommand([]string{"build", "-C", o.Root, "-buildvcs=false"}, packages...)
}

// ErrTest says that a test of the patched product failed.
var ErrTest = errors.New("the test fails")

// Run runs a test of the patched product. Whoever wants to know whether it notices
// the patches runs it without them, too.
func Run(o Options, t Test) error {
	if err := Check(o); err != nil {
		return err
	}
	err := o.goCommand([]string{"test", "-C", o.Root, "-count=1", "-run", "^" + t.Name + "$"}, "./"+t.Package)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTest, err)
	}
	return nil
}

func (o Options) goCommand(args []string, packages ...string) error {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return fmt.Errorf("build the product: %w", err)
	}
	if len(o.Patches) > 0 {
		overlay, err := o.overlay()
		if err != nil {
			return fmt.Errorf("build the product: %w", err)
		}
		args = append(args, "-overlay", overlay)
	}
	out, err := exec.Command("go", append(args, packages...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// goRoot begins the name of a file of the standard library.
const goRoot = "$GOROOT"

// overlay writes the patched files and the list of them that go build reads. All
// patches of one file are applied one after the other.
func (o Options) overlay() (string, error) {
	replace, texts := map[string]string{}, map[string]string{}
	for _, p := range o.Patches {
		name, err := o.locate(p.File)
		if err != nil {
			return "", err
		}
		if _, read := texts[name]; !read {
			data, err := os.ReadFile(name)
			if err != nil {
				return "", err
			}
			texts[name] = string(data)
		}
		if texts[name], err = p.apply(texts[name]); err != nil {
			return "", err
		}
	}
	for name, text := range texts {
		patched := filepath.Join(o.Dir, strings.ReplaceAll(strings.TrimPrefix(name, "/"), "/", "_"))
		if err := os.WriteFile(patched, []byte(text), 0o644); err != nil {
			return "", err
		}
		replace[name] = patched
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	path := filepath.Join(o.Dir, "overlay.json")
	return path, errors.Join(err, os.WriteFile(path, list, 0o644))
}

func (o Options) locate(file string) (string, error) {
	rest, ok := strings.CutPrefix(file, goRoot)
	if !ok {
		return filepath.Join(o.Root, file), nil
	}
	root, err := exec.Command("go", "env", "-C", o.Root, "GOROOT").Output()
	return strings.TrimSpace(string(root)) + rest, err
}

// apply replaces the text.
func (p Patch) apply(text string) (string, error) {
	if n := strings.Count(text, p.Old); n != 1 {
		return "", fmt.Errorf("patch of %s: the text that it replaces is there %d times, wanted once; write the patch anew:\n%s", p.File, n, p.Old)
	}
	return strings.Replace(text, p.Old, p.New, 1), nil
}
