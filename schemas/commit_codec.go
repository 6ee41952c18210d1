package schemas

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// A commit entry as bytes, version 1:
//
//	byte     1            the version
//	msgpack  [ producer, epoch, n, run_first, end,
//	           in_first, in_last, in_hash, time, wall, config_rev, digest,
//	           [view, size, uplink, publish, on_time_through, final_through, emitted, open, late, …],   rows of nine
//	           [tenant, signal, stage, outcome, reason, n, …],                                           rows of six
//	           [source, from, to, records, …],                                                           rows of four
//	           strings, views, windows, local, early,                 how many of each
//	           bytes of tables, of windows, of local, of early ]
//	bytes    tables:  strings × (uvarint length, bytes)
//	                  views × (uvarint name, uvarint dims, dims × uvarint string)
//	         windows: rows, see below; for the tier above
//	         local:   rows; a forwarder strips them
//	         early:   rows; a forwarder strips them
//
// A window's row, integers as in encoding/binary, floats little endian:
//
//	uvarint view · uvarint tenant · dims × uvarint string
//	zigzag  start, delta to the row before · uvarint end − start
//	uvarint n − first_n, 0 in its first entry · uvarint revision · byte timing
//	uvarint count, late_count · float sum, min, max
//	zigzag  first.time − start · float first.value · uint64 first.id · the same for last
//	uvarint length, sketch · uint64 digest
//	uvarint expected, seen · uvarint missing, missing × uvarint string
//	uvarint clock_error · uvarint config_rev
//	uvarint exemplars, exemplars × (zigzag time − start, float value, uint64 id, uvarint string)
//
// An early value's row: uvarint tenant, device, metric, count · float mean, min, max, last

// CommitEncoder turns entries into bytes. It keeps its buffers; one goroutine
// uses it at a time.
type CommitEncoder struct {
	head    *headWriter
	strings map[string]uint32
	table   []byte // of the strings
	views   []viewTable
	rows    []byte
	n       uint64 // of the entry
}

// viewTable is a view's name and dimensions. After a change of policy windows
// of one view may have different ones.
type viewTable struct {
	name string
	dims []string
}

// Append appends the entry's bytes to b. Windows must have one key value per
// dimension.
func (e *CommitEncoder) Append(b []byte, c *Commit) []byte {
	e.begin(c)
	windows := e.windows(c.Windows)
	local := e.windows(c.Local)
	early := len(e.rows)
	for i := range c.Early {
		e.early(&c.Early[i])
	}
	views := e.viewTables()
	e.header(c, len(e.table)+len(views), windows, local, len(e.rows)-early)
	b = e.head.appendTo(b)
	b = append(b, e.table...)
	b = append(b, views...)
	return append(b, e.rows...)
}

// RowSize bounds the bytes that a window adds to an entry, so that a run can be
// cut before an entry is too large.
func RowSize(w *Window) int {
	const numbers, text = 192, 10 // the row without lists; the index and length of a string
	n := numbers + len(w.Sketch) + len(w.View) + text + len(w.Key.Tenant) + text
	for _, list := range [...][]string{w.Dims, w.Key.Values, w.Missing} {
		for _, s := range list {
			n += len(s) + text
		}
	}
	for i := range w.Exemplars {
		n += 26 + len(w.Exemplars[i].TraceID) + text
	}
	return n
}

func (e *CommitEncoder) begin(c *Commit) {
	if e.head == nil {
		e.head = newHeadWriter()
		e.strings = map[string]uint32{}
	}
	clear(e.strings)
	e.table, e.views, e.rows, e.n = e.table[:0], e.views[:0], e.rows[:0], c.N
}

