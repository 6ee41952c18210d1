package schemas

import (
	"slices"
	"strings"
)

// FrameBuilder collects readings into a Frame. It interns strings and sources,
// so that each travels once per frame. Not safe for concurrent use.
//
// The zero value is ready. Strings that it keeps are copied, so callers may
// reuse the memory behind their readings. What it has seen in earlier frames it
// remembers, so that the same devices cost no memory again.
type FrameBuilder struct {
	frame   Frame
	number  uint64 // of the frame under construction; entries of others are not in its tables
	strings map[string]*interned
	sources map[string]*interned
	held    int // bytes of both maps, about
	key     []byte
	flow    int     // row of the newest AddFlow
	request Request // that the next reading is of, if it is of the same as the newest
	size    int
}

// interned is a string or the key of a source, and where the frame has it.
type interned struct {
	text   string
	number uint64 // of the frame that has it, +1
	index  uint32 // in that frame's table
}

// maxHeld bounds what a builder remembers between frames, in bytes.
const maxHeld = 2 << 20

// Frame is the frame under construction. It is valid until Reset.
func (b *FrameBuilder) Frame() *Frame { return &b.frame }

// Size estimates the bytes of the encoded frame; it is never much below.
func (b *FrameBuilder) Size() int { return b.size }

// Empty reports whether there is nothing to journal.
func (b *FrameBuilder) Empty() bool {
	f := &b.frame
	return len(f.From) == 0 && len(f.Flow) == 0 && len(f.Refused) == 0 && f.Config == nil
}

// Reset starts the next frame and keeps the memory.
func (b *FrameBuilder) Reset() {
	b.frame.Reset()
	b.number++
	b.flow, b.size, b.request = 0, 0, Request{}
	if b.held > maxHeld {
		b.strings, b.sources, b.held = nil, nil, 0
	}
}

// Add appends a reading of a device.
func (b *FrameBuilder) Add(tenant, device string, r *Reading) {
	f := &b.frame
	if r.Packet.ID != 0 && !r.Numbered {
		f.Packets = append(f.Packets, PacketOf{Reading: uint32(len(f.From)), Packet: r.Packet})
		b.size += 8
	}
	if r.Request != (Request{}) || b.request != (Request{}) {
		b.asked(r.Request)
	}
	if r.Trace != (TraceID{}) {
		f.Traces = append(f.Traces, TraceOf{uint32(len(f.From)), r.Trace})
		b.size += 26
	}
	if len(r.Log) > 0 {
		f.Logs = append(f.Logs, LogOf{uint32(len(f.From)), slices.Clone(r.Log)})
		b.size += 8 + len(r.Log)
	}
	f.From = append(f.From, b.source(tenant, device, r))
	f.Seq = append(f.Seq, r.Seq*bit(r.Numbered))
	f.EventTime = append(f.EventTime, r.EventTime)
	f.IngestTime = append(f.IngestTime, r.IngestTime/1e6*1e6)
	f.Values = append(f.Values, uint32(len(r.Values)))
	for i := range r.Values {
		f.Metric = append(f.Metric, b.metric(r.Values[i].Metric, len(r.Values)))
		f.Value = append(f.Value, r.Values[i].Value)
		if r.Values[i].Kind != SampleRecord || len(f.Kinds) > 0 {
			b.kind(&r.Values[i])
		}
	}
	b.size += 14 + 10*len(r.Values)
}

// asked notes which request the next reading is of, unless it follows from the
// one before.
func (b *FrameBuilder) asked(r Request) {
	if r != b.request {
		b.frame.Requests = append(b.frame.Requests, RequestOf{uint32(len(b.frame.From)), r})
		b.size += 14
	}
	if b.request = r; r != (Request{}) {
		b.request.At++
	}
}

// kind notes what the newest record is. All before it were samples where none is
// noted yet.
func (b *FrameBuilder) kind(v *Value) {
	f := &b.frame
	for len(f.Kinds) < len(f.Value)-1 {
		f.Kinds = append(f.Kinds, SampleRecord)
	}
	f.Kinds = append(f.Kinds, v.Kind)
	if v.Kind.Cumulative() {
		f.Streams = append(f.Streams, v.MetricStream)
		b.size += 8
	}
	if v.Kind.Histogram() {
		f.Sketches = append(f.Sketches, slices.Clone(v.Sketch))
		b.size += 3 + len(v.Sketch)
	}
	b.size += 14
}

