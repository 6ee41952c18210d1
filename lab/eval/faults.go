package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"weir/lab/eval/alarm"
	"weir/lab/eval/synth"
	"weir/pkg/detect"
)

// A hunt is what one detector made of one fault on one family of noise at one cadence.
type hunt struct {
	Trials int
	Delays []time.Duration // from the onset to the finding, of those that were found
}

func (h hunt) recall() float64 { return float64(len(h.Delays)) / float64(h.Trials) }

// delay is the median, −1 where nothing was found.
func (h hunt) delay() time.Duration {
	if len(h.Delays) == 0 {
		return -1
	}
	return slices.Sorted(slices.Values(h.Delays))[len(h.Delays)/2]
}

func (h hunt) plus(o hunt) hunt {
	return hunt{h.Trials + o.Trials, slices.Concat(h.Delays, o.Delays)}
}

// faultKey names a hunt.
type faultKey struct{ Detector, Cadence, Fault, Family string }

// A hunter is a detector that has warmed up, and what counts as its flag.
type hunter struct {
	kind      detect.Kind
	threshold float64 // of baselines, for Alert; 0: the flag as shipped
	state     []byte
}

// findFaults injects every fault into every family. Detectors that ship are judged by their flags. Baselines, which
// know no budget, get for each noise the threshold that keeps it there, if noise has been heard.
func findFaults(kinds []detect.Kind, plan []cadence, noise map[noiseKey]hearing, seed uint64) (map[faultKey]hunt, error) {
	var grounds []ground
	for _, c := range plan {
		for _, f := range synth.Families() {
			if !f.Wanted {
				continue
			}
			if c.Seasonal > 0 {
				grounds = append(grounds, ground{c, f.Seasonal(), true, 0, seed})
			}
			for past := range c.Pasts {
				grounds = append(grounds, ground{c, f, false, past, seed})
			}
		}
	}
	found := make([]map[faultKey]hunt, len(grounds))
	err := each(len(grounds), func(i int) (err error) {
		found[i], err = huntAll(chooseHunters(kinds, grounds[i], noise), grounds[i])
		return err
	})
	all := map[faultKey]hunt{}
	for _, one := range found {
		for key, h := range one {
			all[key] = all[key].plus(h)
		}
	}
	return all, err
}

// chooseHunters are all that ship, and baselines where the budget of this noise is known. At 10 Hz and for the
// seasonal break it is the default detector alone, which saves hours.
func chooseHunters(kinds []detect.Kind, g ground, noise map[noiseKey]hearing) (all []hunter) {
	for _, k := range kinds {
		h, known := noise[noiseKey{k.Name, g.cadence.Name, g.family.Name}]
		switch {
		case k.Name == detect.Default:
			all = append(all, hunter{kind: k})
		case (g.seasonal || g.cadence.Short) && !k.Fact:
		case k.Baseline && known:
			all = append(all, hunter{kind: k, threshold: h.budgetThreshold()})
		case !k.Baseline:
			all = append(all, hunter{kind: k})
		}
	}
	return all
}

// A ground is where faults are hunted: one healthy series of a family at one cadence after a warm-up.
type ground struct {
	cadence  cadence
	family   synth.Family
	seasonal bool
	past     int // which healthy series
	seed     uint64
}

// warm is how long hunters listen before a fault can come.
func (g ground) warm() time.Duration {
	if g.seasonal {
		return cyclesLearned
	}
	return g.cadence.Warm
}

func (g ground) repeats() int {
	if g.seasonal {
		return g.cadence.Seasonal
	}
	return g.cadence.Repeats
}

// source is the healthy series from its beginning on.
func (g ground) source() *renewable {
	return newSource(g.family, g.cadence, g.seed, forHealth, uint64(g.cadence.Step), named(g.family.Name), uint64(g.past))
}

// future is the purpose of chance in one trial.
func (g ground) future(fault synth.Fault, trial int) []uint64 {
	return []uint64{forFault, uint64(g.cadence.Step), named(g.family.Name), named(fault.Name), uint64(g.past), uint64(trial)}
}

// huntAll warms the hunters up once, then injects each fault some times, each time with other noise from there on.
func huntAll(hunters []hunter, g ground) (map[faultKey]hunt, error) {
	if err := warmThem(hunters, g); err != nil {
		return nil, err
	}
	all := map[faultKey]hunt{}
	for _, fault := range synth.Faults() {
		if fault.Seasonal != g.seasonal || fault.Rare && g.cadence.Step < time.Minute {
			continue
		}
		for trial := range g.repeats() {
			delays, err := huntOnce(hunters, g, fault, g.future(fault, trial))
			if err != nil {
				return nil, err
			}
			add := func(detector string, delay time.Duration) {
				key := faultKey{detector, g.cadence.Name, fault.Name, g.family.Name}
				all[key] = all[key].plus(oneHunt(delay))
			}
			for i, delay := range delays {
				add(hunters[i].kind.Name, delay)
			}
			add(together, firstOf(hunters, delays))
		}
	}
	return all, nil
}

