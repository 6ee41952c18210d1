package schemas

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

	Packet Packet // MQTT QoS 1 without a number: what the fold needs to tell a repeat
}

// Attr is one attribute of a reading. Attributes are sorted by key.
type Attr struct{ Key, Value string }

// Value is one metric of a reading. Each is one Record, the unit of every count.
type Value struct {
	Metric string
	Value  float64
}

// Packet identifies an MQTT QoS 1 publish for readings that have no number. A
// publish with Dup set whose ID and Hash are among the device's last ones is a
// repeat. The zero Packet says that there is none.
type Packet struct {
	ID   uint16 // packet identifier, never 0 in QoS 1
	Hash uint32 // of the payload and the reading's place in it
	Dup  bool
}
