package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// pumpSeries is a pressure that goes with its flow, a row in ten seconds. In rows 1200 to 1209 it does not, and both are
// what they often are.
func pumpSeries() string {
	b, chance := &strings.Builder{}, rand.New(rand.NewPCG(1, 2))
	b.WriteString("time,flow,label,pressure\n")
	for i := range 1440 {
		flow := 7 + 6*chance.Float64()
		pressure := 2*flow + 0.2*chance.NormFloat64()
		label := 0
		if i >= 1200 && i < 1210 {
			pressure, label = 40-pressure, 1
		}
		fmt.Fprintf(b, "%d,%.3f,%d,%.3f\n", 1_763_719_200+10*i, flow, label, pressure)
	}
	return b.String()
}

// TestDetectJoint: what no column shows alone is found, where it begins.
func TestDetectJoint(t *testing.T) {
	out, notes, err := detectWith(t, pumpSeries(), "--detector", "joint", "--columns", "flow,pressure")
	if err != nil {
		t.Fatal(err, notes)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 1441 || lines[0] != "timestamp,value,score,flag" {
		t.Fatalf("%d lines, the first %q", len(lines), lines[0])
	}
	for i, line := range lines[1:] {
		if strings.HasSuffix(line, ",1") != (i == 1200) {
			t.Errorf("row %d is %q, want a flag at 1200 alone", i, line)
		}
	}
	if lines[1] != "1763719200,0,0,0" {
		t.Errorf("the first row is %q", lines[1])
	}
	for _, column := range []string{"flow", "pressure"} {
		text := strings.Replace(pumpSeries(), column, "value", 1)
		if out, _, err := detectWith(t, text); err != nil || strings.Contains(out, ",1\n") {
			t.Errorf("%s alone is flagged (%v)", column, err)
		}
	}
}

// TestDetectJointColumns: without names all columns count; what cannot be done is said.
func TestDetectJointColumns(t *testing.T) {
	f := func(text, want string, code int, args ...string) {
		t.Helper()
		out, notes, err := detectWith(t, text, append([]string{"--detector", "joint"}, args...)...)
		if exitCode(err) != code || !strings.Contains(fmt.Sprint(out, notes, err), want) {
			t.Errorf("%q with %q: code %d, %v, %q, %q; want %d and %q", text, args, exitCode(err), err, out, notes, code, want)
		}
	}
	f("timestamp,a,b\n1700000000,1,\n1700000001,,2\n1700000002,,\n", "1 rows had no value", 0)
	f("timestamp,a,b\n1700000000,1,x\n", `value "x": not a number`, exitFailed)
	f("timestamp,a,b\n1700000000,1,2\n", "--columns c: the header has no such columns", exitUsage, "--columns", "a,c")
	f("timestamp,a\n1700000000,1\n", "use 2 to 16", exitUsage)
	f("1700000000,1,2\n", "use 2 to 16", exitUsage)
	f("", "detector joint, threshold 1.04", 0)
	if _, _, err := detectWith(t, "", "--columns", "a,b"); exitCode(err) != exitUsage {
		t.Errorf("columns for one value: %v", err)
	}
}
