package schemas

import (
	"encoding/binary"
	"slices"
)

// A frame as bytes, version 3; without column 20 it is written as version 2, and without any of 14 to 18 as 1:
//
//	byte     1, 2 or 3    the version
//	msgpack  [ agent, n, arrived_before, flags,
//	           [time, wall, error, quality],             the agent's time; empty where nobody knows it
//	           [revision, from, document],               empty unless flags & 4
//	           [tenant, signal, outcome, reason, n, …],  rows of five
//	           strings, sources, refused, readings, records, packets,   how many of each
//	           [column, bytes, …] ]                      ids, rising, and lengths of the columns that follow
//	bytes    the columns, in that order
//
//	flags: 1 resumed, 2 tick, 4 config
//
// Columns (uvarint and zigzag varint as in encoding/binary; an empty column is
// left out; a column of an unknown id is skipped):
//
//	1 strings   n × (uvarint length, bytes)
//	2 sources   n × (uvarint tenant, device, boot<<1|numbered, attributes, attributes × uvarint)
//	3 refused   n × (uvarint source, uvarint seq)
//	4 from      readings × uvarint source
//	5 seq       numbered readings × zigzag, delta to the same source's last number in this frame, first to 0
//	6 event     byte u, then readings × zigzag, delta to the reading before in units of 10^u ns, first to 0
//	7 ingest    readings × zigzag, delta to the reading before in ms, first to 0
//	8 values    cycle over readings: uvarint records of the reading; left out: each has one
//	9 metric    cycle over records: uvarint string
//	10 scale    to the end × (uvarint string, byte scale): how the values of metrics are written
//	11 scaled   records of a metric with a unit × zigzag n for the value n/unit
//	12 wide     records of other metrics × float32 or float64, little endian
//	13 packets  n × (uvarint reading, uvarint id<<1|dup, uint32 hash little endian)
//	14 kinds    to the end × (uvarint records, byte kind); left out: all are samples
//	15 streams  records of a cumulative kind × (uint64 stream little endian, zigzag start, delta to the one before in ns, first to 0)
//	16 sketches records of a histogram kind × (uvarint length, bytes)
//	17 requests to the end × (uvarint reading, uint64 hash little endian, uvarint index)
//	18 traces   to the end × (uvarint reading, 16 bytes trace, 8 bytes span)
//	19 numbered uvarint numbered_before; left out: 0
//	20 logs     to the end × (uvarint reading, uvarint length, bytes)
//
// A cycle begins again where it ends: a column that repeats itself is written once.
// Scales: 0, or none, float64; 9 float32; else the unit is 1: 1, 2: 10, 3: 100, 4: 1e3,
// 5: 1024, 6: 1e4, 7: 1e5, 8: 1e6, 10: 1e7, 11: 1e8, 12: 1e9. See frame_scale.go.
const (
	colStrings = iota + 1
	colSources
	colRefused
	colFrom
	colSeq
	colEvent
	colIngest
	colValues
	colMetric
	colScale
	colScaled
	colWide
	colPackets
	colKinds
	colStreams
	colSketches
	colRequests
	colTraces
	colNumbered
	colLogs
	colEnd
)

const (
	flagResumed = 1 << iota
	flagTick
	flagConfig
)

// FrameEncoder turns frames into bytes. It keeps its buffers; one goroutine
// uses it at a time.
type FrameEncoder struct {
	head  *headWriter
	body  []byte
	last  []uint64 // by source
	scale []scale  // by string
}

// Append appends the frame's bytes to b.
func (e *FrameEncoder) Append(b []byte, f *Frame) []byte {
	if e.head == nil {
		e.head = newHeadWriter()
	}
	e.scale = chooseScales(e.scale, f)
	var ends [colEnd]int
	e.body = e.body[:0]
	for id := colStrings; id < colEnd; id++ {
		e.column(id, f)
		ends[id] = len(e.body)
	}
	e.header(f, &ends)
	b = e.head.appendTo(b)
	return append(b, e.body...)
}

func (e *FrameEncoder) header(f *Frame, ends *[colEnd]int) {
	w := e.head
	w.reset(f.version())
	w.array(14)
	w.str(f.Agent)
	w.uint(f.N)
	w.uint(f.ArrivedBefore)
	w.uint(bit(f.Resumed)*flagResumed | bit(f.HasTick)*flagTick | bit(f.Config != nil)*flagConfig)
	writeTick(w, f)
	writeConfig(w, f.Config)
	writeFlow(w, f.Flow)
	for _, n := range [...]int{len(f.Strings), len(f.Sources), len(f.Refused), len(f.From), len(f.Value), len(f.Packets)} {
		w.uint(uint64(n))
	}
	columns := 0
	for id := colStrings; id < colEnd; id++ {
		if ends[id] > ends[id-1] {
			columns++
		}
	}
	w.array(2 * columns)
	for id := colStrings; id < colEnd; id++ {
		if n := ends[id] - ends[id-1]; n > 0 {
			w.uint(uint64(id))
			w.uint(uint64(n))
		}
	}
}

func writeTick(w *headWriter, f *Frame) {
	if !f.HasTick && f.Tick == (Tick{}) {
		w.array(0)
		return
	}
	w.array(4)
	w.int(f.Tick.Time)
	w.int(f.Tick.Wall)
	w.int(f.Tick.Error)
	w.uint(uint64(f.Tick.Quality))
}

