package detect

import (
	"fmt"
	"math"
	"strings"
)

// Default is the kind that is meant where none is named.
const Default = "ensemble"

// A Kind is one detector that New knows.
type Kind struct {
	Name     string
	About    string // what it does, one line
	GoodFor  string // when to use it, one line
	Baseline bool   // kept to compare with, not meant to be used
	Fact     bool   // a rule that is right or wrong, without statistics

	id   uint8 // in states; never used for another kind
	door door
	make func(Config) judge
}

// Kinds are all detectors, the default first.
func Kinds() []Kind {
	exact := door{anyOrder: true, partial: true} // baselines see every row
	return []Kind{
		{
			Name: "ensemble", id: 1,
			About:   "two bands of features, their tail surprises summed and calibrated to an alert budget",
			GoodFor: "any series of numbers at any rate; the default",
			make:    newEnsemble,
		},
		{
			Name: "ewma", id: 10,
			About:   "distance from an exponentially weighted mean in deviations, both robust, compared before learned",
			GoodFor: "spikes and steps of a steady series, at the least cost",
			make:    func(c Config) judge { return newBudgeted(c, &ewma{}) },
		},
		{
			Name: "zscore", id: 11,
			About:   "distance from the median of the last 60 values in deviations as the quartiles have them",
			GoodFor: "spikes of a series whose level moves",
			make:    func(c Config) judge { return newBudgeted(c, &zscore{ring: newRing(zscoreValues)}) },
		},
		{
			Name: "p99", id: 12,
			About:   "how far beyond the 1 % and 99 % quantiles of the last 512 values, in distances from the median",
			GoodFor: "spikes of skewed series, such as latencies",
			make:    func(c Config) judge { return newBudgeted(c, &p99{ring: newRing(p99Values)}) },
		},
		{
			Name: "any", id: 13,
			About:   "any of ewma, zscore and p99, each with a third of the budget",
			GoodFor: "comparing a combination by any-of with one by sum",
			make:    newAny,
		},
		{
			Name: "cusum", id: 14,
			About:   "sum of what the means of each minute go beyond their reference",
			GoodFor: "slow drift and small steps that last, where the level is steady over days",
			make:    func(c Config) judge { return newBudgeted(c, &cusum{}) },
		},
		{
			Name: "facts", id: 20, Fact: true,
			About:   "any of limits, stuck, rate and missing",
			GoodFor: "all rules at once",
			make:    newFacts,
		},
		{
			Name: "limits", id: 21, Fact: true,
			About:   "a value outside of hard limits",
			GoodFor: "what must never be, as the data sheet has it",
			make:    func(c Config) judge { return &facts{rules: []fact{&limits{low: c.Low, high: c.High}}} },
		},
		{
			Name: "stuck", id: 22, Fact: true,
			About:   "a value that has stayed exactly the same for ten minutes and twice its longest run, or as long as configured",
			GoodFor: "sensors that always show some noise",
			make:    func(c Config) judge { return &facts{rules: []fact{&stuck{after: c.Stuck}}} },
		},
		{
			Name: "rate", id: 23, Fact: true,
			About:   "a change faster than the thing can change",
			GoodFor: "what has inertia: temperatures, levels, positions",
			make:    func(c Config) judge { return &facts{rules: []fact{&rate{most: c.MaxRate}}} },
		},
		{
			Name: "missing", id: 24, Fact: true,
			About:   "a silence of four intervals, or as long as configured, told by the sample that ends it",
			GoodFor: "data that should come regularly",
			make:    func(c Config) judge { return &facts{rules: []fact{newMissing(c)}} },
		},
		{
			Name: "measured", id: 2, door: exact, Baseline: true,
			About:   "the ensemble that the design started from, constants in samples, threshold chosen on NAB",
			GoodFor: "comparing with published figures at 5-minute sampling",
			make:    func(Config) judge { return &measured{} },
		},
		{
			Name: "founding", id: 3, door: exact, Baseline: true,
			About:   "EWMA of 0.2 and z-score over 60 samples, 3 sigma each, any of them",
			GoodFor: "seeing why naive thresholds cry wolf",
			make:    func(Config) judge { return &founding{ewma: true, ring: true} },
		},
		{
			Name: "founding-ewma", id: 4, door: exact, Baseline: true,
			About:   "the EWMA of the founding recipe alone, at 3 sigma",
			GoodFor: "comparing",
			make:    func(Config) judge { return &founding{ewma: true} },
		},
		{
			Name: "founding-z60", id: 5, door: exact, Baseline: true,
			About:   "the z-score of the founding recipe alone, at 3 sigma",
			GoodFor: "comparing",
			make:    func(Config) judge { return &founding{ring: true} },
		},
		{
			Name: "range", id: 6, door: exact, Baseline: true,
			About:   "how far a value lies outside the range seen so far, in widths of that range",
			GoodFor: "checking that a benchmark asks for more than new extremes",
			make:    func(Config) judge { return &novelty{} },
		},
		{
			Name: "null", id: 7, door: exact, Baseline: true,
			About:   "never says anything",
			GoodFor: "the zero of a table",
			make:    func(Config) judge { return silent{} },
		},
		{
			Name: "random", id: 8, door: exact, Baseline: true,
			About:   "a uniform random score, the same for the same seed",
			GoodFor: "the noise of a table",
			make:    func(c Config) judge { return &dice{state: c.Seed} },
		},
	}
}

// New is a detector of the named kind for one series; the empty name is the default.
func New(name string, c Config) (Detector, error) {
	if name == "" {
		name = Default
	}
	kind, err := kindNamed(name)
	if err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("detector %s: %w", name, err)
	}
	through := kind.door
	through.counter = c.Counter
	j := kind.make(c.full())
	g := &guard{}
	if e, ok := j.(*ensemble); ok {
		g = &e.front
	}
	*g = guard{judge: j, door: through, kind: kind.id}
	return g, nil
}

func kindNamed(name string) (Kind, error) {
	var names []string
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return Kind{}, fmt.Errorf("detector %q: use %s", name, strings.Join(names, ", "))
}

// ThresholdOf is what the Alert of a detector's verdicts is compared with: a verdict is flagged where its Alert is not
// below it. It never changes. A detector of another package has none, +Inf, unless it has a method Threshold.
func ThresholdOf(d Detector) float64 {
	if t, ok := d.(interface{ Threshold() float64 }); ok {
		return t.Threshold()
	}
	return math.Inf(1)
}

// RefusedBy counts what a detector of this package has neither judged nor learned.
func RefusedBy(d Detector) Refused {
	if g, ok := d.(*guard); ok {
		return g.Refused()
	}
	return Refused{}
}
