package truth

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/simulator/plan"
)

func spec(devices int) plan.Spec {
	return plan.Spec{
		Run: "abc234", Seed: 1, Tenant: "sim", Devices: devices, Period: int64(time.Second), Batch: 1, Pattern: plan.Steady,
		Lateness: int64(time.Minute), Size: int64(10 * time.Second), Start: 1_763_760_000_000_000_000, For: int64(100 * time.Second),
	}
}

func create(t *testing.T, devices int) (*Writer, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "truth")
	w, err := Create(path, spec(devices))
	if err != nil {
		t.Fatal(err)
	}
	return w, path
}

func load(t *testing.T, path string) *Truth {
	t.Helper()
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFinishedTruthReadsBack(t *testing.T) {
	w, path := create(t, 4)
	half := []Status{{Acked: Set{{0, 50}}}, {Acked: Set{{0, 50}}}, {}, {Never: Set{{0, 1}}}}
	all := []Status{{Acked: Set{{0, 100}}}, {Acked: Set{{0, 100}}}, {Acked: Set{{0, 30}, {31, 100}}, Unknown: Set{{30, 31}}}, {Never: Set{{0, 100}}}}
	totals := Totals{Messages: 300, Copies: 4, Resent: 7}
	if err := w.Append(half); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(all, totals); err != nil {
		t.Fatal(err)
	}
	got := load(t, path)
	if !got.Finished || got.Totals != totals || got.Plan.Spec != spec(4) || !slices.EqualFunc(got.Devices, all, Status.Equal) {
		t.Errorf("read %+v, want %+v, %+v", got, all, totals)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(text, []byte("\n")); lines != 5 {
		t.Errorf("%d lines, want a header, three statuses and an end:\n%s", lines, text)
	}
}

// TestUnfinishedTruthIsUnknown reads the file of a simulator that was killed in
// the middle of a line.
func TestUnfinishedTruthIsUnknown(t *testing.T) {
	w, path := create(t, 2)
	for _, until := range []int64{20, 40} {
		if err := w.Append([]Status{{Acked: Set{{0, until}}}, {Acked: Set{{0, 10}}, Never: Set{{12, 13}}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, append(read(t, path), `{"devices":[0,2],"acked":[[0,9`...), 0o644); err != nil {
		t.Fatal(err)
	}
	got := load(t, path)
	want := []Status{
		{Acked: Set{{0, 40}}, Unknown: Set{{40, 100}}},
		{Acked: Set{{0, 10}}, Unknown: Set{{10, 12}, {13, 100}}, Never: Set{{12, 13}}},
	}
	if got.Finished || !slices.EqualFunc(got.Devices, want, Status.Equal) {
		t.Errorf("read %+v, want %+v", got.Devices, want)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestCreateKeepsWhatExists(t *testing.T) {
	w, path := create(t, 1)
	if _, err := Create(path, spec(1)); err == nil || !strings.Contains(err.Error(), "it exists") {
		t.Errorf("Create twice: %v", err)
	}
	if err := w.Finish(make([]Status, 1), Totals{}); err != nil {
		t.Fatal(err)
	}
}

// TestManyDevicesAreCompact holds 10,000 devices of 100,000 messages.
func TestManyDevicesAreCompact(t *testing.T) {
	w, path := create(t, 10_000)
	all := make([]Status, 10_000)
	for d := range all {
		all[d] = Status{Acked: Set{{0, 100_000}}}
	}
	if err := w.Finish(all, Totals{}); err != nil {
		t.Fatal(err)
	}
	if size := len(read(t, path)); size > 1000 {
		t.Errorf("%d bytes", size)
	}
}

func TestReadRefuses(t *testing.T) {
	header := `{"format":"weir-truth","version":1,"plan":{"run":"a","tenant":"sim","devices":2,"period_ns":1000000000,"batch":1,"pattern":"steady","faults":{},"lateness_ns":0,"size_ns":1000000,"start":0,"for_ns":0}}` + "\n"
	for name, text := range map[string]string{
		"nothing":         "",
		"other file":      `{"hello":1}` + "\n",
		"newer version":   strings.Replace(header, `"version":1`, `"version":2`, 1),
		"bad plan":        strings.Replace(header, `"batch":1`, `"batch":0`, 1),
		"device too far":  header + `{"devices":[0,3],"acked":[[0,1]]}` + "\n",
		"intervals cross": header + `{"devices":[0,1],"acked":[[0,2],[1,3]]}` + "\n",
		"empty interval":  header + `{"devices":[0,1],"acked":[[2,2]]}` + "\n",
		"behind the end":  header + `{"end":true}` + "\n" + `{"devices":[0,1]}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Read(strings.NewReader(text)); err == nil {
				t.Errorf("read %+v", got)
			}
		})
	}
	if _, err := Read(strings.NewReader(header)); err != nil {
		t.Errorf("the header alone: %v", err)
	}
}

// FuzzRead reads anything without a panic, and the same twice.
func FuzzRead(f *testing.F) {
	w, err := Create(filepath.Join(f.TempDir(), "truth"), spec(3))
	if err != nil {
		f.Fatal(err)
	}
	err = w.Finish([]Status{{Acked: Set{{0, 9}}}, {Unknown: Set{{3, 4}}}, {Never: Set{{0, 100}}}}, Totals{Messages: 1})
	if err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(w.path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:len(text)-30])
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, errA := Read(bytes.NewReader(text))
		b, errB := Read(bytes.NewReader(text))
		if (errA == nil) != (errB == nil) || !reflect.DeepEqual(a, b) {
			t.Errorf("read differently: %v and %v", errA, errB)
		}
	})
}
