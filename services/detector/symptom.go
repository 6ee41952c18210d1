package detector

import (
	"weir/schemas"
)

// quiet is how long nothing must be wrong before something is over, ns.
const quiet = 10 * second

// symptom is one thing that is wrong with a series, or with a device.
type symptom struct {
	metric string // empty: the whole device
	kind   schemas.FindingKind
	since  int64 // event time
	opened int64 // agent time at which it was seen first
	last   int64 // agent time at which it was seen last
	hold   int64 // ns without it after which it is over
	over   bool
	in     *group // that it went into; nil: it is the device's own
	worst
}

// worst is the worst value of a symptom.
type worst struct {
	severity        schemas.Severity
	detector, model string
	view            string
	score           float64
	threshold       float64
	tail            float64
	start, end      int64
	complete        float64
	clock           int64
	says            string
	evidence        []schemas.Evidence
}

// raise notes that something is wrong now. fill describes it where it is new, or
// worse than before by its score.
func (d *device) raise(now int64, metric string, kind schemas.FindingKind, since, hold int64, score float64, fill func(*symptom)) {
	y := d.symptom(metric, kind)
	switch {
	case y == nil:
		y = &symptom{metric: metric, kind: kind, since: since, opened: now}
		d.symptoms = append(d.symptoms, y)
		y.worst.score = score
		fill(y)
		d.tell(y)
	case y.over:
		y.over = false
		d.tell(y)
	case score > y.worst.score:
		was := y.severity
		y.worst.score = score
		fill(y)
		if y.severity = max(was, y.severity); y.severity > was {
			d.tell(y)
		}
	}
	y.last, y.hold = now, hold
}

// goesOn notes that what was wrong still is, if it was.
func (d *device) goesOn(now int64, metric string, kind schemas.FindingKind, hold int64) {
	if y := d.symptom(metric, kind); y != nil && !y.over {
		y.last, y.hold = now, max(hold, y.hold)
	}
}

// clear notes that something is over.
func (d *device) clear(metric string, kind schemas.FindingKind, now int64) {
	if y := d.symptom(metric, kind); y != nil && !y.over {
		y.over, y.last = true, now
		d.tell(y)
	}
}

// tell lets the next revision of what the symptom belongs to come out.
func (d *device) tell(y *symptom) {
	switch {
	case y.in != nil:
		y.in.news = true
	case d.finding != nil:
		d.finding.news = true
	}
}

func (d *device) symptom(metric string, kind schemas.FindingKind) *symptom {
	for _, y := range d.symptoms {
		if y.kind == kind && y.metric == metric {
			return y
		}
	}
	return nil
}

// has reports whether something is wrong now.
func (d *device) has(metric string, kind schemas.FindingKind) bool {
	y := d.symptom(metric, kind)
	return y != nil && !y.over
}

// expire ends what has not been seen for a while.
func (d *device) expire(now int64) {
	for _, y := range d.symptoms {
		if !y.over && now-y.last > y.hold {
			y.over = true
			d.tell(y)
		}
	}
}

// own are the symptoms of the device that went into no group.
func (d *device) own(yield func(*symptom) bool) {
	for _, y := range d.symptoms {
		if y.in == nil && !yield(y) {
			return
		}
	}
}

// drop forgets symptoms.
func (d *device) drop(gone func(*symptom) bool) {
	kept := d.symptoms[:0]
	for _, y := range d.symptoms {
		if !gone(y) {
			kept = append(kept, y)
		}
	}
	clear(d.symptoms[len(kept):])
	d.symptoms = kept
}
