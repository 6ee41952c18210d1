package detector

import (
	"math"

	"weir/pkg/detect"
	"weir/schemas"
)

// series is what is known of one metric of one device.
type series struct {
	dev    *device
	metric string
	presence

	mean, spread stream // of each second
	windows      stream
	windowSize   int64 // ns
	lastWindow   int64 // end of the newest window judged

	last   float64 // newest value
	lastAt int64   // agent time of it; 0: there is none
	motion         // for stuck values
}

// stream is one detector over a series, made when its first value comes.
type stream struct {
	detector detect.Detector
	usual    float64 // records of a value, slowly followed; 0: not known yet
	made     uint32  // values seen, up to settled
}

// settled is how many values say how many records are usual.
const settled = 8

func (s *series) forgetDetectors() { s.mean, s.spread, s.windows = stream{}, stream{}, stream{} }

// heard notes that values have come.
func (s *series) heard(now int64) {
	s.presence.note(now, s.dev.has(s.metric, schemas.Missing))
	if s.dev.presence.seen < now {
		s.dev.presence.note(now, s.dev.has("", schemas.Silent))
	}
}

// second judges the values of one second.
func (s *series) second(f *Fold, e *schemas.Early) {
	end := f.now - f.now%second
	s.facts(f, e, end)
	value, counter := e.Mean, s.counter()
	if counter {
		value = e.Last
	}
	complete, burst := s.mean.complete(float64(e.Count))
	if burst && !counter {
		f.bursts++
		return
	}
	v := sample{at: end, from: end - second, value: value, complete: complete, clock: f.clock, view: schemas.EarlyView}
	s.judge(f, &s.mean, &v, 0, counter)
	s.together(f, &v, counter)
	if e.Count > 1 && !counter {
		v.value, v.of = e.Max-e.Min, "spread"
		s.judge(f, &s.spread, &v, 0, false)
	}
}

// window judges a window unless it, or a later one, has been judged.
func (s *series) window(f *Fold, w *schemas.Window) {
	if w.End <= s.lastWindow || w.Count == 0 {
		return
	}
	if size := w.End - w.Start; size != s.windowSize {
		s.windowSize, s.windows = size, stream{} // another cadence is another series
	}
	s.lastWindow = w.End
	value, counter := w.Sum/float64(w.Count), s.counter()
	if counter {
		value = w.Last.Value
	}
	complete, _ := s.windows.complete(float64(w.Count))
	v := sample{at: w.End, from: w.Start, value: value, complete: complete, clock: w.ClockError, view: w.View}
	s.judge(f, &s.windows, &v, s.windowSize, counter)
	s.together(f, &v, counter)
}

func (s *series) counter() bool {
	r := s.dev.rules
	return r.Counter != nil && r.Counter(s.dev.tenant, s.dev.class, s.dev.name, s.metric)
}

// complete is the share of the usual records that a value stands for, 0 to 1, and
// whether there are far more of them than usual. It then gets used to them.
func (s *stream) complete(records float64) (share float64, burst bool) {
	share = 1
	if s.made >= settled {
		share = min(1, records/s.usual)
		burst = records > 3*s.usual+2
	}
	if s.made < settled {
		s.made++
		s.usual += (records - s.usual) / float64(s.made)
	} else {
		s.usual += (records - s.usual) / 64
	}
	return share, burst
}

// sample is a value with what it stands for.
type sample struct {
	from, at int64
	value    float64
	of       string // what the value is of the metric's; empty: its mean
	complete float64
	clock    int64 // bound of the error of its time, ns
	view     string
}

// length is that of what the value stands for, ns.
func (v *sample) length() int64 { return v.at - v.from }

// judge asks a stream's detector about a value.
func (s *series) judge(f *Fold, st *stream, v *sample, interval int64, counter bool) {
	r := s.dev.rules
	if s.dev.rules.metric(s.metric).Off {
		return
	}
	if st.detector == nil {
		st.detector = r.newDetector(interval, counter)
	}
	f.values++
	verdict := st.detector.Update(detect.Sample{Time: v.at, Value: v.value, Completeness: v.complete, ClockError: v.clock})
	hold := max(s.hold(), 3*interval)
	if !verdict.Flag {
		if verdict.Open {
			s.dev.goesOn(f.now, s.metric, schemas.Anomaly, hold)
		}
		return
	}
	found := anomaly{r.Detector, r.Budget, detect.ThresholdOf(st.detector), verdict, st.detector.Explain(nil)}
	if len(found.why) > 0 && found.why[0].Feature == gapFeature {
		return // a pause, not a value: silence is a fact
	}
	s.dev.raise(f.now, s.metric, schemas.Anomaly, v.from, hold, verdict.Alert, func(y *symptom) {
		y.take(v, &found)
		y.says = anomalySays(s, v, y.evidence)
	})
}

// gapFeature is what detectors call the time since the value before.
const gapFeature = "gap"

// hold is how long nothing must be wrong before it is over.
func (s *series) hold() int64 { return max(quiet, 3*s.usual) }

// anomaly is what a detector has found.
type anomaly struct {
	detector  string
	budget    float64 // of the series
	threshold float64
	verdict   detect.Verdict
	why       []detect.Contribution
}

// take says what a detector found in a value.
func (y *symptom) take(v *sample, found *anomaly) {
	y.detector, y.model = found.detector, modelOf(found.detector)
	y.view, y.start, y.end = v.view, v.from, v.at
	y.score, y.threshold, y.tail = finite(found.verdict.Alert), finite(found.threshold), found.verdict.Tail
	y.complete, y.clock = v.complete, v.clock
	y.severity = severityOf(found.verdict.Tail, found.budget, v.length())
	y.evidence = y.evidence[:0]
	for _, c := range found.why {
		if len(y.evidence) < schemas.MaxEvidence {
			y.evidence = append(y.evidence, schemas.Evidence{
				Feature: c.Feature, Share: finite(c.Share), Observed: finite(c.Observed), Expected: finite(c.Expected),
			})
		}
	}
}

// finite is v, or the finite number nearest to it; 0 where it is none.
func finite(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return max(-math.MaxFloat64, min(v, math.MaxFloat64))
}

// modelOf is the version of a detector, for findings. A change of what a detector
// says about the same series is a new version.
func modelOf(detector string) string { return detector + "-3" }

const daySeconds = 86_400

// severityOf classes an anomaly by how much rarer it is than the budget asks.
func severityOf(tail, budget float64, length int64) schemas.Severity {
	perDay := tail * daySeconds * second / float64(max(length, 1))
	switch {
	case tail >= 1 || perDay > budget/10:
		return schemas.Notice
	case perDay > budget/1000:
		return schemas.Warning
	}
	return schemas.Critical
}
