package exporter

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"weir/pkg/sketch"
)

// This file writes the protobuf messages of Prometheus remote write: 1.0
// (prometheus.WriteRequest) and 2.0 (io.prometheus.write.v2.Request, rc.4).

// Field numbers.
const (
	v1Series       = 1
	v1Labels       = 1
	v1Samples      = 2
	v1Histograms   = 4
	v2Symbols      = 4
	v2Series       = 5
	v2LabelsRefs   = 1
	v2Samples      = 2
	v2Histograms   = 3
	v2Metadata     = 5
	v2MetadataType = 1
)

// Types of metrics in 2.0.
const (
	typeCounter   = 1
	typeGauge     = 2
	typeHistogram = 3
)

// writeRequest is the request of points: each series once, its samples in the
// order of time.
func writeRequest(points []point, version2 bool) (body []byte, samples int) {
	w := writer{version2: version2, symbols: map[string]uint64{"": 0}, table: []string{""}, at: map[string]int{}}
	for i := range points {
		for _, s := range points[i].samples() {
			w.add(s)
			samples++
		}
	}
	return w.bytes(), samples
}

type writer struct {
	version2 bool
	symbols  map[string]uint64
	table    []string
	at       map[string]int // index of a series by its labels
	series   []written
	scratch  []byte
}

// written is one series of a request.
type written struct {
	head, body []byte
	kind       uint64
}

func (w *writer) add(s sample) {
	id := make([]byte, 0, 128)
	for _, l := range s.labels {
		id = append(append(append(append(id, l.name...), 0), l.value...), 0)
	}
	i, known := w.at[string(id)]
	if !known {
		i = len(w.series)
		w.at[string(id)] = i
		w.series = append(w.series, written{head: w.head(s.labels), kind: s.kind()})
	}
	to := &w.series[i]
	if s.point != nil {
		w.scratch = histogram(w.scratch[:0], s.point.sketch.Native(), s.time, w.version2, s.began)
		to.body = message(to.body, w.number(v1Histograms, v2Histograms), w.scratch)
		return
	}
	w.scratch = double(w.scratch[:0], 1, s.value)
	w.scratch = varint(w.scratch, 2, uint64(s.time))
	if w.version2 && s.began != 0 {
		w.scratch = varint(w.scratch, 3, uint64(s.began))
	}
	to.body = message(to.body, w.number(v1Samples, v2Samples), w.scratch)
}

func (s *sample) kind() uint64 {
	switch {
	case s.point != nil:
		return typeHistogram
	case s.labels[0].name == "__name__" && s.labels[0].value == increaseName:
		return typeCounter
	}
	return typeGauge
}

func (w *writer) number(v1, v2 protowire.Number) protowire.Number {
	if w.version2 {
		return v2
	}
	return v1
}

// head is the labels of a series.
func (w *writer) head(labels []label) (b []byte) {
	if !w.version2 {
		for _, l := range labels {
			w.scratch = text(text(w.scratch[:0], 1, l.name), 2, l.value)
			b = message(b, v1Labels, w.scratch)
		}
		return b
	}
	w.scratch = w.scratch[:0]
	for _, l := range labels {
		w.scratch = protowire.AppendVarint(protowire.AppendVarint(w.scratch, w.symbol(l.name)), w.symbol(l.value))
	}
	return message(b, v2LabelsRefs, w.scratch)
}

func (w *writer) symbol(s string) uint64 {
	i, known := w.symbols[s]
	if !known {
		i = uint64(len(w.table))
		w.symbols[s], w.table = i, append(w.table, s)
	}
	return i
}

func (w *writer) bytes() (b []byte) {
	if w.version2 {
		for _, s := range w.table {
			b = text(b, v2Symbols, s)
		}
	}
	for _, s := range w.series {
		w.scratch = append(append(w.scratch[:0], s.head...), s.body...)
		if w.version2 {
			w.scratch = message(w.scratch, v2Metadata, varint(nil, v2MetadataType, s.kind))
		}
		b = message(b, w.number(v1Series, v2Series), w.scratch)
	}
	return b
}

// histogram appends the message Histogram, the same in both versions but for the
// time at which it began.
func histogram(b []byte, n sketch.Native, at int64, version2 bool, began int64) []byte {
	b = varint(b, 1, n.Count)
	b = double(b, 3, n.Sum)
	b = varint(b, 4, protowire.EncodeZigZag(int64(n.Schema)))
	b = double(b, 5, n.ZeroThreshold)
	b = varint(b, 6, n.ZeroCount)
	b = buckets(b, 8, 9, n.Negative)
	b = buckets(b, 11, 12, n.Positive)
	b = varint(b, 15, uint64(at))
	if version2 {
		b = varint(b, 17, uint64(began))
	}
	return b
}

// buckets appends spans and deltas of one side.
func buckets(b []byte, spans, deltas protowire.Number, side sketch.NativeBuckets) []byte {
	for _, s := range side.Spans {
		one := varint(nil, 1, protowire.EncodeZigZag(int64(s.Offset)))
		b = message(b, spans, varint(one, 2, uint64(s.Length)))
	}
	if len(side.Deltas) == 0 {
		return b
	}
	var packed []byte
	for _, d := range side.Deltas {
		packed = protowire.AppendVarint(packed, protowire.EncodeZigZag(d))
	}
	return message(b, deltas, packed)
}

func varint(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func double(b []byte, n protowire.Number, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), math.Float64bits(v))
}

func text(b []byte, n protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func message(b []byte, n protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), body)
}
