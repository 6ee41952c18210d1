package schemas

import (
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// FrameDecoder turns bytes into frames. It keeps its buffers; one goroutine
// uses it at a time.
type FrameDecoder struct {
	head    *headReader
	columns []frameColumn
	numbers []uint64 // of the column at hand
	last    []uint64 // by source
	scale   []scale  // by string
}

// FrameHead is what the ledger needs of a frame without its columns.
type FrameHead struct {
	Agent         string
	N             uint64
	ArrivedBefore uint64
	Flow          []Flow
	Records       int
}

// Head decodes only the head of a frame. The result does not alias b.
func (d *FrameDecoder) Head(b []byte) (FrameHead, error) {
	var f Frame
	n, _, err := d.decodeHead(b, &f)
	if err != nil {
		return FrameHead{}, fmt.Errorf("frame of %d bytes: %w", len(b), err)
	}
	return FrameHead{Agent: f.Agent, N: f.N, ArrivedBefore: f.ArrivedBefore, Flow: f.Flow, Records: n.records}, nil
}

// frameColumn is an id and a length, as the head has them.
type frameColumn struct {
	id   uint64
	size int
}

type frameCounts struct{ strings, sources, refused, readings, records, packets int }

// Decode decodes b into f, which it resets. Strings of f alias b: the frame is
// valid as long as b is unchanged and f is not decoded into again. Agent, Flow
// and Config do not alias b.
func (d *FrameDecoder) Decode(b []byte, f *Frame) error {
	f.Reset()
	n, body, err := d.decodeHead(b, f)
	if err == nil {
		err = d.decodeBody(body, f, &n)
	}
	if err != nil {
		return fmt.Errorf("frame of %d bytes: %w", len(b), err)
	}
	return nil
}

func (d *FrameDecoder) decodeHead(b []byte, f *Frame) (n frameCounts, body []byte, err error) {
	if len(b) == 0 {
		return n, nil, errShort
	}
	if err := checkVersion("frame", int(b[0]), FrameVersion); err != nil {
		return n, nil, err
	}
	if d.head == nil {
		d.head = newHeadReader()
	}
	r := d.head
	r.reset(b[1:])
	r.fields(14)
	f.Agent, f.N, f.ArrivedBefore = r.name(), r.uint(), r.uint()
	flags := r.uint()
	f.Resumed = flags&flagResumed != 0
	f.HasTick = flags&flagTick != 0
	readTick(r, f)
	readConfig(r, f, flags&flagConfig != 0)
	readFlow(r, f)
	for _, p := range [...]*int{&n.strings, &n.sources, &n.refused, &n.readings, &n.records, &n.packets} {
		*p = r.size()
	}
	d.readColumns(r)
	if r.err != nil {
		return n, nil, fmt.Errorf("decode head: %w", r.err)
	}
	return n, b[len(b)-r.rest():], nil
}

func readTick(r *headReader, f *Frame) {
	n := r.rows(4)
	if n > 1 || n == 0 && f.HasTick {
		r.fail(fmt.Errorf("%d times, of which a tick needs one", n))
	}
	if n == 0 {
		return
	}
	f.Tick = Tick{Time: r.int(), Wall: r.int(), Error: r.int(), Quality: r.uint8()}
}

func readConfig(r *headReader, f *Frame, present bool) {
	if !present {
		r.fields(0)
		return
	}
	r.fields(3)
	f.Config = &Config{Revision: r.uint(), From: r.int(), Document: slices.Clone(r.bin())}
}

func readFlow(r *headReader, f *Frame) {
	n := r.rows(5)
	f.Flow = slices.Grow(f.Flow, n)
	for ; n > 0 && r.err == nil; n-- {
		f.Flow = append(f.Flow, Flow{
			Tenant: r.name(), Signal: Signal(r.name()), Outcome: Outcome(r.name()), Reason: Reason(r.name()), N: r.uint(),
		})
	}
}

func (d *FrameDecoder) readColumns(r *headReader) {
	d.columns = d.columns[:0]
	last := uint64(0)
	for n := r.rows(2); n > 0 && r.err == nil; n-- {
		c := frameColumn{r.uint(), r.size()}
		if c.id <= last {
			r.fail(errLimit)
		}
		last = c.id
		d.columns = append(d.columns, c)
	}
}

func (d *FrameDecoder) decodeBody(body []byte, f *Frame, n *frameCounts) error {
	var cols [colEnd][]byte
	for _, c := range d.columns {
		if c.size > len(body) {
			return errShort
		}
		if c.id < colEnd {
			cols[c.id] = body[:c.size]
		}
		body = body[c.size:]
	}
	if len(body) > 0 {
		return fmt.Errorf("%d bytes behind the columns", len(body))
	}
	if err := n.check(&cols); err != nil {
		return err
	}
	for _, step := range [...]struct {
		name   string
		decode func(*FrameDecoder, []byte, *Frame, int) error
		col, n int
	}{
		{"strings", decodeStrings, colStrings, n.strings},
		{"sources", decodeSources, colSources, n.sources},
		{"refused", decodeRefused, colRefused, n.refused},
		{"from", decodeFrom, colFrom, n.readings},
		{"seq", decodeSeq, colSeq, n.readings},
		{"event time", decodeEvent, colEvent, n.readings},
		{"ingest time", decodeIngest, colIngest, n.readings},
		{"values", decodeValues, colValues, n.records},
		{"metric", decodeMetric, colMetric, n.records},
		{"scale", decodeScale, colScale, n.strings},
		{"scaled", decodeScaled, colScaled, n.records},
		{"wide", decodeWide, colWide, n.records},
		{"packets", decodePackets, colPackets, n.packets},
		{"kinds", decodeKinds, colKinds, n.records},
		{"streams", decodeStreams, colStreams, n.records},
		{"sketches", decodeSketches, colSketches, n.records},
		{"requests", decodeRequests, colRequests, n.readings},
		{"traces", decodeTraces, colTraces, n.readings},
		{"numbered", decodeNumbered, colNumbered, 1},
		{"logs", decodeLogs, colLogs, n.readings},
	} {
		if err := step.decode(d, cols[step.col], f, step.n); err != nil {
			return fmt.Errorf("decode column %s: %w", step.name, err)
		}
	}
	return nil
}

// check compares the counts with the bytes of the columns, so that nothing is
// allocated that the bytes cannot fill.
func (n *frameCounts) check(cols *[colEnd][]byte) error {
	for _, c := range [...]struct{ n, least, col int }{
		{n.strings, 1, colStrings},
		{n.sources, 4, colSources},
		{n.refused, 2, colRefused},
		{n.readings, 1, colFrom},
		{n.readings, 1, colEvent},
		{n.readings, 1, colIngest},
		{n.packets, 6, colPackets},
	} {
		if c.n*c.least > len(cols[c.col]) {
			return fmt.Errorf("column %d has %d bytes for %d elements of at least %d", c.col, len(cols[c.col]), c.n, c.least)
		}
	}
	if values := len(cols[colScaled]) + len(cols[colWide]); n.records > values {
		return fmt.Errorf("columns %d and %d have %d bytes for %d records", colScaled, colWide, values, n.records)
	}
	return nil
}

func decodeStrings(_ *FrameDecoder, col []byte, f *Frame, n int) error {
	r := reader{b: col}
	f.Strings = slices.Grow(f.Strings, n)
	for ; n > 0 && r.err == nil; n-- {
		f.Strings = append(f.Strings, alias(r.bytes()))
	}
	return r.rest()
}

func decodeNumbered(_ *FrameDecoder, col []byte, f *Frame, _ int) error {
	if len(col) == 0 {
		return nil
	}
	r := reader{b: col}
	f.NumberedBefore = r.uvarint()
	return r.rest()
}

// alias makes a string of bytes without copying them; see Frame.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func decodeSources(_ *FrameDecoder, col []byte, f *Frame, n int) error {
	r := reader{b: col}
	f.Sources = slices.Grow(f.Sources, n)
	for ; n > 0 && r.err == nil; n-- {
		f.Sources = f.Sources[:len(f.Sources)+1]
		f.Sources[len(f.Sources)-1].decode(&r, len(f.Strings))
	}
	return r.rest()
}

