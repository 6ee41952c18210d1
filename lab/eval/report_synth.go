package main

import (
	"fmt"
	"slices"
	"time"

	"weir/lab/eval/synth"
	"weir/lab/page"
	"weir/pkg/detect"
)

// noise is what the default detector says where there is nothing to say.
func (r report) noise() string {
	if !hasKind(r.Noise, func(k noiseKey) string { return k.Detector }) {
		return ""
	}
	rows := r.noiseRows(func(h hearing) hearing { return h })
	return fmt.Sprintf("### False findings\n\nFindings of `%s` per series and day on healthy noise, after a day of warm-up (two at 5 min): findings in so many series-days, and what the rate is at most, at 95 %% confidence. Wanted are at most %g. In brackets: families for which nothing is wanted.\n\n",
		detect.Default, detect.DefaultBudget) + page.Table(rows)
}

// noiseRows is a part of what the default detector heard, by family and cadence, and in all families for which the
// budget must hold.
func (r report) noiseRows(part func(hearing) hearing) [][]string {
	rows, last := [][]string{{"family"}}, []string{"all but those in brackets"}
	for _, c := range r.Plan {
		rows[0] = append(rows[0], c.Name)
	}
	sums := make([]hearing, len(r.Plan))
	for _, f := range synth.Families() {
		row := []string{familyName(f)}
		for i, c := range r.Plan {
			h := r.Noise[noiseKey{detect.Default, c.Name, f.Name}]
			if row = append(row, part(h).String()); f.Wanted {
				sums[i] = sums[i].plus(h)
			}
		}
		rows = append(rows, row)
	}
	for _, sum := range sums {
		last = append(last, part(sum).String())
	}
	return append(rows, last)
}

// firstDay is what the default detector says on the first day of a series, and which faults it finds then.
func (r report) firstDay() string {
	text := ""
	if hasKind(r.Noise, func(k noiseKey) string { return k.Detector }) {
		text += "Findings on healthy noise in the first day of a series, from its first value on.\n\n" + page.Table(r.noiseRows(hearing.onFirstDay)) + "\n"
	}
	if len(r.FirstFaults) > 0 {
		text += fmt.Sprintf("Faults that begin %g hours after the first value: the share that %s finds, over the seven families.\n\n",
			firstFault.Hours(), together) + page.Table(r.huntRows(r.FirstFaults))
	}
	if text == "" {
		return ""
	}
	return "### The first day\n\n" + text
}

// hasKind reports whether there is anything of the default detector.
func hasKind[K comparable, V any](all map[K]V, detector func(K) string) bool {
	for key := range all {
		if detector(key) == detect.Default {
			return true
		}
	}
	return false
}

// String is the rate, the evidence for it, and its bound.
func (h hearing) String() string {
	if h.Days == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%d in %d, ≤ %s)", rate(h.perDay()), h.Findings, h.Days, rate(h.atMost()))
}

func familyName(f synth.Family) string {
	if f.Wanted {
		return f.Name
	}
	return "(" + f.Name + ")"
}

// otherNoise is the same for all detectors, without the evidence.
func (r report) otherNoise() string {
	if r.Noise == nil {
		return ""
	}
	rows := [][]string{{"detector, cadence", "series-days"}}
	for _, f := range synth.Families() {
		rows[0] = append(rows[0], familyName(f))
	}
	for _, k := range detect.Kinds() {
		for _, c := range r.Plan {
			row, days := []string{nameOf(k) + ", " + c.Name, ""}, 0
			for _, f := range synth.Families() {
				h := r.Noise[noiseKey{k.Name, c.Name, f.Name}]
				days += h.Days
				row = append(row, rate(h.perDay()))
			}
			if row[1] = fmt.Sprint(days); days > 0 {
				rows = append(rows, row)
			}
		}
	}
	return "The same for all detectors, with fewer days:\n\n" + page.Table(rows)
}

// hunts are the injected faults over all families.
func (r report) hunts() string {
	if !hasKind(r.Faults, func(k faultKey) string { return k.Detector }) {
		return ""
	}
	rows := r.huntRows(r.Faults)
	return fmt.Sprintf("### Injected faults\n\nShare of faults for which %s opens a finding while they last, as shipped, that is at a budget of %g false findings per series and day: found of injected, over the seven families, and the median time from the onset to the finding. What is over in one sample, or missing, may be found three samples later.\n\n",
		together, detect.DefaultBudget) + page.Table(rows)
}