func (e *CommitEncoder) header(c *Commit, tables, windows, local, early int) {
	w := e.head
	w.reset(CommitVersion)
	w.array(24)
	w.str(c.Producer)
	w.bin(c.Epoch[:])
	w.uint(c.N)
	w.uint(c.RunFirst)
	w.bool(c.End)
	w.uint(c.InFirst)
	w.uint(c.InLast)
	w.uint(c.InHash)
	w.int(c.Time)
	w.int(c.Wall)
	w.uint(c.ConfigRev)
	w.uint(c.Digest)
	w.array(9 * len(c.Views))
	for i := range c.Views {
		v := &c.Views[i]
		w.str(v.View)
		w.int(v.Size)
		w.str(string(v.Uplink))
		w.bool(v.Publish)
		w.int(v.OnTimeThrough)
		w.int(v.FinalThrough)
		w.uint(v.Emitted)
		w.uint(v.Open)
		w.uint(v.Late)
	}
	w.array(6 * len(c.Totals))
	for i := range c.Totals {
		t := &c.Totals[i]
		w.str(t.Tenant)
		w.str(string(t.Signal))
		w.str(string(t.Stage))
		w.str(string(t.Outcome))
		w.str(string(t.Reason))
		w.uint(t.N)
	}
	w.array(4 * len(c.Holes))
	for _, h := range c.Holes {
		w.str(h.Source)
		w.uint(h.From)
		w.uint(h.To)
		w.uint(h.Records)
	}
	for _, n := range [...]int{
		len(e.strings), len(e.views), len(c.Windows), len(c.Local), len(c.Early),
		tables, windows, local, early,
	} {
		w.uint(uint64(n))
	}
}

func (e *CommitEncoder) string(s string) uint64 {
	if i, ok := e.strings[s]; ok {
		return uint64(i)
	}
	i := uint32(len(e.strings))
	e.strings[s] = i
	e.table = appendString(e.table, s)
	return uint64(i)
}

// view finds or adds the table of a window's view. There are few.
func (e *CommitEncoder) view(w *Window) uint64 {
	for i := range e.views {
		if v := &e.views[i]; v.name == w.View && slices.Equal(v.dims, w.Dims) {
			return uint64(i)
		}
	}
	e.views = append(e.views, viewTable{w.View, w.Dims})
	return uint64(len(e.views) - 1)
}

func (e *CommitEncoder) viewTables() (b []byte) {
	for _, v := range e.views {
		b = binary.AppendUvarint(b, e.string(v.name))
		b = binary.AppendUvarint(b, uint64(len(v.dims)))
		for _, d := range v.dims {
			b = binary.AppendUvarint(b, e.string(d))
		}
	}
	return b
}

func (e *CommitEncoder) windows(ws []Window) (size int) {
	before, start := len(e.rows), int64(0)
	for i := range ws {
		e.window(&ws[i], start)
		start = ws[i].Start
	}
	return len(e.rows) - before
}

func (e *CommitEncoder) window(w *Window, start int64) {
	if len(w.Key.Values) != len(w.Dims) {
		panic(fmt.Sprintf("BUG: window of view %s has key %q for dimensions %q", w.View, w.Key.Values, w.Dims))
	}
	b := binary.AppendUvarint(e.rows, e.view(w))
	b = binary.AppendUvarint(b, e.string(w.Key.Tenant))
	for _, v := range w.Key.Values {
		b = binary.AppendUvarint(b, e.string(v))
	}
	b = binary.AppendVarint(b, w.Start-start)
	b = binary.AppendUvarint(b, uint64(w.End-w.Start))
	b = binary.AppendUvarint(b, e.n-w.FirstN)
	b = binary.AppendUvarint(b, uint64(w.Revision))
	b = append(b, byte(w.Timing))
	b = binary.AppendUvarint(b, w.Count)
	b = binary.AppendUvarint(b, w.LateCount)
	b = appendFloat(appendFloat(appendFloat(b, w.Sum), w.Min), w.Max)
	b = appendPoint(b, w.First, w.Start)
	b = appendPoint(b, w.Last, w.Start)
	b = appendBytes(b, w.Sketch)
	b = binary.LittleEndian.AppendUint64(b, w.Digest)
	b = binary.AppendUvarint(b, uint64(w.Expected))
	b = binary.AppendUvarint(b, uint64(w.Seen))
	b = binary.AppendUvarint(b, uint64(len(w.Missing)))
	for _, m := range w.Missing {
		b = binary.AppendUvarint(b, e.string(m))
	}
	b = binary.AppendUvarint(b, uint64(w.ClockError))
	b = binary.AppendUvarint(b, w.ConfigRev)
	b = binary.AppendUvarint(b, uint64(len(w.Exemplars)))
	for i := range w.Exemplars {
		b = appendPoint(b, w.Exemplars[i].Point, w.Start)
		b = binary.AppendUvarint(b, e.string(w.Exemplars[i].TraceID))
	}
	e.rows = b
}