// decode reads a source over an older one and keeps the memory of its attributes.
func (s *Source) decode(r *reader, strings int) {
	s.Tenant, s.Device = uint32(r.index(strings)), uint32(r.index(strings))
	boot := r.uvarint()
	if boot>>1 >= uint64(strings) {
		r.fail(errLimit)
	}
	s.Boot, s.Numbered = uint32(boot>>1), boot&1 == 1
	n := r.count(1)
	if n%2 != 0 {
		r.fail(errLimit)
	}
	if n == 0 {
		s.Attrs = nil
		return
	}
	s.Attrs = slices.Grow(s.Attrs[:0], n)
	for ; n > 0 && r.err == nil; n-- {
		s.Attrs = append(s.Attrs, uint32(r.index(strings)))
	}
}

func decodeRefused(_ *FrameDecoder, col []byte, f *Frame, n int) error {
	r := reader{b: col}
	f.Refused = slices.Grow(f.Refused, n)
	for ; n > 0 && r.err == nil; n-- {
		f.Refused = append(f.Refused, Number{Source: uint32(r.index(len(f.Sources))), Seq: r.uvarint()})
	}
	return r.rest()
}

// read takes n numbers off a column that holds nothing else. They are valid
// until the next call.
func (d *FrameDecoder) read(col []byte, n int) ([]uint64, error) {
	r := reader{b: col}
	d.numbers = slices.Grow(d.numbers[:0], n)[:n]
	r.uvarints(d.numbers)
	return d.numbers, r.rest()
}

