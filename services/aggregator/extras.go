package aggregator

import (
	"weir/pkg/sketch"
	"weir/schemas"
)

// unread is what of a frame's sparse columns is still to come, reading by reading.
type unread struct {
	packets  []schemas.PacketOf
	requests []schemas.RequestOf
	kinds    []schemas.RecordKind
	streams  []schemas.MetricStream
	sketches [][]byte
	traces   []schemas.TraceOf
	logs     []schemas.LogOf
	in       *schemas.Frame
	now      extras
}

// extras are what few readings have.
type extras struct {
	packet  schemas.Packet
	request schemas.Request
	trace   *schemas.TraceID // nil: none
	log     []byte           // that is passed through; empty: none
	values  []schemas.Value  // of the reading's records, where one is no sample; else empty
}

// begin starts with a frame and keeps the memory.
func (u *unread) begin(f *schemas.Frame) {
	*u = unread{
		packets: f.Packets, requests: f.Requests, kinds: f.Kinds, streams: f.Streams, sketches: f.Sketches, traces: f.Traces, logs: f.Logs, in: f,
		now: extras{values: u.now.values[:0]},
	}
}

// reading is what reading i has, whose records are first to end. It is asked for
// each, in order. The result is valid until the next call.
func (u *unread) reading(i, first, end int) *extras {
	x := &u.now
	x.packet = schemas.Packet{}
	if len(u.packets) > 0 && u.packets[0].Reading == uint32(i) {
		x.packet, u.packets = u.packets[0].Packet, u.packets[1:]
	}
	x.trace = nil
	if len(u.traces) > 0 && u.traces[0].Reading == uint32(i) {
		x.trace, u.traces = &u.traces[0].TraceID, u.traces[1:]
	}
	x.log = nil
	if len(u.logs) > 0 && u.logs[0].Reading == uint32(i) {
		x.log, u.logs = u.logs[0].Data, u.logs[1:]
	}
	if x.request.Hash != 0 {
		x.request.At++
	}
	if len(u.requests) > 0 && u.requests[0].Reading == uint32(i) {
		x.request, u.requests = u.requests[0].Request, u.requests[1:]
	}
	if len(u.kinds) > 0 {
		u.kind(first, end)
	}
	return x
}

// kind takes the columns of the records first to end.
func (u *unread) kind(first, end int) {
	u.now.values = u.now.values[:0]
	special := false
	for k := first; k < end; k++ {
		v := schemas.Value{Kind: u.kinds[k], Value: u.in.Value[k]}
		if v.Kind.Cumulative() {
			v.MetricStream, u.streams = u.streams[0], u.streams[1:]
		}
		if v.Kind.Histogram() {
			v.Sketch, u.sketches = u.sketches[0], u.sketches[1:]
		}
		special = special || v.Kind != schemas.SampleRecord
		u.now.values = append(u.now.values, v)
	}
	if !special {
		u.now.values = u.now.values[:0]
	}
}

// value is what record k of the reading is; nil: a sample.
func (x *extras) value(k int) *schemas.Value {
	if len(x.values) == 0 || x.values[k].Kind == schemas.SampleRecord {
		return nil
	}
	return &x.values[k]
}

// special turns a record that is no sample into what windows hold: a value, or the
// mean of a distribution and the distribution. ok is false for one that is in no
// window, and is booked here: of a stream too many, or a histogram that brings no
// values.
func (f *Fold) special(d *device, s *series, v *schemas.Value, t int64) (value float64, values *sketch.Sketch, ok bool) {
	var known bool
	var st *stream
	if v.Kind.Cumulative() {
		if st, known = d.streams.at(streamKey{s.metric, v.ID}); st == nil {
			s.book.crowded++
			return 0, nil, false
		}
	}
	if v.Kind == schemas.TotalRecord {
		return st.increase(v, t, f.began, known), nil, true
	}
	values = new(sketch.Sketch)
	if values.UnmarshalBinary(v.Sketch) == nil && st != nil {
		values = st.grown(values, v, t, f.began, known)
	}
	if values.Count() == 0 {
		s.book.counted++
		return 0, nil, false
	}
	return values.Sum() / float64(values.Count()), values, true
}
