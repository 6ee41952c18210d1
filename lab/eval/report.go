package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"weir/lab/eval/corpus"
	"weir/lab/eval/nab"
	"weir/lab/eval/synth"
	"weir/lab/page"
	"weir/pkg/detect"
)

// report is everything that was measured. What was not is empty.
type report struct {
	Command string
	Began   time.Time
	Took    time.Duration
	Folder  string
	Series  []corpus.Series
	Plan    []cadence
	Seed    uint64

	Costs       []cost
	Standings   []standing
	Binary      string // what the comparison with the binary says; empty: none was made
	Causal      []causality
	CausalKinds []detect.Kind
	Noise       map[noiseKey]hearing
	Faults      map[faultKey]hunt
	FirstFaults map[faultKey]hunt    // of the default detector and facts, on the first day
	Pairs       map[noiseKey]pairing // without a detector's name

	Wrong []error // bugs, as opposed to bad results
}

// markdown is the report for people.
func (r report) markdown() string {
	text := fmt.Sprintf("`%s`, %s, seed %d, %s, %.0f s\n", r.Command, r.Began.Format("2006-01-02 15:04 UTC"), r.Seed, machine(), r.Took.Seconds())
	for _, part := range []string{r.ranking(), r.findings(), r.categories(), r.perSeries(), r.noise(), r.otherNoise(), r.hunts(), r.huntsByFamily(), r.firstDay(), r.otherHunts(), r.pairs(), r.proofs()} {
		if part != "" {
			text += "\n" + part
		}
	}
	return text
}

// ranking is the one table: every detector with all that counts.
func (r report) ranking() string {
	if r.Standings == nil && r.Costs == nil {
		return ""
	}
	rows := [][]string{{
		"detector", "best threshold¹", "5–95 %", "transferred²", "as shipped³", "5–95 %", "windows", "false rows",
	}}
	for _, c := range r.Plan {
		rows[0] = append(rows[0], "false per day⁴, "+c.Name)
	}
	rows[0] = append(rows[0], "ns of CPU", "allocations", "bytes", "looks ahead")
	for _, k := range r.kinds() {
		row := append([]string{nameOf(k)}, r.scores(k.Name)...)
		for _, c := range r.Plan {
			row = append(row, r.worstNoise(k.Name, c.Name))
		}
		rows = append(rows, append(row, r.costs(k.Name)...))
	}
	windows := 0
	for _, s := range r.Series {
		windows += len(s.Windows)
	}
	return fmt.Sprintf("### All detectors\n\nNAB's score, standard / low FP / low FN, on %d series with %d windows (%s).\n\n", len(r.Series), windows, r.Folder) +
		page.Table(rows) + rankingNotes
}

const rankingNotes = `
¹ The best one for each profile, chosen by looking at the labels, as NAB does; the spread is that of the standard profile, here and at ³.
² The threshold is the best one on a random half of the series, the score that of the other half: mean and deviation of 50 splits.
³ By the flags, with the configuration that ships, the same for all series; windows hit and false rows are at this threshold.
⁴ Findings that opened on healthy noise per series and day after a day of warm-up: the worst family of those for which the budget must hold.
CPU and allocations are of one update, with a thousand series in turn; bytes are of memory per series.
`

// kinds are those that anything was measured of.
func (r report) kinds() (all []detect.Kind) {
	for _, k := range detect.Kinds() {
		if r.standing(k.Name) != nil || r.cost(k.Name) != nil {
			all = append(all, k)
		}
	}
	return all
}

func (r report) standing(name string) *standing {
	for i := range r.Standings {
		if r.Standings[i].Kind.Name == name {
			return &r.Standings[i]
		}
	}
	return nil
}

func (r report) cost(name string) *cost {
	for i := range r.Costs {
		if r.Costs[i].Kind.Name == name {
			return &r.Costs[i]
		}
	}
	return nil
}

// nameOf marks what is there only to compare with.
func nameOf(k detect.Kind) string {
	switch {
	case k.Name == detect.Default:
		return "**" + k.Name + "**"
	case k.Baseline:
		return "*" + k.Name + "*"
	}
	return k.Name
}

// scores are the cells of the benchmark.
func (r report) scores(name string) []string {
	s := r.standing(name)
	if s == nil {
		return make([]string, 7)
	}
	three := func(of func(placing) string) string {
		var cells []string
		for _, p := range s.Profiles {
			cells = append(cells, of(p))
		}
		return strings.Join(cells, " / ")
	}
	standard := s.Profiles[0]
	return []string{
		three(func(p placing) string { return figure(p.Best.Score, 2) }),
		between(standard.Best.Low, standard.Best.High),
		three(func(p placing) string { return figure(p.Transfer, 1) + " ± " + figure(p.Deviation, 1) }),
		three(func(p placing) string { return figure(p.Shipped.Score, 2) }),
		between(standard.Shipped.Low, standard.Shipped.High),
		fmt.Sprintf("%d of %d", standard.AtShipped.Hit, standard.AtShipped.Windows),
		fmt.Sprint(standard.AtShipped.FalseRows),
	}
}

// worstNoise is the family with the most false findings at a cadence.
func (r report) worstNoise(detector, cadence string) string {
	worst := math.NaN()
	for _, f := range synth.Families() {
		if h, ok := r.Noise[noiseKey{detector, cadence, f.Name}]; ok && f.Wanted && !(h.perDay() <= worst) {
			worst = h.perDay()
		}
	}
	return rate(worst)
}