func appendPoint(b []byte, p Point, start int64) []byte {
	b = binary.AppendVarint(b, p.Time-start)
	b = appendFloat(b, p.Value)
	return binary.LittleEndian.AppendUint64(b, p.ID)
}

func (e *CommitEncoder) early(v *Early) {
	b := e.rows
	for _, s := range [...]string{v.Tenant, v.Device, v.Metric} {
		b = binary.AppendUvarint(b, e.string(s))
	}
	b = binary.AppendUvarint(b, v.Count)
	for _, f := range [...]float64{v.Mean, v.Min, v.Max, v.Last} {
		b = appendFloat(b, f)
	}
	e.rows = b
}

// Parts of a commit to decode.
type Parts uint8

// Head alone is always decoded.
const (
	WithWindows Parts = 1 << iota
	WithLocal
	WithEarly
	WithAll = WithWindows | WithLocal | WithEarly
)

// CommitDecoder turns bytes into entries. One goroutine uses it at a time.
type CommitDecoder struct{ head *headReader }

// Decode decodes the head of an entry and the wanted parts. The commit does not
// alias b, but for the sketches, which do.
func (d *CommitDecoder) Decode(b []byte, want Parts) (*Commit, error) {
	c, err := d.decode(b, want)
	if err != nil {
		return nil, fmt.Errorf("decode commit of %d bytes: %w", len(b), err)
	}
	return c, nil
}

type commitCounts struct{ strings, views, windows, local, early, tablesLen, windowsLen, localLen, earlyLen int }

func (d *CommitDecoder) decode(b []byte, want Parts) (*Commit, error) {
	if len(b) == 0 {
		return nil, errShort
	}
	if err := checkVersion("commit", int(b[0]), CommitVersion); err != nil {
		return nil, err
	}
	if d.head == nil {
		d.head = newHeadReader()
	}
	d.head.reset(b[1:])
	var n commitCounts
	c, err := d.decodeHead(&n)
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	body := b[len(b)-d.head.rest():]
	if n.tablesLen+n.windowsLen+n.localLen+n.earlyLen != len(body) {
		return nil, fmt.Errorf("body of %d bytes, want %d", len(body), n.tablesLen+n.windowsLen+n.localLen+n.earlyLen)
	}
	if want == 0 {
		return c, nil
	}
	t, err := decodeTables(body[:n.tablesLen], n)
	if err != nil {
		return nil, fmt.Errorf("tables: %w", err)
	}
	body = body[n.tablesLen:]
	if want&WithWindows != 0 {
		if c.Windows, err = t.windows(body[:n.windowsLen], n.windows, c); err != nil {
			return nil, fmt.Errorf("windows: %w", err)
		}
	}
	body = body[n.windowsLen:]
	if want&WithLocal != 0 {
		if c.Local, err = t.windows(body[:n.localLen], n.local, c); err != nil {
			return nil, fmt.Errorf("local windows: %w", err)
		}
	}
	if want&WithEarly != 0 {
		if c.Early, err = t.earlies(body[n.localLen:], n.early); err != nil {
			return nil, fmt.Errorf("early values: %w", err)
		}
	}
	return c, nil
}