func decodeFrom(d *FrameDecoder, col []byte, f *Frame, n int) error {
	numbers, err := d.read(col, n)
	if err != nil {
		return err
	}
	f.From = slices.Grow(f.From, n)[:n]
	for i, source := range numbers {
		if source >= uint64(len(f.Sources)) {
			return errLimit
		}
		f.From[i] = uint32(source)
	}
	return nil
}

func decodeSeq(d *FrameDecoder, col []byte, f *Frame, n int) error {
	numbered := 0
	for _, from := range f.From {
		numbered += int(bit(f.Sources[from].Numbered))
	}
	numbers, err := d.read(col, numbered)
	if err != nil {
		return err
	}
	d.last = zeros(d.last, len(f.Sources))
	f.Seq = zeros(f.Seq, n)
	for i, from := range f.From {
		if f.Sources[from].Numbered {
			d.last[from] += uint64(zigzag(numbers[0]))
			f.Seq[i], numbers = d.last[from], numbers[1:]
		}
	}
	return nil
}

func decodeEvent(d *FrameDecoder, col []byte, f *Frame, n int) (err error) {
	unit := int64(1)
	if n > 0 {
		switch col[0] {
		case 0:
		case 3:
			unit = 1e3
		case 6:
			unit = 1e6
		case 9:
			unit = 1e9
		default:
			return fmt.Errorf("unit of 10^%d ns, want 0, 3, 6 or 9", col[0])
		}
		col = col[1:]
	}
	f.EventTime, err = d.deltas(col, f.EventTime, n, unit)
	return err
}

func decodeIngest(d *FrameDecoder, col []byte, f *Frame, n int) (err error) {
	f.IngestTime, err = d.deltas(col, f.IngestTime, n, 1e6)
	return err
}