// together is the default detector with the facts beside it, as a series is watched: the first finding counts.
const together = detect.Default + " or a fact"

func firstOf(hunters []hunter, delays []time.Duration) time.Duration {
	first := time.Duration(-1)
	for i, delay := range delays {
		ours := hunters[i].kind.Fact || hunters[i].kind.Name == detect.Default
		if ours && delay >= 0 && (first < 0 || delay < first) {
			first = delay
		}
	}
	return first
}

// oneHunt is a hunt of one trial; a negative delay found nothing.
func oneHunt(delay time.Duration) hunt {
	if delay < 0 {
		return hunt{Trials: 1}
	}
	return hunt{1, []time.Duration{delay}}
}

// warmThem plays a healthy series to each hunter and keeps the states.
func warmThem(hunters []hunter, g ground) error {
	detectors := make([]detect.Detector, len(hunters))
	for i, h := range hunters {
		var err error
		if detectors[i], err = newDetector(h.kind); err != nil {
			return err
		}
	}
	source := g.source()
	for at := time.Duration(0); at < g.warm(); at += g.cadence.Step {
		s := detect.Sample{Time: epoch + int64(at), Value: source.at(at, 1).Value, Completeness: 1}
		for _, d := range detectors {
			d.Update(s)
		}
	}
	for i, d := range detectors {
		hunters[i].state = d.AppendState(nil)
	}
	return nil
}

// huntOnce goes on with the healthy series for a while and then injects the fault. It returns per hunter how long
// after the onset a finding opened, −1 for never.
func huntOnce(hunters []hunter, g ground, fault synth.Fault, future []uint64) ([]time.Duration, error) {
	chases, err := startChases(hunters)
	if err != nil {
		return nil, err
	}
	source, luck, step := g.source(), chance(g.seed, append(future, 1)...), g.cadence.Step
	source.replay(g.warm(), step)
	source.renew(g.seed, future...)
	onset := g.warm() + runIn(fault, luck).Truncate(step)
	series := fault.Break(source.at, g.family.Sigma, onset, luck)
	left := len(chases)
	for at := g.warm(); at <= onset+fault.Horizon(step) && left > 0; at += step {
		value, there := series(at)
		if !there {
			continue
		}
		s := detect.Sample{Time: epoch + int64(at), Value: value, Completeness: 1}
		for i := range chases {
			if chases[i].opens(s) && at >= onset && chases[i].delay < 0 {
				chases[i].delay = at - onset
				left--
			}
		}
	}
	delays := make([]time.Duration, len(chases))
	for i, c := range chases {
		delays[i] = c.delay
	}
	return delays, nil
}

// runIn is how long the series stays healthy, so that the onset is at no particular time.
func runIn(fault synth.Fault, luck *rand.Rand) time.Duration {
	if fault.Seasonal {
		return time.Duration(luck.Int64N(int64(24 * time.Hour)))
	}
	return 10*time.Minute + time.Duration(luck.Int64N(int64(50*time.Minute)))
}

// A chase is one hunter after one fault.
type chase struct {
	hunter   hunter
	detector detect.Detector
	edges    alarm.Edges
	delay    time.Duration // −1: not found yet
}

// startChases restores every hunter as it was after the warm-up.
func startChases(hunters []hunter) ([]chase, error) {
	all := make([]chase, len(hunters))
	for i, h := range hunters {
		d, err := newDetector(h.kind)
		if err != nil {
			return nil, err
		}
		if _, err := d.RestoreState(h.state); err != nil {
			return nil, fmt.Errorf("restore the state of %s after the warm-up: %w", h.kind.Name, err)
		}
		all[i] = chase{hunter: h, detector: d, delay: -1}
	}
	return all, nil
}

// opens reports whether a finding opens with this sample.
func (c *chase) opens(s detect.Sample) bool {
	return c.edges.Add(c.hunter.flags(c.detector.Update(s)))
}

func (h hunter) flags(v detect.Verdict) bool {
	if h.threshold != 0 && !math.IsInf(h.threshold, 1) {
		return v.Alert >= h.threshold
	}
	return h.threshold == 0 && v.Flag
}
