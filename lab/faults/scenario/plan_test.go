package scenario

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyScenario draws a scenario that is in order.
func anyScenario(t *rapid.T) *Scenario {
	s := &Scenario{
		Duration: time.Duration(rapid.IntRange(1, 600).Draw(t, "seconds")) * time.Second, Build: StepClock,
		Topology: Topology{
			Regions: map[string][]string{"north": {"a1", "a2"}, "south": {"a3"}}, Gateways: 1,
			Volumes: map[string]string{"all": "64MB"}, Network: Namespaces,
		},
		Load: []Load{{Devices: 1, Rate: 1}},
	}
	for range rapid.IntRange(0, 8).Draw(t, "faults") {
		s.Faults = append(s.Faults, anyFault(t, s.Duration))
	}
	s.complete()
	return s
}

func anyFault(t *rapid.T, duration time.Duration) Fault {
	kind := Kind(rapid.SampledFrom(kindNames()).Draw(t, "kind"))
	f := Fault{Kind: kind, Targets: []string{"agents"}, Every: rapid.Bool().Draw(t, "every")}
	if kind == Repeat {
		f.Targets = []string{"north", "center"}
	} else if !harms[kind].link {
		f.Targets = rapid.SampledFrom([][]string{{"all"}, {"regions"}, {"a1", "center"}}).Draw(t, "targets")
	}
	if harms[kind].proxied() && rapid.Bool().Draw(t, "devices") {
		f.Side = Devices
	}
	moment := rapid.Int64Range(0, int64(duration))
	if rapid.Bool().Draw(t, "fixed") {
		for _, at := range rapid.SliceOfN(moment, 1, 5).Draw(t, "at") {
			f.At = append(f.At, time.Duration(at))
		}
	} else {
		f.Count = rapid.IntRange(1, 50).Draw(t, "count")
		from := moment.Draw(t, "from")
		f.Between = []time.Duration{time.Duration(from), time.Duration(rapid.Int64Range(from, int64(duration)).Draw(t, "to"))}
	}
	if harms[kind].lasts {
		f.For = []time.Duration{time.Second, time.Duration(rapid.IntRange(1, 60).Draw(t, "for")) * time.Second}
	}
	detail(&f, t)
	return f
}

func detail(f *Fault, t *rapid.T) {
	switch f.Kind {
	case Kill:
		f.Again = rapid.IntRange(0, 100).Draw(t, "again")
	case Delay:
		f.Latency = time.Millisecond
	case Throttle:
		f.Rate = 1000
	case ClockStep:
		f.To = "1970"
	case Repeat:
		f.Percent = 50
	}
}

func TestPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyScenario(t)
		if found := s.check(); len(found) > 0 {
			t.Fatalf("drew a scenario that is not in order: %v", found)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		steps := s.Plan(seed)
		if again := s.Plan(seed); !slices.Equal(again, steps) {
			t.Fatalf("the same seed gives %v, then %v", steps, again)
		}
		if !slices.IsSortedFunc(steps, func(a, b Step) int { return int(a.At - b.At) }) {
			t.Fatalf("not in the order of time: %v", steps)
		}
		wantWhole(t, s, steps)
		wantApart(t, steps)
	})
}

// wantWhole wants every fault as often as asked for, aimed at what it may be aimed
// at, and ended where it lasts.
func wantWhole(t *rapid.T, s *Scenario, steps []Step) {
	for i := range s.Faults {
		f := &s.Faults[i]
		targets := s.Topology.Expand(f.Targets)
		begun, ended := 0, 0
		for _, step := range steps {
			switch {
			case step.Fault != f:
				continue
			case !slices.Contains(targets, step.Target):
				t.Fatalf("%s hits %s, wanted one of %v", f.Kind, step.Target, targets)
			case step.At < 0:
				t.Fatalf("%s begins at %v", f.Kind, step.At)
			case step.Ends:
				ended++
			default:
				begun++
			}
		}
		least := max(f.Count, len(f.At))
		if f.Every {
			least *= len(targets)
		}
		if most := least + max(f.Count, len(f.At))*min(1, f.Again); begun < least || begun > most {
			t.Fatalf("%s begins %d times, wanted %d to %d", f.Kind, begun, least, most)
		}
		if harms[f.Kind].lasts && ended != begun {
			t.Fatalf("%s begins %d times and ends %d times", f.Kind, begun, ended)
		}
	}
}

// wantApart wants that faults of one kind of harm are over on a target before the
// next begins.
func wantApart(t *rapid.T, steps []Step) {
	on := map[[2]string]Kind{}
	for _, step := range steps {
		key := [2]string{step.Target, harms[step.Kind].what + string(step.Fault.Side)}
		switch {
		case step.Ends:
			delete(on, key)
		case on[key] != "" && step.Fault.Again == 0:
			t.Fatalf("%s hits %s at %v, while %s is not over", step.Kind, step.Target, step.At, on[key])
		case harms[step.Kind].lasts:
			on[key] = step.Kind
		}
	}
}

// TestPlanOfOneFaultStandsAlone: a change of one fault leaves the draws of the
// others as they are.
func TestPlanOfOneFaultStandsAlone(t *testing.T) {
	kills := Fault{Kind: Kill, Targets: []string{"agents"}, Count: 20, Between: []time.Duration{0, time.Minute}}
	cuts := Fault{Kind: Cut, Targets: []string{"agents"}, Count: 3, Between: []time.Duration{0, time.Minute}, For: []time.Duration{time.Second}}
	times := func(faults ...Fault) (all []time.Duration) {
		s := &Scenario{Topology: Topology{Regions: map[string][]string{"north": {"a1", "a2"}}}, Faults: faults}
		for _, step := range s.Plan(7) {
			if step.Kind == Kill {
				all = append(all, step.At)
			}
		}
		return all
	}
	if alone, with := times(kills), times(kills, cuts); !slices.Equal(alone, with) {
		t.Errorf("kills alone come at %v, beside cuts at %v", alone, with)
	}
}
