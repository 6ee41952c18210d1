package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// Step is something that the harness does.
type Step struct {
	At     time.Duration // after the first devices have begun
	Kind   Kind
	Ends   bool   // the fault ends here; else it begins
	Target string // a process; of faults of links, the one that links up
	Fault  *Fault
}

// harm says what a kind of fault does to.
type harm struct {
	link   bool   // a link, not a process
	lasts  bool   // it begins and ends
	volume bool   // its target needs a file system of its own
	what   string // faults with the same what exclude each other on one target
}

var harms = map[Kind]harm{
	Kill: {what: "process"}, Stop: {what: "process"}, Wipe: {what: "process"}, Pause: {what: "process", lasts: true},
	Power: {what: "process", volume: true}, Fill: {what: "disk", volume: true, lasts: true}, ClockStep: {what: "clock"},
	Cut: {what: "link", link: true, lasts: true}, Blackhole: {what: "link", link: true, lasts: true}, Deaf: {what: "link", link: true, lasts: true},
	Delay: {what: "link", link: true, lasts: true}, Throttle: {what: "link", link: true, lasts: true}, Reset: {what: "link", link: true},
	Unplug: {what: "cable", link: true, lasts: true}, Repeat: {what: "inbox", lasts: true},
}

// proxied reports whether the fault is one of a proxy that a link goes through.
func (h harm) proxied() bool { return h.what == "link" }

func kindNames() (names []string) {
	for _, k := range slices.Sorted(maps.Keys(harms)) {
		names = append(names, string(k))
	}
	return names
}

// recovery bounds how soon after a kill another one follows where Again says so:
// while the process starts.
const recovery = 300 * time.Millisecond

// planner keeps what is busy.
type planner struct {
	s     *Scenario
	steps []Step
	busy  map[[2]string][]span // by target and what
}

type span struct{ from, to time.Duration }

// Plan is what happens, in the order of time. Each fault of the scenario draws
// from a source of its own, so that a change of one leaves the others' draws as
// they are.
func (s *Scenario) Plan(seed uint64) []Step {
	p := &planner{s: s, busy: map[[2]string][]span{}}
	for i := range s.Faults {
		p.fault(&s.Faults[i], rand.New(rand.NewPCG(seed, uint64(i))))
	}
	slices.SortStableFunc(p.steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	return p.steps
}

func (p *planner) fault(f *Fault, r *rand.Rand) {
	targets := p.s.Topology.Expand(f.Targets)
	for _, at := range f.times(r) {
		length := f.length(r)
		hit := targets
		if !f.Every {
			hit = targets[r.IntN(len(targets)):][:1]
		}
		for _, target := range hit {
			p.strike(f, target, p.free(f, target, at, length), length)
		}
		if r.IntN(100) < f.Again {
			p.strike(f, hit[0], at+time.Duration(r.Int64N(int64(recovery))), 0)
		}
	}
}

// times are when a fault begins, in order.
func (f *Fault) times(r *rand.Rand) []time.Duration {
	if len(f.At) > 0 {
		return f.At
	}
	all := make([]time.Duration, f.Count)
	for i := range all {
		all[i] = between(r, f.Between[0], f.Between[1])
	}
	slices.Sort(all)
	return all
}

func (f *Fault) length(r *rand.Rand) time.Duration {
	switch len(f.For) {
	case 0:
		return 0
	case 1:
		return f.For[0]
	}
	return between(r, f.For[0], f.For[1])
}

// between is a whole millisecond from a to b.
func between(r *rand.Rand, a, b time.Duration) time.Duration {
	return (a + time.Duration(r.Int64N(int64(b-a)+1))).Truncate(time.Millisecond)
}

// apart is the least time between two faults that exclude each other.
const apart = 100 * time.Millisecond

// free is when a fault may begin, from at on, so that it overlaps none that
// excludes it.
func (p *planner) free(f *Fault, target string, at, length time.Duration) time.Duration {
	key := [2]string{target, harms[f.Kind].what + string(f.Side)}
	for _, b := range p.busy[key] { // ascending
		if at < b.to+apart && at+length+apart > b.from {
			at = b.to + apart
		}
	}
	p.busy[key] = append(p.busy[key], span{at, at + length})
	slices.SortFunc(p.busy[key], func(a, b span) int { return cmp.Compare(a.from, b.from) })
	return at
}

func (p *planner) strike(f *Fault, target string, at, length time.Duration) {
	step := Step{At: at, Kind: f.Kind, Target: target, Fault: f}
	p.steps = append(p.steps, step)
	if length > 0 {
		step.At, step.Ends = at+length, true
		p.steps = append(p.steps, step)
	}
}

// Joins are the loads that begin later than the first, in the order of time.
func (s *Scenario) Joins() (loads []int) {
	for i := range s.Load {
		if s.Load[i].From > 0 {
			loads = append(loads, i)
		}
	}
	slices.SortStableFunc(loads, func(a, b int) int { return cmp.Compare(s.Load[a].From, s.Load[b].From) })
	return loads
}

// String is the step for people.
func (s Step) String() string {
	what := string(s.Kind)
	if s.Ends {
		what += " ends"
	}
	if s.Fault.Side != Up {
		what += " (" + string(s.Fault.Side) + ")"
	}
	return fmt.Sprintf("%-15s %s", what, s.Target)
}
