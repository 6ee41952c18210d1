package detect

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// pump is a device of four channels: flow and pressure go together, the others are their own.
func pump(r *rand.Rand, values []float64) {
	common := r.NormFloat64()
	values[0] = 10 + 2*common + 0.1*r.NormFloat64()
	values[1] = 5 + common + 0.05*r.NormFloat64()
	values[2] = 40 + r.NormFloat64()
	values[3] = 1 + 0.01*r.NormFloat64()
}

func newPump(t testing.TB) *Joint {
	t.Helper()
	j, err := NewJoint([]string{"flow", "pressure", "temp", "vibration"}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// play runs the pump for n seconds and counts flags.
func play(j *Joint, r *rand.Rand, from, n int, change func(i int, v []float64)) (flags int) {
	v := make([]float64, 4)
	for i := range n {
		pump(r, v)
		if change != nil {
			change(i, v)
		}
		if j.Update(VectorSample{Time: int64(from+i+1) * second, Values: v, Completeness: 1}).Flag {
			flags++
		}
	}
	return flags
}

// TestJointFindsBrokenRelation: each channel is within its own range, only together they are wrong.
func TestJointFindsBrokenRelation(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	j := newPump(t)
	if n := play(j, r, 0, 40_000, nil); n != 0 {
		t.Errorf("%d findings in eleven hours of normal", n)
	}
	v := make([]float64, 4)
	pump(r, v)
	v[0], v[1] = 12, 4 // one deviation each, in opposite directions
	verdict := j.Update(VectorSample{Time: 40_001 * second, Values: v, Completeness: 1})
	if !verdict.Flag || verdict.Alert < j.Threshold() {
		t.Fatalf("%+v where flow and pressure contradict each other", verdict)
	}
	all := j.Explain(nil)
	if len(all) != 4 || all[0].Feature != "flow" && all[0].Feature != "pressure" || all[0].Share+all[1].Share < 0.9 {
		t.Errorf("explained by %+v, want flow and pressure", all)
	}
	if !strings.Contains(all[0].String(), "usual") {
		t.Errorf("says %q", all[0])
	}
}

// TestJointFindsItAgain: a relation that breaks for twenty seconds does not become usual at once.
func TestJointFindsItAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	j := newPump(t)
	play(j, r, 0, 3600, nil)
	for turn := range 3 {
		from := 3600 * (turn + 1)
		against := func(_ int, v []float64) { v[1] = 10 - v[1] }
		if n := play(j, r, from, 20, against); n != 1 {
			t.Errorf("turn %d: %d findings", turn, n)
		}
		if n := play(j, r, from+20, 3580, nil); n != 0 {
			t.Errorf("%d findings after turn %d", n, turn)
		}
	}
}

// TestJointFindsExtremes: T² sees what is unusual along the usual directions.
func TestJointFindsExtremes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	j := newPump(t)
	play(j, r, 0, 40_000, nil)
	if n := play(j, r, 40_000, 1, func(_ int, v []float64) { v[2] += 12 }); n != 1 {
		t.Error("temp off by 12 deviations is not found")
	}
	if all := j.Explain(nil); len(all) == 0 || all[0].Feature != "temp" {
		t.Errorf("explained by %+v, want temp", all)
	}
}

// TestJointState: a Joint restored says what the one that went on says; hostile bytes change nothing.
func TestJointState(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	a, b := newPump(t), newPump(t)
	play(a, r, 0, 2050, func(i int, v []float64) {
		if i%7 == 0 {
			v[i%4] = math.NaN()
		}
	})
	state := a.AppendState(nil)
	if rest, err := b.RestoreState(append(bytes.Clone(state), 1, 2)); err != nil || len(rest) != 2 {
		t.Fatalf("restore: %v, %d bytes left", err, len(rest))
	}
	v := make([]float64, 4)
	for i := range 500 {
		pump(r, v)
		s := VectorSample{Time: int64(3000+i) * second, Values: v, Completeness: 1}
		if x, y := a.Update(s), b.Update(s); x != y {
			t.Fatalf("sample %d: %+v, restored %+v", i, x, y)
		}
	}
	before := b.AppendState(nil)
	for n := range state {
		if _, err := b.RestoreState(state[:n]); err == nil {
			t.Fatalf("%d of %d bytes are taken for a state", n, len(state))
		}
	}
	if !bytes.Equal(before, b.AppendState(nil)) {
		t.Error("a refused state has changed the detector")
	}
}

func FuzzRestoreJoint(f *testing.F) {
	j := newPump(f)
	play(j, rand.New(rand.NewPCG(7, 8)), 0, 800, nil)
	f.Add(j.AppendState(nil))
	f.Fuzz(func(t *testing.T, state []byte) {
		j := newPump(t)
		if _, err := j.RestoreState(state); err == nil {
			play(j, rand.New(rand.NewPCG(1, 1)), 0, 120, nil)
			j.Explain(nil)
		}
	})
}

func TestJointRefuses(t *testing.T) {
	j := newPump(t)
	f := func(s VectorSample) {
		t.Helper()
		if v := j.Update(s); v != nothing {
			t.Errorf("%+v of what should be refused", v)
		}
	}
	good := []float64{1, 2, 3, 4}
	j.Update(VectorSample{Time: 5, Values: good, Completeness: 1})
	f(VectorSample{Time: 5, Values: good, Completeness: 1})
	f(VectorSample{Time: 6, Values: good[:3], Completeness: 1})
	f(VectorSample{Time: 6, Values: good, Completeness: 0.4})
	f(VectorSample{Time: 6, Values: []float64{1, math.NaN(), math.NaN(), math.Inf(1)}, Completeness: 1})
	if want := (Refused{Value: 2, Disorder: 1, Partial: 1}); j.Refused() != want {
		t.Errorf("refused %+v, want %+v", j.Refused(), want)
	}
	if _, err := NewJoint(make([]string, 17), Config{}); err == nil {
		t.Error("17 channels are taken")
	}
}

// TestEigen: the columns are directions that the matrix only stretches.
func TestEigen(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	var a, v, m [MaxChannels][MaxChannels]float64
	for i := range MaxChannels {
		for k := range i + 1 {
			x := r.NormFloat64()
			a[i][k], a[k][i] = x, x
		}
	}
	m = a
	eigen(&a, &v, MaxChannels)
	for k := range MaxChannels {
		for i := range MaxChannels {
			sum := 0.0
			for q := range MaxChannels {
				sum += m[i][q] * v[q][k]
			}
			if math.Abs(sum-a[k][k]*v[i][k]) > 1e-9 {
				t.Fatalf("direction %d is turned", k)
			}
		}
	}
}

func BenchmarkJoint(b *testing.B) {
	names := make([]string, MaxChannels)
	j, err := NewJoint(names, Config{})
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	v := make([]float64, MaxChannels)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		for i := range v {
			v[i] = r.NormFloat64()
		}
		j.Update(VectorSample{Time: int64(n) * second, Values: v, Completeness: 1})
	}
}
