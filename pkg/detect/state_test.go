package detect

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// made is a kind with every rule of Config set.
func made(t testing.TB, name string) Detector {
	t.Helper()
	d, err := New(name, Config{Low: -50, High: 50, MaxRate: 20, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// rough draws a series with all that can happen: gaps, disorder, repeats, jumps, what is no number.
func rough(t *rapid.T) []Sample {
	n := rapid.IntRange(1, 900).Draw(t, "n")
	step := rapid.SampledFrom([]int64{second / 10, second, 10 * second, 300 * second}).Draw(t, "step")
	noise := dice{state: rapid.Uint64().Draw(t, "seed")}
	all := make([]Sample, n)
	at := int64(1_700_000_000 * second)
	for i := range all {
		at += step
		s := Sample{Time: at, Value: 20 + 6*noise.next() + 5*noise.next(), Completeness: 1}
		switch k := noise.next(); {
		case k < 0.005:
			s.Value = math.NaN()
		case k < 0.01:
			s.Value = math.Copysign(math.Inf(1), noise.next()-0.5)
		case k < 0.015:
			s.Time -= 3 * step
		case k < 0.02:
			at += 100 * step
		case k < 0.025:
			s.Completeness = 0.2
		case k < 0.03:
			s.Value *= 40
		case k < 0.031:
			s.Value = 1e30
		case k < 0.1:
			s.Value = 20
		}
		all[i] = s
	}
	return all
}

func (d *dice) next() float64 { return d.update(0, 0).Score }

// TestRestore: a detector restored at any point says what the one that went on says, and its state is the same.
func TestRestore(t *testing.T) {
	for _, k := range Kinds() {
		t.Run(k.Name, rapid.MakeCheck(func(t *rapid.T) {
			series := rough(t)
			cut := rapid.IntRange(0, len(series)).Draw(t, "cut")
			a, _ := New(k.Name, Config{Low: -50, High: 50, MaxRate: 20, Seed: 7})
			b, _ := New(k.Name, Config{Low: -50, High: 50, MaxRate: 20, Seed: 7})
			for _, s := range series[:cut] {
				a.Update(s)
			}
			state := a.AppendState(nil)
			rest, err := b.RestoreState(append(bytes.Clone(state), "rest"...))
			if err != nil || string(rest) != "rest" {
				t.Fatalf("restore: %v, %q left", err, rest)
			}
			if again := b.AppendState(nil); !bytes.Equal(again, state) {
				t.Fatalf("state is another after restore")
			}
			for i, s := range series[cut:] {
				if v, w := a.Update(s), b.Update(s); v != w {
					t.Fatalf("sample %d: %+v, restored %+v", cut+i, v, w)
				}
			}
		}))
	}
}

// TestVerdicts: what every verdict promises. Each part of a series is judged as if nothing followed, since there is
// nothing in Update that follows; TestRestore has shown that the state is all there is.
func TestVerdicts(t *testing.T) {
	for _, k := range Kinds() {
		t.Run(k.Name, rapid.MakeCheck(func(t *rapid.T) {
			d, _ := New(k.Name, Config{Low: -50, High: 50, MaxRate: 20})
			threshold := ThresholdOf(d)
			for i, s := range rough(t) {
				v := d.Update(s)
				if !finite(v.Score) || !finite(v.Alert) || v.Score < 0 || v.Alert < 0 || !(v.Tail >= 0 && v.Tail <= 1) {
					t.Fatalf("sample %d: %+v", i, v)
				}
				if v.Flag != (v.Alert >= threshold) {
					t.Fatalf("sample %d: %+v at threshold %g", i, v, threshold)
				}
				if share := shares(d.Explain(nil)); share != 0 && math.Abs(share-1) > 1e-9 {
					t.Fatalf("sample %d: shares add up to %g", i, share)
				}
			}
		}))
	}
}

func shares(all []Contribution) (sum float64) {
	for _, c := range all {
		sum += c.Share
	}
	return sum
}

// FuzzRestoreState: hostile bytes never panic, now or later, and leave the detector as it was.
func FuzzRestoreState(f *testing.F) {
	kinds := Kinds()
	for i, k := range kinds {
		d, _ := New(k.Name, Config{})
		for n := range 400 {
			d.Update(Sample{Time: int64(n+1) * second, Value: goldenValue(n), Completeness: 1})
		}
		f.Add(uint8(i), d.AppendState(nil))
	}
	f.Fuzz(func(t *testing.T, kind uint8, state []byte) {
		d, _ := New(kinds[int(kind)%len(kinds)].Name, Config{})
		before := d.AppendState(nil)
		if _, err := d.RestoreState(state); err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatalf("%v is no ErrState", err)
			}
			if after := d.AppendState(nil); !bytes.Equal(before, after) {
				t.Fatal("a refused state has changed the detector")
			}
			return
		}
		for n := range 50 {
			d.Update(Sample{Time: int64(n) * 300 * second, Value: goldenValue(n), Completeness: 1})
			d.Explain(nil)
		}
	})
}

// TestFormerState: a state of a former version is refused by name and changes nothing, so that who has one learns anew.
func TestFormerState(t *testing.T) {
	d := made(t, Default)
	for i := range 400 {
		d.Update(Sample{Time: int64(i+1) * second, Value: goldenValue(i), Completeness: 1})
	}
	before := d.AppendState(nil)
	for version := 1; version < stateVersion; version++ {
		former := readHex(t, fmt.Sprintf("ensemble.v%d.hex", version))
		rest, err := d.RestoreState(former)
		named := fmt.Sprintf("version %d", version)
		if !errors.Is(err, ErrState) || !strings.Contains(err.Error(), named) || !bytes.Equal(rest, former) {
			t.Errorf("%v with %d of %d bytes left, want an error that names %s, and all of them", err, len(rest), len(former), named)
		}
		if !bytes.Equal(d.AppendState(nil), before) {
			t.Error("a state of another version has changed the detector")
		}
	}
}

func readHex(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "state", name))
	if err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestGoldenState: states of this version can be read. WRITE_GOLDEN=1 writes them anew, for another version.
func TestGoldenState(t *testing.T) {
	for _, k := range Kinds() {
		d := made(t, k.Name)
		for i := range 500 {
			d.Update(Sample{Time: int64(i+1) * second, Value: goldenValue(i), Completeness: 1})
		}
		name := fmt.Sprintf("%s.v%d.hex", k.Name, stateVersion)
		if os.Getenv("WRITE_GOLDEN") != "" {
			path := filepath.Join("testdata", "state", name)
			if err := os.WriteFile(path, []byte(hex.EncodeToString(d.AppendState(nil))+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden := readHex(t, name)
		old := made(t, k.Name)
		if _, err := old.RestoreState(golden); err != nil {
			t.Errorf("%s: %v", k.Name, err)
			continue
		}
		s := Sample{Time: 501 * second, Value: 21, Completeness: 1}
		if v, w := d.Update(s), old.Update(s); math.Abs(v.Score-w.Score) > 1e-6 || v.Flag != w.Flag {
			t.Errorf("%s: %+v, from golden state %+v", k.Name, v, w)
		}
	}
}
