package main

import (
	"fmt"
	"slices"
	"time"

	"weir/lab/eval/alarm"
	"weir/lab/eval/corpus"
	"weir/lab/eval/nab"
	"weir/lab/eval/vus"
	"weir/pkg/detect"
)

// How the spread is estimated.
const (
	bootstrapRounds = 2000
	transferSplits  = 50
)

// A standing is how one detector does on a set of labeled series.
type standing struct {
	Kind     detect.Kind
	Profiles []placing // of nab.Profiles, in order
	Files    []fileResult
}

// A placing is the score of one profile at three thresholds: the best one, chosen by looking at the labels; one taken
// from a random half of the series to the other; and the one that ships.
type placing struct {
	Threshold float64
	Best      spread
	AtBest    nab.Tally
	Transfer  float64
	Deviation float64
	Shipped   spread
	AtShipped nab.Tally
}

// A spread is a score with the 5 % and 95 % points of a bootstrap over series.
type spread struct{ Score, Low, High float64 }

// fileResult is one series at the threshold that ships.
type fileResult struct {
	Shipped nab.Tally // of the standard profile
	Events  alarm.Events
	Days    float64 // on which false findings were counted
	Score   float64 // VUS-PR of it; NaN where there are no windows
	Alert   float64 // VUS-PR of it
}

// rank plays every series to every detector.
func rank(kinds []detect.Kind, series []corpus.Series, seed uint64) ([]standing, error) {
	all := make([]standing, len(kinds))
	tolerances := make([]int, len(series))
	_ = each(len(series), func(i int) error {
		tolerances[i] = vus.Tolerance(series[i].Values)
		return nil
	})
	err := each(len(kinds), func(i int) error {
		s, err := rankOne(kinds[i], series, tolerances, seed)
		all[i] = s
		return err
	})
	return all, err
}

func rankOne(kind detect.Kind, series []corpus.Series, tolerances []int, seed uint64) (standing, error) {
	result := standing{Kind: kind}
	var files []nab.File
	var alerts, flags [][]float64
	for i, s := range series {
		d, err := newDetector(kind)
		if err != nil {
			return result, err
		}
		played := verdicts(d, s, len(s.Times))
		files = append(files, s.File())
		alerts, flags = append(alerts, alertsOf(played)), append(flags, flagsOf(played))
		result.Files = append(result.Files, fileResult{
			Events: eventsOf(s, played), Days: judgedDays(s),
			Score: vus.PR(scoresOf(played), s.Windows, tolerances[i]), Alert: vus.PR(alertsOf(played), s.Windows, tolerances[i]),
		})
	}
	byAlert, err := nab.NewSheet(files, alerts)
	if err != nil {
		return result, fmt.Errorf("score %s: %w", kind.Name, err)
	}
	byFlag, err := nab.NewSheet(files, flags)
	if err != nil {
		return result, fmt.Errorf("score %s: %w", kind.Name, err)
	}
	for i, p := range nab.Profiles() {
		result.Profiles = append(result.Profiles, place(p, byAlert, byFlag, seed))
		if i == 0 {
			for n, t := range byFlag.At(p, flagged) {
				result.Files[n].Shipped = t
			}
		}
	}
	return result, nil
}

// place scores one profile.
func place(p nab.Profile, byAlert, byFlag *nab.Sheet, seed uint64) placing {
	threshold, best := byAlert.Best(p, nil)
	shipped := byFlag.At(p, flagged)
	result := placing{
		Threshold: threshold,
		Best:      bootstrap(p, byAlert.At(p, threshold), seed), AtBest: best,
		Shipped: bootstrap(p, shipped, seed), AtShipped: nab.Sum(shipped),
	}
	result.Transfer, result.Deviation = byAlert.Transfer(p, transferSplits, chance(seed, forTransfer))
	return result
}

func bootstrap(p nab.Profile, files []nab.Tally, seed uint64) spread {
	low, high := nab.Bootstrap(p, files, bootstrapRounds, chance(seed, forBootstrap))
	return spread{p.Score(nab.Sum(files)), low, high}
}

func scoresOf(all []detect.Verdict) []float64 {
	scores := make([]float64, len(all))
	for i, v := range all {
		scores[i] = v.Score
	}
	return scores
}

func alertsOf(all []detect.Verdict) []float64 {
	alerts := make([]float64, len(all))
	for i, v := range all {
		alerts[i] = v.Alert
	}
	return alerts
}

// flagged is the score of a flag.
const flagged = 1

func flagsOf(all []detect.Verdict) []float64 {
	flags := make([]float64, len(all))
	for i, v := range all {
		if v.Flag {
			flags[i] = flagged
		}
	}
	return flags
}

// eventsOf judges the flags as findings, after NAB's probation.
func eventsOf(s corpus.Series, played []detect.Verdict) alarm.Events {
	flags := make([]bool, len(played))
	for i, v := range played {
		flags[i] = v.Flag
	}
	return alarm.Judge(flags, s.Times, s.Windows, s.File().Probation())
}

// judgedDays is the time of the rows after probation.
func judgedDays(s corpus.Series) float64 {
	if len(s.Times) == 0 {
		return 0
	}
	rows := s.Times[s.File().Probation():]
	return float64(slices.Max(rows)-slices.Min(rows)) / float64(24*time.Hour)
}
