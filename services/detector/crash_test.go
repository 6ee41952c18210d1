package detector

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/schemas"
)

// story is what devices do, second by second, drawn at random.
func story(t *rapid.T, r *rig) {
	names := devices(7)
	what := map[string]string{} // by device
	for range rapid.IntRange(60, 160).Draw(t, "seconds") {
		if rapid.IntRange(0, 9).Draw(t, "event") == 0 {
			d := rapid.SampledFrom(names).Draw(t, "device")
			what[d] = rapid.SampledFrom([]string{"", "", "step", "silent", "flat", "one"}).Draw(t, "what")
		}
		if rapid.IntRange(0, 60).Draw(t, "start") == 0 {
			r.next.Resumed = true
			r.now += 5 * second
		}
		if rapid.IntRange(0, 40).Draw(t, "together") == 0 {
			for _, d := range names {
				what[d] = "step"
			}
		}
		r.second(seconds(r, names, what)...)
		if r.now%(10*second) == 0 {
			r.commit(nil, []schemas.Window{r.window(r.now, 100, 50+r.noise.NormFloat64(), 1)})
		}
	}
}

func seconds(r *rig, names []string, what map[string]string) (early []schemas.Early) {
	for _, d := range names {
		temp, load := r.value(d, "temp", 50, 1), r.value(d, "load", 200, 5)
		switch what[d] {
		case "silent":
			continue
		case "step":
			temp = r.value(d, "temp", 90, 1)
		case "flat":
			temp = schemas.Early{Tenant: "acme", Device: d, Metric: "temp", Count: 10, Mean: 50, Min: 50, Max: 50, Last: 50}
		case "one":
			early = append(early, temp)
			continue
		}
		early = append(early, temp, load)
	}
	return early
}

// TestAnyCrash: whoever restores a state at any point and folds what follows, be it
// folded before, says what was said without the crash, to the byte.
func TestAnyCrash(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rules := plainRules()
		rules.SilentAfter = 12 * second
		r := newRigOf(t, ruled(&rules))
		r.configure()
		story(rt, r)
		again := newRigOf(t, ruled(&rules))
		var told []schemas.Finding
		saved, at := []byte(nil), 0
		for i := 0; i < len(r.log); i++ {
			told = append(told, again.apply(r.log[i])...)
			switch rapid.IntRange(0, 29).Draw(rt, "fate") {
			case 0:
				saved, at = again.fold.Append(nil), i+1
			case 1: // it dies: what was said after the checkpoint is made again
				fresh := newRigOf(t, ruled(&rules))
				if saved != nil {
					if err := fresh.fold.Restore(saved); err != nil {
						rt.Fatal(err)
					}
				}
				for _, m := range r.log[at : i+1] {
					made := fresh.apply(m)
					for _, f := range made {
						if !slices.ContainsFunc(told, func(g schemas.Finding) bool { return fmt.Sprint(g) == fmt.Sprint(f) }) {
							rt.Fatalf("made again after %d of %d, a finding differs:%s", at, i, show(made))
						}
					}
				}
				again = fresh
			case 2: // a message comes twice
				told = append(told, again.apply(r.log[i])...)
			}
		}
		if fmt.Sprint(told) != fmt.Sprint(r.told) {
			rt.Fatalf("with crashes:%s\nwithout:%s", show(told), show(r.told))
		}
		wantLives(rt, told)
	})
}

// wantLives says that every finding is opened once, first, with revisions that are
// dense, and not told after its end; and that an ID is used once.
func wantLives(t *rapid.T, told []schemas.Finding) {
	revision, over := map[uint64]uint32{}, map[uint64]bool{}
	for _, f := range told {
		if f.Revision != revision[f.ID]+1 || (f.State == schemas.FindingOpen) != (f.Revision == 1) || over[f.ID] {
			t.Fatalf("revision %d of %s after %d, over %v:%s", f.Revision, schemas.RowID(f.ID), revision[f.ID], over[f.ID], show(told))
		}
		revision[f.ID], over[f.ID] = f.Revision, f.State == schemas.FindingClosed
	}
}

// TestState: a state that is cut short or of another version is refused.
func TestState(t *testing.T) {
	r := newRig(t)
	r.normal(50, "pump-1", "pump-2")
	r.normal(40, "pump-2")
	b := r.fold.Append(nil)
	rules := plainRules()
	f := NewFold("a001", ruled(&rules))
	for n := range b {
		if n%7 == 0 {
			if err := f.Restore(b[:n]); err == nil {
				t.Fatalf("%d bytes of %d were restored", n, len(b))
			}
		}
	}
	if err := f.Restore(b); err != nil {
		t.Fatal(err)
	}
	if again := f.Append(nil); string(again) != string(b) {
		t.Errorf("a state of %d bytes is %d bytes when it is written again", len(b), len(again))
	}
	b[0]++
	if err := f.Restore(b); err == nil {
		t.Error("a newer state was restored")
	}
}

// TestFormerDetector: the state of a series whose detector is of another version is kept without it: it learns anew,
// and nothing else is lost.
func TestFormerDetector(t *testing.T) {
	r := newRigOf(t, func([]byte) (*Settings, error) { return DefaultSettings(), nil })
	r.normal(60, "pump-1")
	saved := r.fold.Append(nil)
	s := r.fold.devices[0].series[0]
	state := s.mean.detector.AppendState(nil)
	at := bytes.Index(saved, state)
	if at < 0 {
		t.Fatal("the state of a detector is not in the state of the fold")
	}
	saved[at] = 1 // its version
	if err := r.fold.Restore(saved); err != nil {
		t.Fatal(err)
	}
	again := r.fold.devices[0].series[0]
	if again.mean != (stream{}) || again.spread.detector == nil || again.last != s.last || again.seen != s.seen {
		t.Errorf("series %+v became %+v, want it without its first detector", s, again)
	}
	r.normal(60, "pump-1")
	if d := r.fold.devices[0].series[0].mean.detector; d == nil || len(d.AppendState(nil)) != len(state) {
		t.Errorf("detector %v after another minute, want one that learns anew", d)
	}
}