// huntRows are the faults that were tried, over all families.
func (r report) huntRows(hunts map[faultKey]hunt) [][]string {
	rows := [][]string{{"fault", "wanted"}}
	for _, c := range r.Plan {
		rows[0] = append(rows[0], c.Name)
	}
	for _, fault := range synth.Faults() {
		row, trials := []string{fault.Name, "–"}, 0
		if fault.Wanted > 0 {
			row[1] = percent(fault.Wanted)
		}
		for _, c := range r.Plan {
			h := overFamilies(hunts, together, c.Name, fault.Name)
			row, trials = append(row, h.String()), trials+h.Trials
		}
		if trials > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

func overFamilies(hunts map[faultKey]hunt, detector, cadence, fault string) (sum hunt) {
	for _, f := range synth.Families() {
		sum = sum.plus(hunts[faultKey{detector, cadence, fault, f.Name}])
	}
	return sum
}

// String is the recall, the evidence, and the delay.
func (h hunt) String() string {
	if h.Trials == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%d of %d) · %s", percent(h.recall()), len(h.Delays), h.Trials, span(h.delay()))
}

// huntsByFamily shows on which noise which fault is found, and what could be found at all.
func (r report) huntsByFamily() string {
	if !hasKind(r.Faults, func(k faultKey) string { return k.Detector }) {
		return ""
	}
	rows := [][]string{{"fault, cadence"}}
	for _, f := range synth.Families() {
		if f.Wanted {
			rows[0] = append(rows[0], f.Name)
		}
	}
	for _, fault := range synth.Faults() {
		for _, c := range r.Plan {
			row := []string{fault.Name + ", " + c.Name}
			for _, f := range synth.Families() {
				if h, ok := r.Faults[faultKey{together, c.Name, fault.Name, f.Name}]; ok {
					row = append(row, percent(h.recall())+" · "+span(h.delay()))
				}
			}
			if len(row) < len(rows[0]) {
				continue
			}
			rows = append(rows, row)
			if possible := r.possible(fault, c); possible != nil {
				rows = append(rows, possible)
			}
		}
	}
	return "By family of noise. *Possible* is what an oracle finds at the same budget: it is told the family, its level at each moment, the kind and size of the fault, and watches the likelihood ratio of each sample (of their sum, where the fault lasts).\n\n" + page.Table(rows)
}

// possible is a row of what the oracle finds; nil where there is none.
func (r report) possible(fault synth.Fault, c cadence) []string {
	row, any := []string{"*possible*, " + c.Name}, false
	perSample := detect.DefaultBudget * float64(c.Step) / float64(day)
	for _, f := range synth.Families() {
		if !f.Wanted {
			continue
		}
		cell := ""
		if share := f.Possible(fault, int(fault.Lasts/c.Step), perSample, chance(r.Seed, forOracle)); share >= 0 {
			cell, any = percent(share), true
		}
		row = append(row, cell)
	}
	if !any {
		return nil
	}
	return row
}

// otherHunts compares detectors at the budget.
func (r report) otherHunts() string {
	if r.Faults == nil {
		return ""
	}
	rows := [][]string{{"detector, cadence"}}
	for _, fault := range synth.Faults() {
		rows[0] = append(rows[0], fault.Name)
	}
	for _, k := range detect.Kinds() {
		for _, c := range r.Plan {
			row, tried := []string{nameOf(k) + ", " + c.Name}, false
			for _, fault := range synth.Faults() {
				h := overFamilies(r.Faults, k.Name, c.Name, fault.Name)
				tried = tried || h.Trials > 0
				cell := "–"
				if h.Trials > 0 {
					cell = percent(h.recall()) + " · " + span(h.delay())
				}
				row = append(row, cell)
			}
			if tried {
				rows = append(rows, row)
			}
		}
	}
	return "All detectors. Those that ship are judged by their flags; baselines get, for each noise, the threshold that they reached on at most one healthy day in ten, found by looking.\n\n" + page.Table(rows)
}

// medianOf is the median of durations in ns, −1 of none.
func medianOf(all []int64) time.Duration {
	if len(all) == 0 {
		return -1
	}
	return time.Duration(slices.Sorted(slices.Values(all))[len(all)/2])
}
