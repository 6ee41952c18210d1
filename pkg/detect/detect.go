package detect

// A Sample is one value of one series.
type Sample struct {
	Time         int64   // event time, Unix nanoseconds; the end of what the value stands for
	Value        float64 // NaN and infinities are refused and counted, never learned
	Completeness float64 // share of what was expected that the value stands for, 0 to 1; set 1 where nothing is known
	ClockError   int64   // bound of the error of Time in nanoseconds; 0 where nothing is known
}

// A Verdict is what a detector says about one sample.
type Verdict struct {
	Score float64 // how abnormal the sample is: 0 and up; not smoothed, not suppressed
	Alert float64 // what is compared with the threshold; of calibrated kinds about log₁₀(1 + days between two such on a normal series)
	Tail  float64 // calibrated probability of such an Alert on a normal series, per sample, 0 to 1; 1 while nothing is known
	Flag  bool    // Alert has reached the threshold as shipped, or as the budget wants it: an alert begins, or is much worse
	Open  bool    // an alert is open: since a flag, until the return to normal; never set by baselines
}

// A Detector watches one series. Its state is bounded. It has no clock, starts no
// goroutine, and allocates nothing in Update. A prefix of a series has the verdicts
// of that prefix, whatever follows.
type Detector interface {
	// Update judges s by what came before it, then learns from it.
	Update(s Sample) Verdict
	// Explain appends what contributed to the newest verdict, greatest first.
	Explain(dst []Contribution) []Contribution
	// AppendState appends the whole state to b, beginning with a version byte.
	AppendState(b []byte) []byte
	// RestoreState takes a state back from the beginning of b and returns the rest.
	RestoreState(b []byte) ([]byte, error)
}

// A Contribution is the part of one feature in a score.
type Contribution struct {
	Feature  string  // such as "value", "difference", "level", "activity", "daily"
	Share    float64 // of the score, 0 to 1
	Observed float64 // the feature's value, in its own unit
	Expected float64 // what it usually is
	Spread   float64 // how far from Expected it usually is; 0 where nothing is known
}
