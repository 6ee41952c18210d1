package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"weir/pkg/detect"
)

// madeSeries is a day of one value a minute with a spike near its end.
func madeSeries() string {
	b := &strings.Builder{}
	b.WriteString("timestamp,value\n")
	for i := range 1440 {
		v := 20 + math.Sin(float64(i)) + float64(i*7919%101)/100
		if i == 1400 {
			v = 90
		}
		fmt.Fprintf(b, "2025-11-21 %02d:%02d:00,%.3f\n", i/60, i%60, v)
	}
	return b.String()
}

// detectWith runs weir detect on text.
func detectWith(t *testing.T, text string, args ...string) (out, notes string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root := newRoot()
	root.SetArgs(append([]string{"detect", "--input", "-"}, args...))
	root.SetIn(strings.NewReader(text))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	err = root.Execute()
	return stdout.String(), stderr.String(), err
}

// TestDetectRows: a row for each row, the flag exactly where the score has reached the threshold, for each detector.
func TestDetectRows(t *testing.T) {
	for _, k := range detect.Kinds() {
		out, notes, err := detectWith(t, madeSeries(), "--detector", k.Name)
		if err != nil {
			t.Fatal(k.Name, err)
		}
		_, text, _ := strings.Cut(strings.TrimSpace(strings.SplitN(notes, "\n", 2)[0]), "threshold ")
		threshold, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if len(lines) != 1441 || lines[0] != "timestamp,value,score,flag" {
			t.Fatalf("%s: %d lines, the first %q", k.Name, len(lines), lines[0])
		}
		for _, line := range lines[1:] {
			cells := strings.Split(line, ",")
			score, _ := strconv.ParseFloat(cells[2], 64)
			if (cells[3] == "1") != (score >= threshold) {
				t.Fatalf("%s: %q at threshold %g", k.Name, line, threshold)
			}
		}
	}
}

