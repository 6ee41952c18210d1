package datadir_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"weir/schemas"
	"weir/services/internal/datadir"
)

var fresh = datadir.Want{Fallback: datadir.Shape{Agents: 1, Regions: 1}, Version: "test"}

func wanting(agents, regions int) datadir.Want {
	w := fresh
	w.Shape = datadir.Shape{Agents: agents, Regions: regions}
	return w
}

func open(t *testing.T, dir string, want datadir.Want) *datadir.Folder {
	t.Helper()
	f, err := datadir.Open(dir, want)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// refused wants Open to fail with one line that says all of these.
func refused(t *testing.T, dir string, want datadir.Want, says ...string) {
	t.Helper()
	f, err := datadir.Open(dir, want)
	if err == nil {
		f.Close()
		t.Fatalf("opened %s", dir)
	}
	for _, s := range append(says, dir) {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is more than one line", err)
	}
}

func TestNewFolderIsFoundAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "data")
	first := open(t, dir, wanting(4, 2))
	if !first.New || first.Temporary() || first.Shape != (datadir.Shape{Agents: 4, Regions: 2}) {
		t.Errorf("got %+v", first)
	}
	password := first.Operator.Password
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, dir, fresh)
	if second.New || second.Shape != first.Shape {
		t.Errorf("the second start sees %+v", second)
	}
	if second.Operator.Password != password || len(password) < 20 {
		t.Errorf("the operator's password was %q and is %q", password, second.Operator.Password)
	}
}

func TestOperatorFileIsPrivate(t *testing.T) {
	f := open(t, t.TempDir(), fresh)
	info, err := os.Stat(filepath.Join(f.Dir, "operator.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	o, err := datadir.ReadOperator(filepath.Join(f.Dir, "operator.json"))
	if err != nil || o != f.Operator {
		t.Errorf("read %+v, %v", o, err)
	}
}

func TestShapeIsFixed(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, wanting(4, 2)).Close()
	refused(t, dir, wanting(5, 2), "--agents 4", "--agents 5")
	refused(t, dir, wanting(0, 3), "--regions 2", "--regions 3")
	open(t, dir, wanting(4, 0))
}

// TestOwnerIsFixed: what one agent has numbered is never another's.
func TestOwnerIsFixed(t *testing.T) {
	dir := t.TempDir()
	owned := func(o datadir.Owner) datadir.Want {
		w := wanting(1, 1)
		w.Owner = o
		return w
	}
	agent := datadir.Owner{Role: "agent", Name: "a001", Region: "north"}
	open(t, dir, owned(agent)).Close()
	if f := open(t, dir, owned(agent)); f.New || f.Shape.Owner != agent {
		t.Errorf("the second start sees %+v", f.Shape)
	} else {
		f.Close()
	}
	refused(t, dir, fresh, "agent a001 of region north", "weir up")
	refused(t, dir, owned(datadir.Owner{Role: "agent", Name: "a002", Region: "north"}), "a001", "a002")
	refused(t, dir, owned(datadir.Owner{Role: "region", Name: "north"}), "region north")
}

func TestInUse(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, fresh)
	refused(t, dir, fresh, "in use", strconv.Itoa(os.Getpid()), "--data")
	f.Close()
	open(t, dir, fresh)
}

func TestForeign(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, fresh, "thesis.tex", "belongs to something else")
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("a refused folder now holds %v", left)
	}
}

func TestLeftoverOfAKilledFirstStart(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"lock", "lost+found"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir, fresh)
}

func TestIdentity(t *testing.T) {
	newer := `{"format":` + strconv.Itoa(schemas.DataVersion+1) + `,"agents":1,"regions":1}`
	for _, c := range []struct{ name, text, says string }{
		{"newer", newer, "upgrade"},
		{"torn", `{"format":1,`, "weir.json"},
		{"senseless", `{"format":1,"agents":0,"regions":1}`, "0 agents"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "weir.json"), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, fresh, c.says)
			if left, _ := os.ReadDir(dir); len(left) != 1 {
				t.Errorf("a refused folder now holds %v", left)
			}
		})
	}
}

func TestPathThatCannotBeAFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, file, fresh, "file of that name")
	refused(t, filepath.Join(file, "below"), fresh, "file of that name")
}

func TestReadOnly(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, fresh, "not writable")
}

func TestTemporaryFolderIsRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f := open(t, "", fresh)
	if !f.Temporary() {
		t.Error("not temporary")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", f.Dir, err)
	}
}

func TestRunningInstances(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if got := datadir.Running(); len(got) != 0 {
		t.Fatalf("found %+v before any ran", got)
	}
	f := open(t, t.TempDir(), wanting(3, 1))
	if _, err := datadir.ReadInstance(f.Dir); err == nil {
		t.Error("an instance that is not ready was found")
	}
	if _, err := f.Announce(datadir.Instance{PID: os.Getpid(), HTTP: "127.0.0.1:8080", NATS: "127.0.0.1:4222"}); err != nil {
		t.Fatal(err)
	}
	got := datadir.Running()
	if len(got) != 1 || got[0].HTTP != "127.0.0.1:8080" || got[0].Data != f.Dir || got[0].Agents != 3 {
		t.Fatalf("found %+v", got)
	}
	if o, err := datadir.ReadOperator(got[0].OperatorFile()); err != nil || o.URL != "nats://127.0.0.1:4222" {
		t.Errorf("operator %+v, %v", o, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got := datadir.Running(); len(got) != 0 {
		t.Errorf("found %+v after it ended", got)
	}
	if _, err := os.Stat(filepath.Join(f.Dir, "run.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("run.json is still there: %v", err)
	}
}

// TestKilledInstance leaves what kill -9 leaves: run.json and the index entry,
// without a lock.
func TestKilledInstance(t *testing.T) {
	index := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", index)
	dir := t.TempDir()
	open(t, dir, fresh).Close()
	text, _ := json.Marshal(datadir.Instance{PID: 1, HTTP: "127.0.0.1:1", Data: dir})
	entry := filepath.Join(index, "weir", "1-data")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "run.json"), text, 0o600),
		os.MkdirAll(filepath.Dir(entry), 0o700), os.WriteFile(entry, []byte(dir), 0o600)); err != nil {
		t.Fatal(err)
	}
	if got := datadir.Running(); len(got) != 0 {
		t.Errorf("found the dead: %+v", got)
	}
	if _, err := os.Stat(entry); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its entry is still there: %v", err)
	}

	f := open(t, dir, fresh) // again on the same folder, and nobody has looked in between
	if err := os.WriteFile(entry, []byte(dir), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Announce(datadir.Instance{PID: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	if got := datadir.Running(); len(got) != 1 {
		t.Errorf("found %+v, wanted the living one once", got)
	}
	f.Close()
	open(t, dir, fresh)
	if _, err := os.Stat(filepath.Join(dir, "run.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its run.json is still there: %v", err)
	}
}
