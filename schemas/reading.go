package schemas

import "encoding/hex"

// Reading is one message's worth at one event time from one device: its metrics
// share its boot and number. It is what decoders make and frames carry.
type Reading struct {
	Boot       string
	Seq        uint64
	Numbered   bool  // Seq is the device's number
	EventTime  int64 // when the device observed it
	IngestTime int64 // when ingest accepted it, whole milliseconds
	Attrs      []Attr
	Values     []Value

	Packet  Packet  // MQTT QoS 1 without a number: what the fold needs to tell a repeat
	Request Request // OTLP: likewise
	Trace   TraceID // that the reading belongs to
	Log     []byte  // OTLP LogsData of the log record that the reading is, where policy passes it through; else empty
}

// Attr is one attribute of a reading. Attributes are sorted by key.
type Attr struct{ Key, Value string }

// Value is one metric of a reading. Each is one Record, the unit of every count.
type Value struct {
	Metric       string
	Value        float64
	Kind         RecordKind
	MetricStream        // of a cumulative kind
	Sketch       []byte // of a histogram: what was observed, pkg/sketch bytes; Value is its sum
}

// MetricStream is which of a device's streams of one metric a cumulative value is of,
// and since when it adds up.
type MetricStream struct {
	ID    uint64 // hash of all its attributes, those that no view looks at too
	Start int64  // ns; 0: unknown
}

// RecordKind says what the value of a record is.
type RecordKind uint8

// The kinds of records. Sums that go up and down, and increases since the last
// report, are samples.
const (
	SampleRecord     RecordKind = iota
	TotalRecord                 // a sum since Start that only goes up: what counts is its increase
	HistogramRecord             // a distribution since the last report
	HistogramsRecord            // a distribution since Start: what counts is its increase
	recordKinds                 // how many there are
)

// Cumulative reports whether the value adds up since a start.
func (k RecordKind) Cumulative() bool { return k == TotalRecord || k == HistogramsRecord }

// Histogram reports whether the record has a distribution.
func (k RecordKind) Histogram() bool { return k == HistogramRecord || k == HistogramsRecord }

// Request identifies an OTLP export request and a reading's place in it: who
// sends a request again after a lost answer sends the same bytes. The zero
// Request says that there is none.
type Request struct {
	Hash uint64 // of its bytes
	At   uint32 // index of the reading in it
}

// TraceID is a W3C trace with one span in it. Zero: none.
type TraceID struct {
	Trace [16]byte
	Span  [8]byte
}

// TraceHex is the trace in hex.
func (t *TraceID) TraceHex() string { return hex.EncodeToString(t.Trace[:]) }

// SpanHex is the span in hex; empty: none.
func (t *TraceID) SpanHex() string {
	if t.Span == [8]byte{} {
		return ""
	}
	return hex.EncodeToString(t.Span[:])
}

// Packet identifies an MQTT QoS 1 publish for readings that have no number. A
// publish with Dup set whose ID and Hash are among the device's last ones is a
// repeat. The zero Packet says that there is none.
type Packet struct {
	ID   uint16 // packet identifier, never 0 in QoS 1
	Hash uint32 // of the payload and the reading's place in it
	Dup  bool
}