// AddRefused remembers the number of a reading that was refused, so that the
// fold does not take it for missing. Readings without a number need no such note.
func (b *FrameBuilder) AddRefused(tenant, device string, r *Reading) {
	if !r.Numbered {
		return
	}
	b.frame.Refused = append(b.frame.Refused, Number{Source: b.source(tenant, device, r), Seq: r.Seq})
	b.size += 12
}

// AddFlow adds n records to a row of the frame's ledger. outcome and reason are
// empty for arrivals.
func (b *FrameBuilder) AddFlow(tenant string, s Signal, o Outcome, why Reason, n uint64) {
	flow := b.frame.Flow
	same := func(w *Flow) bool { return w.Tenant == tenant && w.Reason == why && w.Outcome == o && w.Signal == s }
	if b.flow >= len(flow) || !same(&flow[b.flow]) {
		for b.flow = 0; b.flow < len(flow) && !same(&flow[b.flow]); {
			b.flow++
		}
	}
	if b.flow < len(flow) {
		flow[b.flow].N += n
		return
	}
	b.frame.Flow = append(flow, Flow{strings.Clone(tenant), s, o, why, n})
	b.size += 48 + len(tenant)
}

// intern finds or adds text in a map; text of a new entry is a copy.
func (b *FrameBuilder) intern(m *map[string]*interned, text string) *interned {
	if e, ok := (*m)[text]; ok {
		return e
	}
	if *m == nil {
		*m = map[string]*interned{}
	}
	e := &interned{text: strings.Clone(text)}
	(*m)[e.text] = e
	b.held += 96 + len(text)
	return e
}

// in reports whether the frame has e already; if not, it will have it at index.
func (e *interned) in(frame uint64, index int) bool {
	if e.number == frame+1 {
		return true
	}
	e.number, e.index = frame+1, uint32(index)
	return false
}

func (b *FrameBuilder) string(s string) uint32 {
	e := b.intern(&b.strings, s)
	if !e.in(b.number, len(b.frame.Strings)) {
		b.frame.Strings = append(b.frame.Strings, e.text)
		b.size += 2 + len(s)
	}
	return e.index
}

// metric is string for the next metric of a reading of n: mostly that of the reading before.
func (b *FrameBuilder) metric(name string, n int) uint32 {
	f := &b.frame
	if i := len(f.Metric) - n; i >= 0 && f.Strings[f.Metric[i]] == name {
		return f.Metric[i]
	}
	return b.string(name)
}

func (b *FrameBuilder) source(tenant, device string, r *Reading) uint32 {
	b.key = appendSource(b.key[:0], tenant, device, r)
	e := b.intern(&b.sources, alias(b.key))
	if e.in(b.number, len(b.frame.Sources)) {
		return e.index
	}
	f := &b.frame
	if len(f.Sources) < cap(f.Sources) {
		f.Sources = f.Sources[:len(f.Sources)+1]
	} else {
		f.Sources = append(f.Sources, Source{})
	}
	s := &f.Sources[e.index]
	s.Tenant, s.Device, s.Boot, s.Numbered = b.string(tenant), b.string(device), b.string(r.Boot), r.Numbered
	if s.Attrs = s.Attrs[:0]; len(r.Attrs) == 0 {
		s.Attrs = nil
	}
	for _, a := range r.Attrs {
		s.Attrs = append(s.Attrs, b.string(a.Key), b.string(a.Value))
	}
	b.size += 14 + 4*len(s.Attrs)
	return e.index
}

// appendSource appends what tells sources apart.
func appendSource(k []byte, tenant, device string, r *Reading) []byte {
	k = append(k, byte(bit(r.Numbered)))
	k = appendString(appendString(appendString(k, tenant), device), r.Boot)
	for _, a := range r.Attrs {
		k = appendString(appendString(k, a.Key), a.Value)
	}
	return k
}
