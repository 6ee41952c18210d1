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

	// Shed at ingest because policy wants it so.
	ByRule     Reason = "rule"        // a rule drops it
	RuleFailed Reason = "rule_failed" // a rule could not be applied to it, and drops what it cannot judge

	// Shed before the tier above has it.
	OutboxFull Reason = "outbox_full" // the outbox is at its cap, and its windows are as wide as they get

	// Shed at a gateway.
	InDoubt Reason = "in_doubt" // a lost copy of its producer's store may have brought it
)

// Outcomes of log records that policy passes through. They stand beside what became of the
// record, which is counted like any other.
const (
	Passed   Outcome = "passed"    // in a commit
	HeldBack Outcome = "held_back" // chosen by a rule, and not passed; the reason says why
)

// Reasons of HeldBack, beside OutboxFull, InDoubt and StoreLost.
const (
	LogRate     Reason = "log_rate"      // at ingest: the device has passed as many as its limit lets it
	LogTooLarge Reason = "log_too_large" // at ingest: larger than the limit, or more bytes than one request may pass
)

// OfPassing reports whether an outcome is one of passing through: no outcome of a record in the
// ledger.
func (o Outcome) OfPassing() bool { return o == Passed || o == HeldBack }

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

// Metrics of records that are not metrics. Names that begin with ReservedMetrics
// are Weir's own: devices may not use them.
const (
	ReservedMetrics = "weir."
	SpanMetric      = "weir.span" // a span's duration in seconds
	LogMetric       = "weir.log"  // a log record's severity number, 1 to 24, 0 where it has none
)

// SignalOf is the signal that records of a metric are.
func SignalOf(metric string) Signal {
	switch metric {
	case SpanMetric:
		return Traces
	case LogMetric:
		return Logs
	}
	return Metrics
}

// Stage names the part of Weir where something was discarded.
type Stage string

// The stages that discard.
const (
	StageIngest     Stage = "ingest"
	StageAggregator Stage = "aggregator"
	StageOutbox     Stage = "outbox"
	StageGateway    Stage = "gateway"
)