func (d *CommitDecoder) decodeHead(n *commitCounts) (*Commit, error) {
	r := d.head
	r.fields(24)
	c := &Commit{Producer: r.name(), Epoch: r.epoch()}
	c.N, c.RunFirst, c.End = r.uint(), r.uint(), r.bool()
	c.InFirst, c.InLast, c.InHash = r.uint(), r.uint(), r.uint()
	c.Time, c.Wall, c.ConfigRev, c.Digest = r.int(), r.int(), r.uint(), r.uint()
	c.Views = readProgress(r)
	c.Totals = readTotals(r)
	c.Holes = readHoles(r)
	for _, p := range [...]*int{
		&n.strings, &n.views, &n.windows, &n.local, &n.early,
		&n.tablesLen, &n.windowsLen, &n.localLen, &n.earlyLen,
	} {
		*p = r.size()
	}
	if r.err == nil && (c.RunFirst == 0 || c.RunFirst > c.N) {
		r.fail(fmt.Errorf("entry %d of a run from %d", c.N, c.RunFirst))
	}
	return c, r.err
}

func readProgress(r *headReader) (rows []Progress) {
	n := r.rows(9)
	rows = slices.Grow(rows, n)
	for ; n > 0 && r.err == nil; n-- {
		rows = append(rows, Progress{
			View: r.name(), Size: r.int(), Uplink: Tier(r.name()), Publish: r.bool(), OnTimeThrough: r.int(), FinalThrough: r.int(),
			Emitted: r.uint(), Open: r.uint(), Late: r.uint(),
		})
	}
	return rows
}

func readTotals(r *headReader) (rows []Total) {
	n := r.rows(6)
	rows = slices.Grow(rows, n)
	for ; n > 0 && r.err == nil; n-- {
		rows = append(rows, Total{
			Tenant: r.name(), Signal: Signal(r.name()), Stage: Stage(r.name()),
			Outcome: Outcome(r.name()), Reason: Reason(r.name()), N: r.uint(),
		})
	}
	return rows
}

func readHoles(r *headReader) (rows []Hole) {
	n := r.rows(4)
	rows = slices.Grow(rows, n)
	for ; n > 0 && r.err == nil; n-- {
		rows = append(rows, Hole{Source: r.name(), From: r.uint(), To: r.uint(), Records: r.uint()})
	}
	return rows
}

type commitTables struct {
	strings []string
	views   []viewTable
}

func decodeTables(b []byte, n commitCounts) (*commitTables, error) {
	r := reader{b: b}
	t := &commitTables{}
	if n.strings > len(b) || n.views > len(b) {
		return nil, errLimit
	}
	t.strings = make([]string, 0, n.strings)
	for k := n.strings; k > 0 && r.err == nil; k-- {
		t.strings = append(t.strings, r.string())
	}
	t.views = make([]viewTable, n.views)
	for i := range t.views {
		v := &t.views[i]
		v.name = t.str(&r)
		k := r.count(1)
		v.dims = slices.Grow(v.dims, k)
		for ; k > 0 && r.err == nil; k-- {
			v.dims = append(v.dims, t.str(&r))
		}
	}
	return t, r.rest()
}

func (t *commitTables) str(r *reader) string {
	if i := r.index(len(t.strings)); r.err == nil {
		return t.strings[i]
	}
	return ""
}

func (t *commitTables) windows(b []byte, n int, c *Commit) ([]Window, error) {
	const smallest = 82 // bytes of a row
	if n > len(b)/smallest {
		return nil, errLimit
	}
	r := reader{b: b}
	out := slices.Grow([]Window(nil), n)[:n]
	start := int64(0)
	for i := range out {
		t.window(&r, &out[i], c, start)
		start = out[i].Start
		if r.err != nil {
			return nil, fmt.Errorf("row %d: %w", i, r.err)
		}
	}
	return out, r.rest()
}

