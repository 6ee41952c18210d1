package main

import (
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"weir/pkg/detect"
)

// TestRunOnAFolder judges a stranger's folder and rewrites a page.
func TestRunOnAFolder(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "page.md")
	var rows strings.Builder
	rows.WriteString("timestamp,value,label\n")
	for i := range 400 {
		value, label := i%7, 0
		if i == 300 {
			value, label = 1000, 1
		}
		rows.WriteString(strings.Join([]string{itoa(1_700_000_000 + 60*i), itoa(value), itoa(label)}, ",") + "\n")
	}
	write(t, filepath.Join(dir, "series.csv"), rows.String())
	write(t, page, "# Before\n"+block.Begins+"old\n"+block.Ends+"after\n")

	var out strings.Builder
	o := options{data: dir, kinds: "range,null," + detect.Default, seed: 1, write: page, notice: io.Discard}
	if err := run(o, &out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if want := "# Before\n" + block.Begins + out.String() + block.Ends + "after\n"; string(text) != want {
		t.Errorf("the page is\n%s", text)
	}
	for _, want := range []string{"on 1 series with 1 windows", "1 of 1", "0 of 1", "(9 runs)", "0 runs differ"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "Injected") {
		t.Error("faults were injected though a folder was named")
	}
}

func itoa(n int) string { return figure(float64(n), 0) }

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFlagsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		o    options
		want string
	}{
		{options{stages: "speed,dance"}, "dance"},
		{options{kinds: "oracle"}, "oracle"},
		{options{rates: "1 s,1 h"}, "1 h"},
		{options{data: "no/such/folder"}, "no/such/folder"},
	} {
		if err := run(c.o, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// tiny is a plan of minutes.
var tiny = []cadence{{Name: "1 min", Step: time.Minute, Warm: day, Days: 2, Series: 3, Others: 1, Pasts: 1, Repeats: 2, Seasonal: 1}}

// TestSyntheticStagesRepeat: the same seed gives the same result, whichever core does what, and another seed another.
func TestSyntheticStagesRepeat(t *testing.T) {
	kinds, err := chooseKinds("range,null,founding," + detect.Default)
	if err != nil {
		t.Fatal(err)
	}
	play := func(seed uint64) (map[noiseKey]hearing, map[faultKey]hunt) {
		noise, err := hearNoise(kinds, tiny, seed)
		if err != nil {
			t.Fatal(err)
		}
		faults, err := findFaults(kinds, tiny, noise, seed)
		if err != nil {
			t.Fatal(err)
		}
		return noise, faults
	}
	noise, faults := play(1)
	again, faultsAgain := play(1)
	if !reflect.DeepEqual(noise, again) || !reflect.DeepEqual(faults, faultsAgain) {
		t.Error("the same seed gives another result")
	}
	if other, _ := play(2); reflect.DeepEqual(noise, other) {
		t.Error("another seed gives the same noise")
	}

	if h := noise[noiseKey{detect.Default, "1 min", "Gaussian"}]; h.Days != 6 || len(h.Peaks) != 6 {
		t.Errorf("the default heard %+v, wanted 3 series of 2 days", h)
	}
	if h := noise[noiseKey{"founding", "1 min", "Gaussian"}]; h.Days != 2 || h.Findings < 10 || h.Findings > 200 {
		t.Errorf("the founding recipe heard %+v, wanted some thirty findings a day", h)
	}
	for key, h := range faults {
		if key.Detector == "null" && len(h.Delays) > 0 {
			t.Errorf("the silent detector found %v", key)
		}
	}
	spikes := faultKey{"range", "1 min", "spike 8σ", "AR(1) 0.95"}
	if h := faults[spikes]; h.Trials != 2 || len(h.Delays) != 2 || h.delay() != 0 {
		t.Errorf("range novelty found %+v of spikes of 8 sigma on AR(1)", h)
	}
	if !maps.Equal(countTrials(faults, together), countTrials(faults, detect.Default)) {
		t.Error("detector and facts together were tried another number of times than the detector")
	}
}

func countTrials(all map[faultKey]hunt, detector string) map[faultKey]int {
	n := map[faultKey]int{}
	for key, h := range all {
		if key.Detector == detector {
			key.Detector = ""
			n[key] = h.Trials
		}
	}
	return n
}

func TestBudgetThreshold(t *testing.T) {
	peaks := make([]float64, 20)
	for i := range peaks {
		peaks[i] = float64(i)
	}
	h := hearing{Peaks: peaks}
	if got := h.budgetThreshold(); got <= 17 || got >= 18 {
		t.Errorf("%v, wanted just above 17: two days in twenty lie above", got)
	}
	if got := (hearing{}).budgetThreshold(); !math.IsInf(got, 1) {
		t.Errorf("%v for noise that nobody heard", got)
	}
}

func TestFirstOf(t *testing.T) {
	fact, plain := detect.Kind{Name: "stuck", Fact: true}, detect.Kind{Name: detect.Default}
	other := detect.Kind{Name: "range", Baseline: true}
	hunters := []hunter{{kind: other}, {kind: plain}, {kind: fact}}
	for _, c := range [][4]time.Duration{{1, -1, -1, -1}, {1, 5, 3, 3}, {-1, 5, -1, 5}, {-1, -1, 0, 0}} {
		if got := firstOf(hunters, c[:3]); got != c[3] {
			t.Errorf("%v: %v", c, got)
		}
	}
}

// TestDifferSeesEveryBit of every part of a verdict.
func TestDifferSeesEveryBit(t *testing.T) {
	whole := []detect.Verdict{{}, {Score: 1, Alert: 2, Tail: 0.5}}
	for _, other := range []detect.Verdict{
		{Score: math.Nextafter(1, 2), Alert: 2, Tail: 0.5},
		{Score: 1, Alert: math.Nextafter(2, 1), Tail: 0.5},
		{Score: 1, Alert: 2, Tail: math.Nextafter(0.5, 0)},
		{Score: 1, Alert: 2, Tail: 0.5, Flag: true},
	} {
		if at := differ([]detect.Verdict{{}, other}, whole); at != 1 {
			t.Errorf("%+v is taken for %+v", other, whole[1])
		}
	}
	if at := differ(whole, whole); at != -1 {
		t.Errorf("a run differs from itself at %d", at)
	}
}

// TestCompareRows: what a binary prints wrongly is seen.
func TestCompareRows(t *testing.T) {
	want := []detect.Verdict{{Alert: 0.25}, {Alert: 3, Flag: true}}
	head := []string{"timestamp", "value", "score", "flag"}
	cases := []struct {
		rows [][]string
		want string // of the error; empty: none
	}{
		{[][]string{head, {"", "", "0.25", "0"}, {"", "", "3", "1"}}, ""},
		{[][]string{head, {"", "", "0.25", "false"}, {"", "", "3.0", "true"}}, ""},
		{[][]string{head, {"", "", "0.25", "0"}}, "1 rows for 2"},
		{[][]string{head, {"", "", "0.26", "0"}, {"", "", "3", "1"}}, "row 0"},
		{[][]string{head, {"", "", "0.25", "0"}, {"", "", "3", "0"}}, "row 1"},
		{[][]string{head, {"", "", "", "0"}, {"", "", "3", "0"}}, "row 0"},
		{[][]string{{"a", "b"}}, "score and flag"},
	}
	for _, c := range cases {
		err := compareRows(c.rows, want)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, wanted %q", c.rows, err, c.want)
		}
	}
}

func TestFiguresForPeople(t *testing.T) {
	for got, want := range map[string]string{
		figure(math.NaN(), 1): "–", figure(-0.001, 2): "0.00", figure(-420.476, 2): "−420.48", rate(0.066): "0.07", rate(12.34): "12.3", rate(1234): "1234",
		span(-1): "–", span(1500 * time.Millisecond): "1.5 s", span(10 * time.Minute): "10 min", span(6 * time.Hour): "6.0 h", percent(0.95): "95 %",
	} {
		if got != want {
			t.Errorf("%q, wanted %q", got, want)
		}
	}
}
