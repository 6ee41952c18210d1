package schemas

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Parts of a commit to decode.
type Parts uint8

// Head alone is always decoded.
const (
	WithWindows Parts = 1 << iota
	WithLocal
	WithEarly
	WithFindings
	WithLogs
	WithAll = WithWindows | WithLocal | WithEarly | WithFindings | WithLogs
)

// CommitDecoder turns bytes into entries. One goroutine uses it at a time.
type CommitDecoder struct{ head *headReader }

// Decode decodes the head of an entry and the wanted parts. The commit does not
// alias b, but for the sketches and the data of log records, which do.
func (d *CommitDecoder) Decode(b []byte, want Parts) (*Commit, error) {
	c, err := d.decode(b, want)
	if err != nil {
		return nil, fmt.Errorf("decode commit of %d bytes: %w", len(b), err)
	}
	return c, nil
}

type commitCounts struct {
	strings, views, windows, local, early, findings, logs                  int
	tablesLen, windowsLen, localLen, earlyLen, findingsLen, logsLen, total int
}

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
	c, err := d.decodeHead(&n, int(b[0]))
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	body := b[len(b)-d.head.rest():]
	if n.total = n.tablesLen + n.windowsLen + n.localLen + n.earlyLen + n.findingsLen + n.logsLen; n.total != len(body) {
		return nil, fmt.Errorf("body of %d bytes, want %d", len(body), n.total)
	}
	if want == 0 {
		return c, nil
	}
	t, err := decodeTables(body[:n.tablesLen], n)
	if err != nil {
		return nil, fmt.Errorf("tables: %w", err)
	}
	t.version = int(b[0])
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
	body = body[n.localLen:]
	if want&WithEarly != 0 {
		if c.Early, err = t.earlies(body[:n.earlyLen], n.early); err != nil {
			return nil, fmt.Errorf("early values: %w", err)
		}
	}
	body = body[n.earlyLen:]
	if want&WithFindings != 0 {
		if c.Findings, err = t.findings(body[:n.findingsLen], n.findings); err != nil {
			return nil, fmt.Errorf("findings: %w", err)
		}
	}
	if want&WithLogs != 0 {
		if c.Logs, err = t.logs(body[n.findingsLen:], n.logs); err != nil {
			return nil, fmt.Errorf("log records: %w", err)
		}
	}
	return c, nil
}

func (d *CommitDecoder) decodeHead(n *commitCounts, version int) (*Commit, error) {
	r := d.head
	r.fields(commitFields[version])
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
	if version > 1 {
		c.Resumed, c.Config = r.bool(), readPolicy(r)
		n.findings, n.findingsLen = r.size(), r.size()
		if folded := r.uint(); folded > 0 {
			c.Since = c.N - folded
			r.fail(c.checkSpan(folded))
		}
		c.Continues, c.Estate, c.Shed = readContinued(r), r.bool(), readShed(r)
		c.Past = readPast(r, len(c.Continues))
	}
	if version > 3 {
		n.logs, n.logsLen = r.size(), r.size()
	}
	if version > 4 {
		c.Knows = readKnows(r)
		readWhole(r, c.Views)
	}
	if r.err == nil {
		r.fail(c.checkHead())
	}
	return c, r.err
}

// checkHead refuses heads that nobody writes.
func (c *Commit) checkHead() error {
	switch {
	case c.RunFirst == 0 || c.RunFirst > c.N:
		return fmt.Errorf("entry %d of a run from %d", c.N, c.RunFirst)
	case c.Estate && len(c.Continues) == 0:
		return errors.New("an estate of no epoch")
	}
	return nil
}

// checkSpan refuses an entry that stands for other numbers than those of its run.
func (c *Commit) checkSpan(folded uint64) error {
	if folded >= c.N || c.RunFirst != c.Since || !c.End {
		return fmt.Errorf("entry %d of a run from %d stands for %d before it", c.N, c.RunFirst, folded)
	}
	return nil
}

func readContinued(r *headReader) (rows []Continuation) {
	n := r.rows(5)
	if n > MaxContinued {
		r.fail(fmt.Errorf("%d epochs before it: more than %d", n, MaxContinued))
		return nil
	}
	rows = slices.Grow(rows, n)
	for ; n > 0 && r.err == nil; n-- {
		k := Continuation{Epoch: r.epoch(), From: r.uint(), N: r.uint(), State: r.uint(), Estate: r.uint()}
		if k.From == 0 || k.From > k.N+1 || k.N >= math.MaxInt64 || k.State >= math.MaxInt64 {
			r.fail(fmt.Errorf("entries %d to %d may still come, %d are in the state", k.From, k.N, k.State))
		}
		rows = append(rows, k)
	}
	return rows
}