func TestDetectFindsSpike(t *testing.T) {
	out, _, err := detectWith(t, madeSeries(), "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var flagged []string
	for line := range strings.Lines(out) {
		var row struct {
			Timestamp    string
			Value, Score float64
			Flag         int
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if row.Flag == 1 {
			flagged = append(flagged, row.Timestamp)
		}
	}
	if len(flagged) != 1 || flagged[0] != "2025-11-21 23:20:00" {
		t.Errorf("flagged %v, want the spike alone", flagged)
	}
}

// TestDetectCausal: the output of a beginning is the beginning of the output.
func TestDetectCausal(t *testing.T) {
	whole, _, _ := detectWith(t, madeSeries())
	for _, rows := range []int{3, 700, 1401} {
		lines := strings.SplitAfter(madeSeries(), "\n")
		part, _, err := detectWith(t, strings.Join(lines[:rows+1], ""))
		if err != nil || !strings.HasPrefix(whole, part) {
			t.Errorf("%d rows (%v) are judged by what follows them", rows, err)
		}
	}
}

func TestDetectBadRows(t *testing.T) {
	text := "timestamp,value\n1700000000,1\n1700000001,x\nyesterday,2\n1700000003\n1700000004,5\n"
	_, _, err := detectWith(t, text)
	if err == nil || !strings.Contains(err.Error(), "line 3") || exitCode(err) != exitFailed {
		t.Errorf("says %v with code %d, want line 3 and %d", err, exitCode(err), exitFailed)
	}
	out, notes, err := detectWith(t, text, "--skip-bad")
	if err != nil || strings.Count(out, "\n") != 3 || !strings.Contains(notes, "skipped 3 bad rows, the first at line 3") {
		t.Errorf("%v, %q, %q", err, out, notes)
	}
}

// TestDetectWithoutValue: a row that says that there is no value keeps its place, and is not judged.
func TestDetectWithoutValue(t *testing.T) {
	text := "timestamp,value\n1700000000,1\n1700000001,\n1700000002,NaN\n1700000003,-inf\n1700000004,null\n1700000005,1e999\n1700000006,2\n"
	for _, k := range detect.Kinds() {
		out, notes, err := detectWith(t, text, "--detector", k.Name)
		if err != nil || strings.Count(out, "\n") != 8 || !strings.Contains(notes, "5 rows had no value") {
			t.Errorf("%s: %v, %q, %q", k.Name, err, out, notes)
		}
		if !strings.Contains(out, "\n1700000001,,0,0\n1700000002,NaN,0,0\n1700000003,-inf,0,0\n1700000004,null,0,0\n1700000005,1e999,0,0\n") {
			t.Errorf("%s: %q", k.Name, out)
		}
	}
	out, _, err := detectWith(t, text, "-o", "json", "--plot", filepath.Join(t.TempDir(), "a.svg"))
	if err != nil || strings.Count(out, `"value":null,"score":0,"flag":0}`) != 5 {
		t.Errorf("%v, %q", err, out)
	}
}

func TestDetectColumns(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		out, _, err := detectWith(t, text, "--detector", "null")
		if got := strings.TrimPrefix(out, "timestamp,value,score,flag\n"); err != nil || got != want {
			t.Errorf("%q becomes %q (%v), want %q", text, got, err, want)
		}
	}
	f("id,value,timestamp\r\n7,1.50,2025-11-21T10:00:00+01:00\r\n", "2025-11-21T10:00:00+01:00,1.50,0,0\n")
	f("1700000000.5,3\n1700000001500,4", "1700000000.5,3,0,0\n1700000001500,4,0,0\n")
	f("\ufefftimestamp,value,label\n\"2025-11-21 10:00:00\",1e3,0\n\n", "2025-11-21 10:00:00,1e3,0,0\n")
	f("Date,temp_c\n2025-11-21,3\n", "2025-11-21,3,0,0\n")
	f("temp,timestamp\n3,2025-11-21\n", "2025-11-21,3,0,0\n")
	f("timestamp,value\n", "")
	f("", "")
}

func TestParseStamp(t *testing.T) {
	f := func(text string, want int64) {
		t.Helper()
		if got, err := parseStamp(text); err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
	}
	f("1763719200", 1763719200_000000000)
	f("1763719200.25", 1763719200_250000000)
	f("1763719200123", 1763719200_123000000)
	f("1763719200123456", 1763719200_123456000)
	f("1763719200123456789", 1763719200_123456789)
	f("2025-11-21 10:00:00", 1763719200_000000000)
	f("2025-11-21 10:00:00.5", 1763719200_500000000)
	f("2025-11-21T11:00:00+01:00", 1763719200_000000000)
	for _, bad := range []string{"", "soon", "NaN", "1e300", "2500-01-01 00:00:00"} {
		if got, err := parseStamp(bad); err == nil {
			t.Errorf("%q is taken for %d", bad, got)
		}
	}
}

func TestDetectPlot(t *testing.T) {
	dir := t.TempDir()
	for name, begins := range map[string]string{"a.svg": "<svg", "a.png": "\x89PNG"} {
		path := filepath.Join(dir, name)
		if _, _, err := detectWith(t, madeSeries(), "--plot", path); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(data), begins) {
			t.Errorf("%s begins with %.8q (%v)", name, data, err)
		}
	}
	if _, _, err := detectWith(t, madeSeries(), "--plot", "a.gif"); exitCode(err) != exitUsage {
		t.Errorf("a .gif: %v", err)
	}
}

// TestChartKeepsAll: joined columns still hold every extreme and every flag, in bounded memory.
func TestChartKeepsAll(t *testing.T) {
	var c chart
	for i := range 100_000 {
		value := math.Sin(float64(i))
		if i == 77_777 {
			value = 9
		}
		c.add(int64(i), value, value, i == 77_777)
	}
	begin, end, _, high, _ := c.bounds()
	flags := 0
	for _, k := range c.columns {
		if k.flagged && k.at == 9 {
			flags++
		}
	}
	if len(c.columns) > chartColumns || begin != 0 || end != 99_999 || high != 9 || flags != 1 {
		t.Errorf("%d columns from %d to %d up to %g with %d flags", len(c.columns), begin, end, high, flags)
	}
}

func TestDetectList(t *testing.T) {
	out, _, err := detectWith(t, "", "--detector", "list")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range detect.Kinds() {
		if !strings.Contains(out, k.Name) || !strings.Contains(out, k.About) {
			t.Errorf("%s is not explained", k.Name)
		}
	}
	out, _, err = detectWith(t, "", "--detector", "list", "-o", "json")
	var last detectorRow
	for line := range strings.Lines(out) {
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	if n := strings.Count(out, "\n"); err != nil || n != len(detect.Kinds())+1 || last.Name != jointName {
		t.Errorf("%d lines, the last about %q (%v)", n, last.Name, err)
	}
	if _, _, err := detectWith(t, "", "--detector", "oracle"); exitCode(err) != exitUsage {
		t.Errorf("an unknown detector: %v", err)
	}
}