func (d *FrameDecoder) deltas(col []byte, out []int64, n int, unit int64) ([]int64, error) {
	numbers, err := d.read(col, n)
	if err != nil {
		return out, err
	}
	out = slices.Grow(out, n)[:n]
	least, most := math.MinInt64/unit, math.MaxInt64/unit
	last := int64(0)
	for i, u := range numbers {
		last += zigzag(u)
		if last > most || last < least {
			return out, errLimit
		}
		out[i] = last * unit
	}
	return out, nil
}

// decodeCycle reads n indices below limit from a column that repeats itself.
func decodeCycle(col []byte, out []uint32, n, limit int) ([]uint32, error) {
	r := reader{b: col}
	out = slices.Grow(out[:0], n)
	for len(out) < n && r.left() > 0 {
		out = append(out, uint32(r.index(limit)))
	}
	if err := r.rest(); err != nil || n == 0 {
		return out, err
	}
	if len(out) == 0 {
		return out, errShort
	}
	for len(out) < n { // always a whole number of cycles
		out = append(out, out[:min(len(out), n-len(out))]...)
	}
	return out, nil
}

// oneEach is the values column where each reading has one record.
var oneEach = []byte{1}

func decodeValues(_ *FrameDecoder, col []byte, f *Frame, records int) (err error) {
	if len(col) == 0 && records == len(f.From) {
		col = oneEach[:min(1, records)]
	}
	f.Values, err = decodeCycle(col, f.Values, len(f.From), records+1)
	if err != nil {
		return err
	}
	sum := 0
	for _, n := range f.Values {
		sum += int(n)
	}
	if sum != records {
		return fmt.Errorf("%d records, want %d", sum, records)
	}
	return nil
}

func decodeMetric(_ *FrameDecoder, col []byte, f *Frame, n int) (err error) {
	f.Metric, err = decodeCycle(col, f.Metric, n, len(f.Strings))
	return err
}

func decodeScale(d *FrameDecoder, col []byte, _ *Frame, strings int) error {
	r := reader{b: col}
	d.scale = zeros(d.scale, strings)
	for r.left() > 0 {
		metric, s := r.index(strings), r.byte()
		if int(s) >= len(units) {
			return fmt.Errorf("scale %d is unknown", s)
		}
		if r.err == nil {
			d.scale[metric] = scale(s)
		}
	}
	return r.err
}

func decodeScaled(d *FrameDecoder, col []byte, f *Frame, n int) error {
	count := 0
	for _, m := range f.Metric {
		count += int(bit(units[d.scale[m]] != 0))
	}
	numbers, err := d.read(col, count)
	if err != nil {
		return err
	}
	f.Value = slices.Grow(f.Value, n)[:n]
	for i, m := range f.Metric {
		if unit := units[d.scale[m]]; unit != 0 {
			f.Value[i], numbers = float64(zigzag(numbers[0]))/unit, numbers[1:]
		}
	}
	return nil
}

func decodeWide(d *FrameDecoder, col []byte, f *Frame, n int) error {
	r := reader{b: col}
	if len(col) == 0 && len(d.numbers) == n {
		return nil // all were scaled
	}
	for i, m := range f.Metric {
		if s := d.scale[m]; units[s] == 0 {
			f.Value[i] = s.readWide(&r)
			if !finite(f.Value[i]) {
				return fmt.Errorf("value %v is not finite", f.Value[i])
			}
		}
	}
	return r.rest()
}

func decodePackets(_ *FrameDecoder, col []byte, f *Frame, n int) error {
	r := reader{b: col}
	f.Packets = slices.Grow(f.Packets, n)
	for ; n > 0 && r.err == nil; n-- {
		p := PacketOf{Reading: uint32(r.index(len(f.From)))}
		id := r.uvarint()
		if id>>1 > math.MaxUint16 {
			r.fail(errLimit)
		}
		p.ID, p.Dup, p.Hash = uint16(id>>1), id&1 == 1, r.uint32()
		f.Packets = append(f.Packets, p)
	}
	return r.rest()
}
