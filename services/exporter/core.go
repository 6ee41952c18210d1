package exporter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"weir/schemas"
	"weir/services/internal/fold"
)

// core turns the messages of an outbox into points, in stream order. Equal
// messages give equal points, whenever they are read: what was sent before a
// crash is made again to the bit.
type core struct {
	choice  choice
	base    uint64 // what was stored up to here is never exported
	sent    uint64 // what was stored up to here has been sent
	resets  uint64 // times that sums began anew because what they held was lost
	pos     uint64 // newest message applied
	sources map[string]*source
	sums    *cumulative
	ledger  ledger
	now     int64 // agent time of the newest commit
	wall    int64 // wall clock of the newest commit

	dec schemas.CommitDecoder
}

// choice says what is exported.
type choice struct {
	want     wants
	counter  func(view string) bool // whether a view keeps increases
	delta    bool
	findings bool
	logs     bool
}

// ledger is what became of the records of the views chosen. Nothing is missing:
//
//	final = shown + unreadable + overlapping, and emitted = final + open + shed.
type ledger struct {
	Shown       uint64 `json:"shown"`       // in points
	Unreadable  uint64 `json:"unreadable"`  // in windows whose values cannot be read
	Overlapping uint64 `json:"overlapping"` // in hopping windows that a sum leaves out: others hold the same records
	Shed        uint64 `json:"shed"`        // never read: the outbox was full, or memory
	Off         uint64 `json:"off"`         // differences that nothing explains: must stay 0
	Damaged     uint64 `json:"damaged"`     // messages that cannot be read, and log records

	LogsShed uint64 `json:"logs_shed,omitempty"` // log records never read: the outbox was full
}

func newCore(c choice, base uint64) *core {
	return &core{choice: c, base: base, now: never, sources: map[string]*source{}, sums: newCumulative()}
}

// apply takes one message and appends the points that it leads to.
func (c *core) apply(batch *batch, subject string, seq uint64, data []byte) error {
	c.pos = seq
	producer, kind, ok := schemas.SourceOf(subject)
	if !ok || kind != schemas.KindCommit {
		return nil
	}
	commit, err := c.dec.Decode(data, schemas.WithWindows|schemas.WithLocal|schemas.WithFindings|schemas.WithLogs)
	if err != nil || commit.Producer != producer || commit.RunFirst == 0 {
		c.ledger.Damaged++
		return fmt.Errorf("message %d of %s is no commit of it: %w", seq, subject, err)
	}
	c.now, c.wall = max(c.now, commit.Time), max(c.wall, commit.Wall)
	s := c.sources[producer]
	if s == nil {
		s = newSource(producer)
		c.sources[producer] = s
	}
	took := s.apply(commit, c.choice.want, c.full)
	if seq <= c.base {
		return nil
	}
	if seq > c.sent {
		c.ledger.Shed += took.shed
		if c.choice.logs {
			c.ledger.LogsShed += took.logs
		}
	}
	c.ledger.Off += took.off
	if took.gap && seq <= c.sent && !c.choice.delta { // what was sent cannot be added up again
		c.sums.drop(producer)
		c.resets++
	}
	err = c.export(batch, took.finals)
	if c.choice.findings {
		batch.findings = append(batch.findings, commit.Findings...)
	}
	if c.choice.logs {
		err = errors.Join(err, c.pass(batch, commit.Logs))
	}
	c.sums.sweep(c.now)
	return err
}

// pass adds the log records that are passed through.
func (c *core) pass(b *batch, logs []schemas.PassedLog) (err error) {
	for i := range logs {
		l, bad := readPassed(&logs[i])
		if bad != nil {
			c.ledger.Damaged++
			err = bad
			continue
		}
		b.passed(l)
	}
	return err
}

// full reports whether there is no room for further open parts.
func (c *core) full() bool { return c.open() >= maxOpen }

// open is how many parts may still be revised.
func (c *core) open() (n int) {
	for _, s := range c.sources {
		n += len(s.open)
	}
	return n
}