func (r report) costs(name string) []string {
	c := r.cost(name)
	if c == nil {
		return []string{"", "", "", "no"}
	}
	return []string{fmt.Sprint(c.Update.Nanoseconds()), figure(c.Allocs, 2), fmt.Sprint(c.Bytes), "no"}
}

// findings are the same series as people see them.
func (r report) findings() string {
	if r.Standings == nil {
		return ""
	}
	rows := [][]string{{"detector", "windows found", "findings", "of them false", "false per series and day", "precision", "median delay", "VUS-PR of score", "of alert"}}
	for _, s := range r.Standings {
		var all fileResult
		for _, f := range s.Files {
			all.Events, all.Days = all.Events.Plus(f.Events), all.Days+f.Days
		}
		e := all.Events
		rows = append(rows, []string{
			nameOf(s.Kind), fmt.Sprintf("%d of %d", e.Found, e.Windows), fmt.Sprint(e.Opened), fmt.Sprint(e.False),
			rate(float64(e.False) / all.Days), percent(float64(e.Found) / float64(e.Found+e.False)), span(medianOf(e.Delays)), figure(s.mean(func(f fileResult) float64 { return f.Score }), 3), figure(s.mean(func(f fileResult) float64 { return f.Alert }), 3),
		})
	}
	return "### The same series, by findings\n\nAs shipped, after NAB's probation: a finding opens where the flag goes up, and is false outside all windows. Precision is windows found of these and false findings. VUS-PR, of the unsmoothed score and of the alert, knows no threshold: the mean over series with windows.\n\n" + page.Table(rows)
}

// mean is over the series of which there is something.
func (s standing) mean(of func(fileResult) float64) float64 {
	sum, n := 0.0, 0.0
	for _, f := range s.Files {
		if v := of(f); !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
	}
	return sum / n
}

// categories are the scores as shipped of each folder of the corpus.
func (r report) categories() string {
	if r.Standings == nil {
		return ""
	}
	var names []string
	for _, s := range r.Series {
		if len(names) == 0 || names[len(names)-1] != s.Category() {
			names = append(names, s.Category())
		}
	}
	rows := [][]string{append([]string{"detector"}, names...)}
	for _, s := range r.Standings {
		row := []string{nameOf(s.Kind)}
		for _, name := range names {
			row = append(row, s.category(r.Series, name))
		}
		rows = append(rows, row)
	}
	return "### By category\n\nStandard score as shipped, windows hit and false findings (not rows).\n\n" + page.Table(rows)
}

func (s standing) category(series []corpus.Series, name string) string {
	var tally nab.Tally
	falseFindings := 0
	for i, f := range s.Files {
		if series[i].Category() == name {
			tally = tally.Plus(f.Shipped)
			falseFindings += f.Events.False
		}
	}
	return fmt.Sprintf("%s · %d of %d · %d", figure(nab.Profiles()[0].Score(tally), 1), tally.Hit, tally.Windows, falseFindings)
}

// perSeries is what the default detector does on each series.
func (r report) perSeries() string {
	s := r.standing(detect.Default)
	if s == nil {
		return ""
	}
	rows := [][]string{{"series", "rows", "days", "windows", "found", "median delay", "false findings", "per day"}}
	var all fileResult
	for i, f := range s.Files {
		rows = append(rows, f.row(r.Series[i].Name, len(r.Series[i].Times)))
		all.Events, all.Days = all.Events.Plus(f.Events), all.Days+f.Days
	}
	rows = append(rows, all.row("all", sumRows(r.Series)))
	return fmt.Sprintf("### Series by series\n\nFindings of the detector `%s` as shipped, after NAB's probation.\n\n", s.Kind.Name) + page.Table(rows)
}

func (f fileResult) row(name string, rows int) []string {
	return []string{
		strings.TrimSuffix(name, ".csv"), fmt.Sprint(rows), figure(f.Days, 1), fmt.Sprint(f.Events.Windows), fmt.Sprint(f.Events.Found),
		span(medianOf(f.Events.Delays)), fmt.Sprint(f.Events.False), figure(float64(f.Events.False)/f.Days, 2),
	}
}

func sumRows(series []corpus.Series) (sum int) {
	for _, s := range series {
		sum += len(s.Times)
	}
	return sum
}

// mostComplaints is how many are printed.
const mostComplaints = 10

// proofs say what was tried and found to be so.
func (r report) proofs() string {
	var all causality
	for _, c := range r.Causal {
		all.Prefixes, all.Restarts, all.Wrong = all.Prefixes+c.Prefixes, all.Restarts+c.Restarts, all.Wrong+c.Wrong
	}
	var lines []string
	if len(r.Causal) > 0 {
		lines = append(lines, fmt.Sprintf("%d detectors on %d series: cut off at three points each (%d runs) and restarted from a saved state at each of them (%d runs), %d runs differ from the whole run in any bit of any verdict.",
			len(r.Causal), len(r.Series), all.Prefixes, all.Restarts, all.Wrong))
	}
	if r.Binary != "" {
		lines = append(lines, r.Binary)
	}
	for i, err := range r.Wrong {
		if i == mostComplaints {
			lines = append(lines, fmt.Sprintf("and %d more.", len(r.Wrong)-i))
			break
		}
		lines = append(lines, "**Wrong:** "+err.Error())
	}
	if len(lines) == 0 {
		return ""
	}
	return "### Proofs\n\n- " + strings.Join(lines, "\n- ") + "\n"
}
