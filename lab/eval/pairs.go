package main

import (
	"fmt"
	"time"

	"weir/lab/eval/alarm"
	"weir/lab/eval/synth"
	"weir/lab/page"
	"weir/pkg/detect"
)

// Pairs are two channels of a device that go together: the second is half of the first, and a tenth of as much noise of
// its own. Where the relation breaks, the second goes against what the first does, and is by itself as it always is.
const (
	pairSlope = 0.5
	pairNoise = 0.1
	pairBreak = 60 // samples
)

// pairRates are the cadences at which devices are judged: seconds and windows.
var pairRates = []string{"1 s", "10 s"}

// A pairing is what a Joint said about pairs of one family at one cadence.
type pairing struct {
	hearing
	Broken, Found int // relations
}

// hearPairs plays healthy pairs of each family for which the budget must hold, and then breaks their relation.
func hearPairs(plan []cadence, seed uint64) (map[noiseKey]pairing, error) {
	type task struct {
		cadence cadence
		family  synth.Family
		series  int
	}
	var tasks []task
	for _, c := range pairCadences(plan) {
		for _, f := range synth.Families() {
			for series := range c.Series {
				if f.Wanted {
					tasks = append(tasks, task{c, f, series})
				}
			}
		}
	}
	heard := make([]pairing, len(tasks))
	err := each(len(tasks), func(i int) (err error) {
		t := tasks[i]
		heard[i], err = hearPair(t.cadence, newPair(t.family, t.cadence, seed, uint64(t.series)))
		return err
	})
	all := map[noiseKey]pairing{}
	for i, t := range tasks {
		key := noiseKey{Cadence: t.cadence.Name, Family: t.family.Name}
		sum, one := all[key], heard[i]
		all[key] = pairing{sum.plus(one.hearing), sum.Broken + one.Broken, sum.Found + one.Found}
	}
	return all, err
}

func pairCadences(plan []cadence) (chosen []cadence) {
	for _, c := range plan {
		for _, name := range pairRates {
			if c.Name == name {
				chosen = append(chosen, c)
			}
		}
	}
	return chosen
}

// A pair makes both values of a sample.
type pair func(at time.Duration, broken bool) [2]float64

func newPair(f synth.Family, c cadence, seed, series uint64) pair {
	source := func(channel uint64) synth.Source {
		return f.NewSource(chance(seed, forPairs, uint64(c.Step), named(f.Name), series, channel), c.Step)
	}
	first, own := source(0), source(1)
	return func(at time.Duration, broken bool) [2]float64 {
		a, b := first(at, 1), own(at, 1)
		off := a.Value - a.Level
		if broken {
			off = -off
		}
		return [2]float64{a.Value, pairSlope*(a.Level+off) + pairNoise*(b.Value-b.Level)}
	}
}

// hearPair listens to a pair from its beginning, and then to breaks of its relation.
func hearPair(c cadence, p pair) (result pairing, err error) {
	joint, err := newJoint()
	if err != nil {
		return result, err
	}
	result.Series, result.Days = 1, c.Days
	var edges alarm.Edges
	at := time.Duration(0)
	for ; at < c.Warm+time.Duration(c.Days)*day; at += c.Step {
		switch opens := edges.Add(tellPair(joint, at, p(at, false))); {
		case opens && at < day:
			result.First++
		case opens && at >= c.Warm:
			result.Findings++
		}
	}
	state := joint.AppendState(nil)
	for range c.Repeats {
		if _, err := joint.RestoreState(state); err != nil {
			return result, fmt.Errorf("a pair: %w", err)
		}
		found := false
		for range pairBreak {
			found = tellPair(joint, at, p(at, true)) || found
			at += c.Step
		}
		if result.Broken++; found {
			result.Found++
		}
	}
	return result, nil
}

func newJoint() (*detect.Joint, error) {
	return detect.NewJoint([]string{"first", "second"}, detect.Config{})
}

func tellPair(joint *detect.Joint, at time.Duration, values [2]float64) (flag bool) {
	return joint.Update(detect.VectorSample{Time: epoch + int64(at), Values: values[:], Completeness: 1}).Flag
}

// pairs is what was said about pairs.
func (r report) pairs() string {
	if len(r.Pairs) == 0 {
		return ""
	}
	plan := pairCadences(r.Plan)
	rows := [][]string{{"family"}}
	for _, c := range plan {
		rows[0] = append(rows[0], c.Name, "first day", "broken relations")
	}
	for _, f := range synth.Families() {
		row := []string{f.Name}
		for _, c := range plan {
			if p, heard := r.Pairs[noiseKey{Cadence: c.Name, Family: f.Name}]; heard {
				row = append(row, p.String(), p.onFirstDay().String(), fmt.Sprintf("%d of %d", p.Found, p.Broken))
			}
		}
		if len(row) > 1 {
			rows = append(rows, row)
		}
	}
	return fmt.Sprintf("### Pairs\n\nTwo channels that go together, judged by a `Joint` with a budget of %g: findings per pair and day on healthy pairs, after a day of warm-up and on the first day, and how many broken relations it finds in %d samples"+
		": the second channel goes against what the first does, and each is by itself as it always is. `go run ./lab/eval -stages %s`\n\n", detect.DefaultBudget, pairBreak, stagePairs) + page.Table(rows)
}