// export appends the points of final windows.
func (c *core) export(b *batch, finals []*final) (err error) {
	var windows []readable
	for _, f := range finals {
		r, bad := f.read(c.choice.counter(f.View))
		switch {
		case bad != nil:
			c.ledger.Unreadable += f.Count
			err = fmt.Errorf("window %s %v of %s: %w", f.View, f.Key.Values, schemas.RowTime(f.Start), bad)
		case c.choice.delta:
			b.points = append(b.points, delta(r.series, f, r.sketch))
			c.ledger.Shown += f.Count
		case !f.tiles():
			c.ledger.Overlapping += f.Count
		default:
			windows = append(windows, r)
			c.ledger.Shown += f.Count
		}
	}
	if len(windows) > 0 {
		b.points = c.sums.add(b.points, windows)
	}
	return err
}

// stateVersion is the first byte of a state. Versions 1, which had no exemplars, and 2,
// which had no log records, are read too. A state is a cache: one of a newer version is
// not read, and sums begin anew.
const stateVersion = 3

// append appends the whole state, as it is between two messages.
func (c *core) append(b []byte) []byte {
	b = append(b, stateVersion)
	b = binary.AppendUvarint(b, c.base)
	b = binary.AppendUvarint(b, c.pos)
	for _, n := range [...]uint64{c.ledger.Shown, c.ledger.Unreadable, c.ledger.Overlapping, c.ledger.Shed, c.ledger.Off, c.ledger.Damaged, c.ledger.LogsShed} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendVarint(b, c.now)
	b = binary.AppendVarint(b, c.sums.swept)
	b = binary.AppendUvarint(b, uint64(len(c.sources)))
	for _, name := range sortedKeys(c.sources) {
		b = c.sources[name].append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(c.sums.totals)))
	for _, id := range sortedKeys(c.sums.totals) {
		b = c.sums.totals[id].append(b)
	}
	return b
}

// restore replaces the state by one that append wrote.
func (c *core) restore(b []byte) error {
	r := fold.StateReader{B: b}
	version := r.Byte()
	if r.Err == nil && (version == 0 || version > stateVersion) {
		return fmt.Errorf("state of version %d", version)
	}
	c.base, c.pos = r.Uint(), r.Uint()
	c.ledger = ledger{Shown: r.Uint(), Unreadable: r.Uint(), Overlapping: r.Uint(), Shed: r.Uint(), Off: r.Uint(), Damaged: r.Uint()}
	if version > 2 {
		c.ledger.LogsShed = r.Uint()
	}
	c.now, c.sums.swept = r.Int(), r.Int()
	for range r.Len() {
		s := readSource(&r, version)
		c.sources[s.producer] = s
	}
	for range r.Len() {
		t := readTotal(&r)
		if t.counter = c.choice.counter(t.view); r.Err == nil {
			c.sums.totals[seriesID(t.series)] = t
		}
	}
	return r.Done()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (t *total) append(b []byte) []byte {
	for _, s := range [...]string{t.producer, t.view, t.tenant} {
		b = fold.AppendString(b, s)
	}
	b = appendStrings(appendStrings(b, t.dims), t.values)
	b = binary.AppendVarint(b, t.start)
	b = binary.AppendVarint(b, t.last)
	b = fold.AppendFloat(b, t.increase)
	b = binary.AppendUvarint(b, t.pending)
	bytes, _ := t.sum.MarshalBinary() // fails only for sketches that cannot exist here
	return fold.AppendString(b, string(bytes))
}

func readTotal(r *fold.StateReader) *total {
	t := &total{series: &series{producer: r.String(), view: r.String(), tenant: r.String()}}
	t.dims, t.values = readStrings(r), readStrings(r)
	t.start, t.last, t.increase, t.pending = r.Int(), r.Int(), r.Float(), r.Uint()
	if b := r.Bytes(); r.Err == nil {
		if err := t.sum.UnmarshalBinary(b); err != nil {
			r.Fail(err)
		}
	}
	return t
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = fold.AppendString(b, s)
	}
	return b
}

func readStrings(r *fold.StateReader) []string {
	list := make([]string, r.Len())
	for i := range list {
		list[i] = r.String()
	}
	return list
}
