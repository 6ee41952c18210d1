package schemas

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// A commit entry as bytes, version 5:
//
//	byte     5            the version; 4 where it knows no epochs and no view is whole, 3 without log records either,
//	                      and 2 where no window has exemplars either
//	msgpack  [ producer, epoch, n, run_first, end,
//	           in_first, in_last, in_hash, time, wall, config_rev, digest,
//	           [view, size, uplink, publish, on_time_through, final_through, emitted, open, late, …],   rows of nine
//	           [tenant, signal, stage, outcome, reason, n, …],                                           rows of six
//	           [source, from, to, records, …],                                                           rows of four
//	           strings, views, windows, local, early,                 how many of each
//	           bytes of tables, of windows, of local, of early,
//	           resumed, [] or [revision, from, document],             from here on: not in version 1
//	           findings, bytes of findings,
//	           n − first number, [epoch, from, n, state, estate, …], estate, rows of five
//	           [view, tenant, signal, n, …],                          shed; rows of four
//	           [of, tenant, signal, stage, outcome, reason, n, …],    past; rows of seven
//	           logs, bytes of logs,                                   from version 4 on
//	           [epoch, …],                                            that it knows; only in version 5, as
//	           [whole_from, whole_through, …] ]                       rows of two, one per view
//	bytes    tables:  strings × (uvarint length, bytes)
//	                  views × (uvarint name, uvarint dims, dims × uvarint string)
//	         windows: rows, see below; for the tier above
//	         local:   rows; a forwarder strips them
//	         early:   rows; a forwarder strips them
//	         findings: rows, see finding_codec.go
//	         logs:    rows, see log.go
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
//	uvarint exemplars, exemplars × (zigzag time − start, float value, 16 bytes trace, 8 bytes span)
//	uvarint widened, extra, not in version 1
//
// Before version 3 an exemplar was (zigzag time − start, float value, uint64 id, uvarint string), the string a trace in hex;
// no fold has written any.
//
// In the rows of an estate n is the entry after the last one of the epoch that it is of.
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
	findings := len(e.rows)
	for i := range c.Findings {
		e.finding(&c.Findings[i])
	}
	logs := len(e.rows)
	e.logs(c.Logs)
	views := e.viewTables()
	e.header(c, len(e.table)+len(views), windows, local, findings-early)
	e.extension(c, logs-findings)
	if c.version() > 3 {
		e.head.uint(uint64(len(c.Logs)))
		e.head.uint(uint64(len(e.rows) - logs))
	}
	if c.version() > 4 {
		e.knows(c)
	}
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
	return n + 42*len(w.Exemplars)
}

func (e *CommitEncoder) begin(c *Commit) {
	if e.head == nil {
		e.head = newHeadWriter()
		e.strings = map[string]uint32{}
	}
	clear(e.strings)
	e.table, e.views, e.rows, e.n = e.table[:0], e.views[:0], e.rows[:0], c.rowsOf()
}

func (e *CommitEncoder) header(c *Commit, tables, windows, local, early int) {
	w := e.head
	w.reset(c.version())
	w.array(commitFields[c.version()])
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
	e.totals(c.Totals)
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

// commitFields is how many fields the head has, by version.
var commitFields = [CommitVersion + 1]int{1: 24, 2: 33, 3: 33, 4: 35, 5: 37}

// extension writes what version 2 has more than version 1.
func (e *CommitEncoder) extension(c *Commit, findings int) {
	w := e.head
	w.bool(c.Resumed)
	if c.Config == nil {
		w.array(0)
	} else {
		w.array(3)
		w.uint(c.Config.Revision)
		w.int(c.Config.From)
		w.bin(c.Config.Document)
	}
	w.uint(uint64(len(c.Findings)))
	w.uint(uint64(findings))
	w.uint(c.N - c.First())
	w.array(5 * len(c.Continues))
	for i := range c.Continues {
		k := &c.Continues[i]
		w.bin(k.Epoch[:])
		w.uint(k.From)
		w.uint(k.N)
		w.uint(k.State)
		w.uint(k.Estate)
	}
	w.bool(c.Estate)
	w.array(4 * len(c.Shed))
	for i := range c.Shed {
		w.str(c.Shed[i].View)
		w.str(c.Shed[i].Tenant)
		w.str(string(c.Shed[i].Signal))
		w.uint(c.Shed[i].N)
	}
	w.array(7 * len(c.Past))
	for i := range c.Past {
		w.uint(uint64(c.Past[i].Of))
		e.total(&c.Past[i].Total)
	}
}

// knows writes what version 5 has more than version 4.
func (e *CommitEncoder) knows(c *Commit) {
	w := e.head
	w.array(len(c.Knows))
	for i := range c.Knows {
		w.bin(c.Knows[i][:])
	}
	w.array(2 * len(c.Views))
	for i := range c.Views {
		w.int(c.Views[i].WholeFrom)
		w.int(c.Views[i].WholeThrough)
	}
}

func (e *CommitEncoder) totals(rows []Total) {
	w := e.head
	w.array(6 * len(rows))
	for i := range rows {
		e.total(&rows[i])
	}
}

func (e *CommitEncoder) total(t *Total) {
	w := e.head
	w.str(t.Tenant)
	w.str(string(t.Signal))
	w.str(string(t.Stage))
	w.str(string(t.Outcome))
	w.str(string(t.Reason))
	w.uint(t.N)
}

// First is the first number that the entry stands for.
func (c *Commit) First() uint64 {
	if c.Since == 0 {
		return c.N
	}
	return c.Since
}

// version is the least version that holds the entry.
func (c *Commit) version() byte {
	whole := func(v Progress) bool { return v.WholeFrom != 0 || v.WholeThrough != 0 }
	switch {
	case len(c.Knows) > 0 || slices.ContainsFunc(c.Views, whole):
		return 5
	case len(c.Logs) > 0:
		return 4
	}
	for _, rows := range [...][]Window{c.Windows, c.Local} {
		for i := range rows {
			if len(rows[i].Exemplars) > 0 {
				return 3
			}
		}
	}
	return 2
}

// rowsOf is the number and rowEpoch the epoch of the entry that its windows are of.
func (c *Commit) rowsOf() uint64 {
	if c.Estate && len(c.Continues) > 0 {
		return c.Continues[0].Next()
	}
	return c.N
}

func (c *Commit) rowEpoch() Epoch {
	if c.Estate && len(c.Continues) > 0 {
		return c.Continues[0].Epoch
	}
	return c.Epoch
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
		x := &w.Exemplars[i]
		b = appendFloat(binary.AppendVarint(b, x.Time-w.Start), x.Value)
		b = append(append(b, x.Trace[:]...), x.Span[:]...)
	}
	b = binary.AppendUvarint(b, uint64(w.Widened))
	e.rows = binary.AppendUvarint(b, w.Extra)
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
