package schemas

// Frame is one message of an agent's journal: readings in columns, a tick, what
// arrived and what was discarded, or a configuration document. Whatever must
// influence a result is in some frame.
//
// A decoded frame may alias the bytes it was decoded from and is reused: it is
// valid until the next Decode into it.
type Frame struct {
	Agent string
	N     uint64 // dense per agent, from 1; a number missing is a declared hole

	// ArrivedBefore counts the records that arrived in all frames before this
	// one, so that the size of a hole is known to the unit.
	ArrivedBefore uint64
	// NumberedBefore counts those of them that devices had numbered and ingest took: what a
	// hole has of these may be among the numbers that devices miss, what else it has is not.
	NumberedBefore uint64

	Resumed bool     // first frame since ingest started: the devices' idle clocks start anew
	HasTick bool     // windows are to be closed by Tick
	Tick    Tick     // agent time when the frame was written; zero: unknown
	Config  *Config  // the whole effective document, when it changed
	Flow    []Flow   // what arrived and was discarded since the frame before
	Strings []string // the table that the columns point into

	Sources []Source // who sent; readings point here
	Refused []Number // numbers of readings that ingest refused: seen, not missing

	// One element per reading, in order of arrival.
	From       []uint32 // index into Sources
	Seq        []uint64 // the device's number; 0 where its source is not Numbered
	EventTime  []int64
	IngestTime []int64  // whole milliseconds
	Values     []uint32 // how many records this reading has

	// One element per record, reading by reading.
	Metric []uint32 // index into Strings
	Value  []float64

	Packets []PacketOf // readings that need MQTT's repeat filter, by reading

	// What only OTLP brings.
	Kinds    []RecordKind   // one per record; empty where all are samples
	Streams  []MetricStream // one per record of a cumulative kind
	Sketches [][]byte       // one per record of a histogram kind
	Requests []RequestOf    // where another request begins, by reading
	Traces   []TraceOf      // readings that belong to a trace, by reading
	Logs     []LogOf        // log records that are passed through, by reading
}

// Tick is the agent's time. It never steps and never goes back.
type Tick struct {
	Time    int64 // agent time
	Wall    int64 // wall clock at that moment, for people
	Error   int64 // bound of the clock's error, ns; 0: unknown
	Quality uint8 // 0: unknown, 1: bad, 2: good
}

// Config is a policy document that takes effect.
type Config struct {
	Revision uint64
	From     int64  // event time at which views and sizes change; limits act at once
	Document []byte // JSON, the agent's whole effective document
}

// Flow is a row of the ledger at the door, since the frame before: how many
// records arrived for a tenant (Outcome and Reason empty), or were discarded.
type Flow struct {
	Tenant  string
	Signal  Signal
	Outcome Outcome
	Reason  Reason
	N       uint64
}

// Source is a device's boot with its attributes, as one frame's readings share it.
type Source struct {
	Tenant, Device, Boot uint32 // indices into Strings
	Numbered             bool
	Attrs                []uint32 // key, value, key, value …: indices into Strings, sorted by key
}

// Number is a reading that was refused after its number was known.
type Number struct {
	Source uint32 // index into Sources
	Seq    uint64
}

// PacketOf is the packet of one reading of the frame.
type PacketOf struct {
	Reading uint32
	Packet
}

// RequestOf is where the reading at an index, and those after it up to the next
// row, are in an OTLP request.
type RequestOf struct {
	Reading uint32
	Request // of the first reading; the next one is at At+1
}

// TraceOf is the trace of one reading of the frame.
type TraceOf struct {
	Reading uint32
	TraceID
}

// LogOf is the log record that a reading of the frame is; see Reading.Log.
type LogOf struct {
	Reading uint32
	Data    []byte
}

// Readings is the number of readings in the frame.
func (f *Frame) Readings() int { return len(f.From) }

// Records is the number of records in the frame's columns, without those that
// ingest discarded.
func (f *Frame) Records() int { return len(f.Value) }

// Arrived is the number of records that the frame accounts for: those in its
// columns and those that ingest discarded.
func (f *Frame) Arrived() uint64 {
	var n uint64
	for _, w := range f.Flow {
		if w.Outcome == "" {
			n += w.N
		}
	}
	return n
}

// Numbered is the number of records in the frame's columns that devices have numbered.
func (f *Frame) Numbered() (n uint64) {
	for i, from := range f.From {
		if f.Sources[from].Numbered {
			n += uint64(f.Values[i])
		}
	}
	return n
}

// Reset empties the frame and keeps its memory.
func (f *Frame) Reset() {
	*f = Frame{
		Flow: f.Flow[:0], Strings: f.Strings[:0], Sources: f.Sources[:0], Refused: f.Refused[:0],
		From: f.From[:0], Seq: f.Seq[:0], EventTime: f.EventTime[:0], IngestTime: f.IngestTime[:0],
		Values: f.Values[:0], Metric: f.Metric[:0], Value: f.Value[:0], Packets: f.Packets[:0],
		Kinds: f.Kinds[:0], Streams: f.Streams[:0], Sketches: f.Sketches[:0], Requests: f.Requests[:0], Traces: f.Traces[:0], Logs: f.Logs[:0],
	}
}
