package main

import (
	"math"
	"slices"
	"time"

	"weir/lab/eval/alarm"
	"weir/lab/eval/synth"
	"weir/pkg/detect"
)

// A hearing is what one detector said about one family of healthy noise at one cadence.
type hearing struct {
	Findings int
	Days     int       // series-days after the warm-up
	Peaks    []float64 // highest Alert of each of these days
	First    int       // findings in the first day of each series
	Series   int       // that were heard from their beginning
}

// onFirstDay is what was heard on the first days alone.
func (h hearing) onFirstDay() hearing { return hearing{Findings: h.First, Days: h.Series} }

// plus is both.
func (h hearing) plus(o hearing) hearing {
	return hearing{h.Findings + o.Findings, h.Days + o.Days, append(h.Peaks, o.Peaks...), h.First + o.First, h.Series + o.Series}
}

// perDay is findings per series and day.
func (h hearing) perDay() float64 { return float64(h.Findings) / float64(h.Days) }

// atMost is what perDay can be in the long run, at 95 % confidence.
func (h hearing) atMost() float64 { return alarm.Upper(h.Findings) / float64(h.Days) }

// budgetThreshold is the lowest threshold that one day in ten of this noise would have reached at most.
func (h hearing) budgetThreshold() float64 {
	if len(h.Peaks) == 0 {
		return math.Inf(1)
	}
	sorted := slices.Sorted(slices.Values(h.Peaks))
	allowed := len(sorted) / 10
	return math.Nextafter(sorted[len(sorted)-1-allowed], math.Inf(1))
}

// noiseKey names a hearing.
type noiseKey struct{ Detector, Cadence, Family string }

// hearNoise plays healthy series of each family to all detectors. The default detector hears all of them.
func hearNoise(kinds []detect.Kind, plan []cadence, seed uint64) (map[noiseKey]hearing, error) {
	type task struct {
		cadence cadence
		family  synth.Family
		series  int
	}
	var tasks []task
	for _, c := range plan { // fastest, thus longest, first
		for _, f := range synth.Families() {
			for series := range c.seriesOf(f) {
				tasks = append(tasks, task{c, f, series})
			}
		}
	}
	heard := make([][]hearing, len(tasks))
	err := each(len(tasks), func(i int) error {
		t := tasks[i]
		source := t.family.NewSource(chance(seed, forNoise, uint64(t.cadence.Step), named(t.family.Name), uint64(t.series)), t.cadence.Step)
		listeners, err := listenersFor(kinds, t.cadence, t.family, t.series)
		if err == nil {
			heard[i] = listen(listeners, source, t.cadence)
		}
		return err
	})
	all := map[noiseKey]hearing{}
	for i, t := range tasks {
		for k, h := range heard[i] {
			if h.Days > 0 {
				key := noiseKey{kinds[k].Name, t.cadence.Name, t.family.Name}
				all[key] = all[key].plus(h)
			}
		}
	}
	return all, err
}

// seriesOf is how many series of a family are made.
func (c cadence) seriesOf(f synth.Family) int {
	if f.Wanted {
		return c.Series
	}
	return c.Others
}

// A listener is one detector that hears a series for some days after the warm-up.
type listener struct {
	detector detect.Detector
	days     int
	edges    alarm.Edges
	heard    hearing
}

func listenersFor(kinds []detect.Kind, c cadence, f synth.Family, series int) ([]*listener, error) {
	var all []*listener
	for _, k := range kinds {
		l := &listener{days: c.Days}
		switch {
		case k.Name == detect.Default:
		case series >= c.Others, c.Short && !f.Wanted:
			l.days = 0
		case c.Short:
			l.days = 1
		}
		var err error
		if l.detector, err = newDetector(k); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// listen plays one series to all listeners, each for its days.
func listen(listeners []*listener, source synth.Source, c cadence) []hearing {
	most := 0
	for _, l := range listeners {
		most = max(most, l.days)
	}
	warm := int(c.Warm / day)
	for n := range warm + most {
		var hearers []*listener
		for _, l := range listeners {
			if n == 0 {
				l.heard.Series = 1
			}
			if n >= warm && n < warm+l.days {
				l.heard.Days++
				l.heard.Peaks = append(l.heard.Peaks, 0)
			}
			if l.days > 0 && n < warm+l.days {
				hearers = append(hearers, l)
			}
		}
		from := time.Duration(n) * day
		for at := from; at < from+day; at += c.Step {
			s := detect.Sample{Time: epoch + int64(at), Value: source(at, 1).Value, Completeness: 1}
			for _, l := range hearers {
				l.hear(s, n == 0)
			}
		}
	}
	all := make([]hearing, len(listeners))
	for i, l := range listeners {
		all[i] = l.heard
	}
	return all
}

// hear counts findings of the first day and, once the warm-up is over, of the others, with each day's peak.
func (l *listener) hear(s detect.Sample, first bool) {
	v := l.detector.Update(s)
	opens := l.edges.Add(v.Flag)
	if opens && first {
		l.heard.First++
	}
	if n := len(l.heard.Peaks); n > 0 {
		l.heard.Peaks[n-1] = max(l.heard.Peaks[n-1], v.Alert)
		if opens {
			l.heard.Findings++
		}
	}
}

// named is a number for a name, for chance.
func named(name string) (n uint64) {
	for _, b := range []byte(name) {
		n = n*131 + uint64(b)
	}
	return n
}
