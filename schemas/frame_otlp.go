package schemas

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// This file has the columns of a frame that only OTLP fills.

// version is the least version that holds the frame.
func (f *Frame) version() byte {
	switch {
	case len(f.Logs) > 0:
		return 3
	case len(f.Kinds)+len(f.Requests)+len(f.Traces) > 0:
		return 2
	}
	return 1
}

func (e *FrameEncoder) otlp(id int, f *Frame) {
	switch id {
	case colKinds:
		e.kinds(f.Kinds)
	case colStreams:
		last := int64(0)
		for _, s := range f.Streams {
			e.body = binary.LittleEndian.AppendUint64(e.body, s.ID)
			e.body = binary.AppendVarint(e.body, s.Start-last)
			last = s.Start
		}
	case colSketches:
		for _, s := range f.Sketches {
			e.body = appendBytes(e.body, s)
		}
	case colRequests:
		for _, r := range f.Requests {
			e.body = binary.AppendUvarint(e.body, uint64(r.Reading))
			e.body = binary.LittleEndian.AppendUint64(e.body, r.Hash)
			e.body = binary.AppendUvarint(e.body, uint64(r.At))
		}
	case colTraces:
		for _, t := range f.Traces {
			e.body = binary.AppendUvarint(e.body, uint64(t.Reading))
			e.body = append(append(e.body, t.Trace[:]...), t.Span[:]...)
		}
	case colLogs:
		for _, l := range f.Logs {
			e.body = appendBytes(binary.AppendUvarint(e.body, uint64(l.Reading)), l.Data)
		}
	}
}

func (e *FrameEncoder) kinds(kinds []RecordKind) {
	for len(kinds) > 0 {
		n := slices.IndexFunc(kinds, func(k RecordKind) bool { return k != kinds[0] })
		if n < 0 {
			n = len(kinds)
		}
		e.body = append(binary.AppendUvarint(e.body, uint64(n)), byte(kinds[0]))
		kinds = kinds[n:]
	}
}

func decodeKinds(_ *FrameDecoder, col []byte, f *Frame, n int) error {
	r := reader{b: col}
	for r.left() > 0 {
		count, kind := r.uvarint(), r.byte()
		if kind >= byte(recordKinds) || count > uint64(n-len(f.Kinds)) {
			return fmt.Errorf("%d more records of kind %d: %w", count, kind, errLimit)
		}
		for ; count > 0; count-- {
			f.Kinds = append(f.Kinds, RecordKind(kind))
		}
	}
	if r.err == nil && len(f.Kinds) != n && len(f.Kinds) != 0 {
		return fmt.Errorf("%d kinds for %d records", len(f.Kinds), n)
	}
	return r.err
}

func decodeStreams(_ *FrameDecoder, col []byte, f *Frame, _ int) error {
	r := reader{b: col}
	last := int64(0)
	for _, k := range f.Kinds {
		if k.Cumulative() {
			id := r.uint64()
			last += r.varint()
			f.Streams = append(f.Streams, MetricStream{id, last})
		}
	}
	return r.rest()
}

func decodeSketches(_ *FrameDecoder, col []byte, f *Frame, _ int) error {
	r := reader{b: col}
	for _, k := range f.Kinds {
		if k.Histogram() {
			f.Sketches = append(f.Sketches, r.bytes())
		}
	}
	return r.rest()
}

func decodeRequests(_ *FrameDecoder, col []byte, f *Frame, n int) error {
	r := reader{b: col}
	for r.left() > 0 {
		q := RequestOf{Reading: uint32(r.index(n)), Request: Request{Hash: r.uint64(), At: r.uvarint32()}}
		if r.err == nil && len(f.Requests) > 0 && q.Reading <= f.Requests[len(f.Requests)-1].Reading {
			return fmt.Errorf("request of reading %d: %w", q.Reading, errLimit)
		}
		f.Requests = append(f.Requests, q)
	}
	return r.err
}

func decodeTraces(_ *FrameDecoder, col []byte, f *Frame, n int) error {
	r := reader{b: col}
	for r.left() > 0 {
		t := TraceOf{Reading: uint32(r.index(n))}
		copy(t.Trace[:], r.take(len(t.Trace)))
		copy(t.Span[:], r.take(len(t.Span)))
		if r.err == nil && len(f.Traces) > 0 && t.Reading <= f.Traces[len(f.Traces)-1].Reading {
			return fmt.Errorf("trace of reading %d: %w", t.Reading, errLimit)
		}
		f.Traces = append(f.Traces, t)
	}
	return r.err
}

func decodeLogs(_ *FrameDecoder, col []byte, f *Frame, n int) error {
	r := reader{b: col}
	for r.left() > 0 {
		l := LogOf{uint32(r.index(n)), r.bytes()}
		if r.err == nil && (len(l.Data) == 0 || len(f.Logs) > 0 && l.Reading <= f.Logs[len(f.Logs)-1].Reading) {
			return fmt.Errorf("log record of reading %d in %d bytes: %w", l.Reading, len(l.Data), errLimit)
		}
		f.Logs = append(f.Logs, l)
	}
	return r.err
}