func readKnows(r *headReader) (epochs []Epoch) {
	for n := r.array(); n > 0 && r.err == nil; n-- {
		epochs = append(epochs, r.epoch())
	}
	return epochs
}

func readWhole(r *headReader, views []Progress) {
	if n := r.rows(2); n != len(views) && r.err == nil {
		r.fail(fmt.Errorf("%d of %d views say how far they are whole", n, len(views)))
	}
	for i := range views {
		views[i].WholeFrom, views[i].WholeThrough = r.int(), r.int()
	}
}

func readPolicy(r *headReader) *Config {
	switch n := r.array(); {
	case r.err != nil || n == 0:
		return nil
	case n != 3:
		r.fail(fmt.Errorf("policy of %d fields, want 3", n))
		return nil
	}
	return &Config{Revision: r.uint(), From: r.int(), Document: slices.Clone(r.bin())}
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
		rows = append(rows, readTotal(r))
	}
	return rows
}

func readTotal(r *headReader) Total {
	return Total{
		Tenant: r.name(), Signal: Signal(r.name()), Stage: Stage(r.name()),
		Outcome: Outcome(r.name()), Reason: Reason(r.name()), N: r.uint(),
	}
}

func readShed(r *headReader) (rows []ShedRecords) {
	n := r.rows(4)
	rows = slices.Grow(rows, n)
	for ; n > 0 && r.err == nil; n-- {
		rows = append(rows, ShedRecords{View: r.name(), Tenant: r.name(), Signal: Signal(r.name()), N: r.uint()})
	}
	return rows
}

func readPast(r *headReader, epochs int) (rows []Past) {
	n := r.rows(7)
	rows = slices.Grow(rows, n)
	for ; n > 0 && r.err == nil; n-- {
		of := r.uint()
		if of >= uint64(epochs) {
			r.fail(fmt.Errorf("a total of epoch %d of %d", of, epochs))
		}
		rows = append(rows, Past{int(of), readTotal(r)})
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
	version int
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
	w.Contributor, w.Epoch = c.Producer, c.rowEpoch()
	w.Key.Tenant = t.str(r)
	w.Key.Values = slices.Grow(w.Key.Values, len(w.Dims))
	for range w.Dims {
		w.Key.Values = append(w.Key.Values, t.str(r))
	}
	w.Start = start + r.varint()
	w.End = w.Start + r.uvarint63()
	back := r.uvarint()
	w.FirstN = c.rowsOf() - back
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
	t.exemplars(r, w)
	if t.version > 1 {
		w.Widened, w.Extra = r.uvarint32(), r.uvarint()
	}
	if r.err == nil {
		r.err = w.check(back < c.rowsOf())
	}
}

func (t *commitTables) exemplars(r *reader, w *Window) {
	if t.version < 3 {
		t.oldExemplars(r, w)
		return
	}
	n := r.count(33)
	w.Exemplars = slices.Grow(w.Exemplars, n)
	for ; n > 0 && r.err == nil; n-- {
		e := Exemplar{Time: w.Start + r.varint(), Value: r.float64()}
		copy(e.Trace[:], r.take(len(e.Trace)))
		copy(e.Span[:], r.take(len(e.Span)))
		w.Exemplars = append(w.Exemplars, e)
	}
}

// oldExemplars reads those of versions 1 and 2, which named no span.
func (t *commitTables) oldExemplars(r *reader, w *Window) {
	for n := r.count(18); n > 0 && r.err == nil; n-- {
		p := r.point(w.Start)
		e := Exemplar{Time: p.Time, Value: p.Value}
		if trace, err := hex.DecodeString(t.str(r)); err == nil && copy(e.Trace[:], trace) == len(trace) && len(trace) == len(e.Trace) && finite(e.Value) {
			w.Exemplars = w.Exemplars.Add(e)
		}
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
	case w.Count == 0 || w.Extra >= w.Count || w.LateCount > w.Records():
		return fmt.Errorf("%d values, %d of them extra, %d records late", w.Count, w.Extra, w.LateCount)
	case !finite(w.Sum, w.Min, w.Max, w.First.Value, w.Last.Value) || w.Min > w.Max:
		return fmt.Errorf("sum %v, min %v, max %v, first %v, last %v", w.Sum, w.Min, w.Max, w.First.Value, w.Last.Value)
	}
	if !w.Exemplars.sound() {
		return fmt.Errorf("exemplars %v", w.Exemplars)
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
