package schemas

// Outcome says what became of a record. Each record has exactly one, per tier,
// once it is no longer in flight.
type Outcome string

// The closed list of outcomes.
const (
	Counted   Outcome = "counted"
	Late      Outcome = "late"
	Duplicate Outcome = "duplicate"
	Rejected  Outcome = "rejected"
	Shed      Outcome = "shed"
)

// Reason says why a record was not counted.
type Reason string

// The closed list of reasons, by outcome.
const (
	// Rejected at ingest.
	Undecodable Reason = "undecodable"
	TooLarge    Reason = "too_large"
	TooDeep     Reason = "too_deep"
	TooMany     Reason = "too_many"
	BadSubject  Reason = "bad_subject"
	BadName     Reason = "bad_name"
	BadValue    Reason = "bad_value"
	BadTime     Reason = "bad_time"
	NoValues    Reason = "no_values"
	Future      Reason = "future"
	TenantLimit Reason = "tenant_limit"
	Unsupported Reason = "unsupported"

	// Late in the fold.
	TooLate Reason = "too_late" // behind the watermark by more than the allowed lateness
	TooOld  Reason = "too_old"  // older than max_past

	// Duplicate in the fold.
	Repeat Reason = "repeat" // a number or packet seen before

	// Shed at ingest.
	JournalFull Reason = "journal_full"
)

// RejectReasons is the closed list of why ingest refuses a record, in the order
// in which docs and tables show them.
var RejectReasons = []Reason{
	Undecodable, TooLarge, TooDeep, TooMany, BadSubject, BadName, BadValue, BadTime,
	NoValues, Future, TenantLimit, Unsupported,
}

// Signal names a kind of telemetry.
type Signal string

// The signals. The last token of a device's subject.
const (
	Metrics Signal = "metrics"
	Traces  Signal = "traces"
	Logs    Signal = "logs"
)

// signals are the signals by code. Metrics, which most records are, are empty.
var signals = [...]Signal{"", Traces, Logs}

// code is the signal's place in signals.
func (s Signal) code() byte {
	switch s {
	case Traces:
		return 1
	case Logs:
		return 2
	}
	return 0
}

// other is the signal, empty for metrics.
func (s Signal) other() Signal { return signals[s.code()] }

// OrMetrics is the signal of a source, for which empty says metrics.
func (s Signal) OrMetrics() Signal {
	if s == "" {
		return Metrics
	}
	return s
}

// Stage names the part of Weir where something was discarded.
type Stage string

// The stages that discard.
const (
	StageIngest     Stage = "ingest"
	StageAggregator Stage = "aggregator"
)