func (t *commitTables) window(r *reader, w *Window, c *Commit, start int64) {
	v := r.index(len(t.views))
	if r.err != nil {
		return
	}
	w.View, w.Dims = t.views[v].name, t.views[v].dims
	w.Contributor, w.Epoch = c.Producer, c.Epoch
	w.Key.Tenant = t.str(r)
	w.Key.Values = slices.Grow(w.Key.Values, len(w.Dims))
	for range w.Dims {
		w.Key.Values = append(w.Key.Values, t.str(r))
	}
	w.Start = start + r.varint()
	w.End = w.Start + r.uvarint63()
	back := r.uvarint()
	w.FirstN = c.N - back
	w.Revision = r.uvarint32()
	w.Timing = Timing(r.byte())
	w.Count, w.LateCount = r.uvarint(), r.uvarint()
	w.Sum, w.Min, w.Max = r.float64(), r.float64(), r.float64()
	w.First, w.Last = r.point(w.Start), r.point(w.Start)
	if sketch := r.bytes(); len(sketch) > 0 {
		w.Sketch = sketch
	}
	w.Digest = r.uint64()
	w.Expected, w.Seen = r.uvarint32(), r.uvarint32()
	n := r.count(1)
	w.Missing = slices.Grow(w.Missing, n)
	for ; n > 0 && r.err == nil; n-- {
		w.Missing = append(w.Missing, t.str(r))
	}
	w.ClockError, w.ConfigRev = r.uvarint63(), r.uvarint()
	n = r.count(18)
	w.Exemplars = slices.Grow(w.Exemplars, n)
	for ; n > 0 && r.err == nil; n-- {
		w.Exemplars = append(w.Exemplars, Exemplar{Point: r.point(w.Start), TraceID: t.str(r)})
	}
	if r.err == nil {
		r.err = w.check(back < c.N)
	}
}

// check refuses windows that no fold makes.
func (w *Window) check(known bool) error {
	switch {
	case w.End <= w.Start:
		return fmt.Errorf("window [%d, %d) is empty", w.Start, w.End)
	case !known || w.Revision == 0:
		return fmt.Errorf("revision %d of a part that begins before the first entry", w.Revision)
	case w.Timing < OnTime || w.Timing > FinalTiming:
		return fmt.Errorf("timing %d is unknown", w.Timing)
	case w.Count == 0 || w.LateCount > w.Count:
		return fmt.Errorf("%d late of %d records", w.LateCount, w.Count)
	case !finite(w.Sum, w.Min, w.Max, w.First.Value, w.Last.Value) || w.Min > w.Max:
		return fmt.Errorf("sum %v, min %v, max %v, first %v, last %v", w.Sum, w.Min, w.Max, w.First.Value, w.Last.Value)
	}
	for _, e := range w.Exemplars {
		if !finite(e.Value) {
			return fmt.Errorf("exemplar %v", e.Value)
		}
	}
	return nil
}

func (t *commitTables) earlies(b []byte, n int) ([]Early, error) {
	const size = 4 + 4*8
	if n > len(b)/size {
		return nil, errLimit
	}
	r := reader{b: b}
	out := slices.Grow([]Early(nil), n)
	for ; n > 0 && r.err == nil; n-- {
		v := Early{
			Tenant: t.str(&r), Device: t.str(&r), Metric: t.str(&r), Count: r.uvarint(),
			Mean: r.float64(), Min: r.float64(), Max: r.float64(), Last: r.float64(),
		}
		if !finite(v.Mean, v.Min, v.Max, v.Last) {
			r.fail(fmt.Errorf("value %+v is not finite", v))
		}
		out = append(out, v)
	}
	return out, r.rest()
}

func (r *reader) point(start int64) Point {
	return Point{Time: start + r.varint(), Value: r.float64(), ID: r.uint64()}
}