func writeConfig(w *headWriter, c *Config) {
	if c == nil {
		w.array(0)
		return
	}
	w.array(3)
	w.uint(c.Revision)
	w.int(c.From)
	w.bin(c.Document)
}

func writeFlow(w *headWriter, flow []Flow) {
	w.array(5 * len(flow))
	for i := range flow {
		w.str(flow[i].Tenant)
		w.str(string(flow[i].Signal))
		w.str(string(flow[i].Outcome))
		w.str(string(flow[i].Reason))
		w.uint(flow[i].N)
	}
}

func (e *FrameEncoder) column(id int, f *Frame) {
	switch id {
	case colStrings:
		for _, s := range f.Strings {
			e.body = appendString(e.body, s)
		}
	case colSources:
		e.sources(f)
	case colRefused:
		for _, r := range f.Refused {
			e.body = binary.AppendUvarint(e.body, uint64(r.Source))
			e.body = binary.AppendUvarint(e.body, r.Seq)
		}
	case colFrom:
		e.body = appendUvarints(e.body, f.From)
	case colSeq:
		e.seq(f)
	case colEvent:
		e.event(f.EventTime)
	case colIngest:
		e.ingest(f.IngestTime)
	case colValues:
		if len(f.Value) != len(f.From) || !cyclic(f.Values, 1) {
			e.body = appendCycle(e.body, f.Values, 1)
		}
	case colMetric:
		e.metric(f)
	case colScale:
		for m, s := range e.scale {
			if s != scaleFloat64 {
				e.body = append(binary.AppendUvarint(e.body, uint64(m)), byte(s))
			}
		}
	case colScaled:
		for i, v := range f.Value {
			if unit := units[e.scale[f.Metric[i]]]; unit != 0 {
				n, _ := scaled(v, unit)
				e.body = binary.AppendVarint(e.body, n)
			}
		}
	case colWide:
		for i, v := range f.Value {
			e.body = e.scale[f.Metric[i]].appendWide(e.body, v)
		}
	case colPackets:
		for _, p := range f.Packets {
			e.body = binary.AppendUvarint(e.body, uint64(p.Reading))
			e.body = binary.AppendUvarint(e.body, uint64(p.ID)<<1|bit(p.Dup))
			e.body = binary.LittleEndian.AppendUint32(e.body, p.Hash)
		}
	case colNumbered:
		if f.NumberedBefore > 0 {
			e.body = binary.AppendUvarint(e.body, f.NumberedBefore)
		}
	default:
		e.otlp(id, f)
	}
}

func (e *FrameEncoder) sources(f *Frame) {
	for i := range f.Sources {
		s := &f.Sources[i]
		e.body = binary.AppendUvarint(e.body, uint64(s.Tenant))
		e.body = binary.AppendUvarint(e.body, uint64(s.Device))
		e.body = binary.AppendUvarint(e.body, uint64(s.Boot)<<1|bit(s.Numbered))
		e.body = binary.AppendUvarint(e.body, uint64(len(s.Attrs)))
		e.body = appendUvarints(e.body, s.Attrs)
	}
}

func (e *FrameEncoder) seq(f *Frame) {
	e.last = zeros(e.last, len(f.Sources))
	for i, from := range f.From {
		if f.Sources[from].Numbered {
			e.body = binary.AppendVarint(e.body, int64(f.Seq[i]-e.last[from]))
			e.last[from] = f.Seq[i]
		}
	}
}

func (e *FrameEncoder) event(times []int64) {
	if len(times) == 0 {
		return
	}
	exp, unit := timeUnit(times)
	e.body = append(e.body, exp)
	last := int64(0)
	for _, t := range times {
		e.body = binary.AppendVarint(e.body, t/unit-last)
		last = t / unit
	}
}

func (e *FrameEncoder) ingest(times []int64) {
	last := int64(0)
	for _, t := range times {
		e.body = binary.AppendVarint(e.body, t/1e6-last)
		last = t / 1e6
	}
}

// metric writes one cycle where each reading has the metrics of the first.
func (e *FrameEncoder) metric(f *Frame) {
	period := 1
	if len(f.Values) > 0 && !cyclic(f.Metric, 1) {
		period = int(f.Values[0])
	}
	e.body = appendCycle(e.body, f.Metric, period)
}

// timeUnit is the coarsest of s, ms, µs and ns that holds all times exactly.
func timeUnit(times []int64) (exp byte, unit int64) {
	exp, unit = 9, 1e9
	for _, t := range times {
		for t%unit != 0 {
			exp, unit = exp-3, unit/1e3
		}
	}
	return exp, unit
}

// cyclic reports whether v repeats itself after period elements.
func cyclic(v []uint32, period int) bool {
	return period > 0 && period <= len(v) && slices.Equal(v[period:], v[:len(v)-period])
}

func appendCycle(b []byte, v []uint32, period int) []byte {
	if cyclic(v, period) {
		v = v[:period]
	}
	return appendUvarints(b, v)
}

func appendUvarints(b []byte, v []uint32) []byte {
	for _, x := range v {
		b = binary.AppendUvarint(b, uint64(x))
	}
	return b
}
