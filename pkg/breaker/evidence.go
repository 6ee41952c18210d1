package breaker

// Evidence is what a change of state was made on, with what it is compared with.
type Evidence struct {
	Calls, Failures int  // of the last ten slices
	InARow          int  // failures in a row
	ProbeFailed     bool // a probe failed, or its lease ended
	Manual          bool // somebody said so
	Paused          bool // the pause was over
	Successes       int  // probes that succeeded

	MinCalls    int
	FailureRate float64
	Consecutive int
	Needed      int // successes
}

// enough reports whether the calls justify opening.
func (e Evidence) enough() bool {
	return e.Calls >= e.MinCalls && float64(e.Failures) >= e.FailureRate*float64(e.Calls) || e.InARow >= e.Consecutive
}

// Transition is one change of state.
type Transition struct {
	From, To   State
	At         int64  // ns
	Generation uint64 // of the new state
	Evidence
}

// Justified reports whether the evidence is enough: opened ⇒ failures reached the threshold, or a probe failed, or
// somebody said so; half-open ⇒ the pause was over; closed ⇒ enough probes succeeded. It holds of every transition.
func (t Transition) Justified() bool {
	switch t.To {
	case Open:
		return t.Manual || t.From == HalfOpen && t.ProbeFailed || t.From == Closed && t.enough()
	case HalfOpen:
		return t.From == Open && t.Paused
	default:
		return t.From == HalfOpen && t.Successes >= t.Needed
	}
}
