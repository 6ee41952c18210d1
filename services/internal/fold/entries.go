package fold

import "weir/schemas"

// entries cuts results into the entries of one commit, each smaller than size
// bytes as far as single rows allow. The last is marked End and holds the
// progress. Numbers follow p.n. A new part in entry n is named by firstN.
func entries(producer string, p position, m Message, r *Results, size int, firstN func(w *schemas.Window, n uint64) uint64) []*schemas.Commit {
	c := cutter{producer: producer, p: p, rev: r.ConfigRev, size: size}
	c.prepare(r.Outputs)
	c.next()
	digest := uint64(0)
	for i := range r.Outputs {
		o := &r.Outputs[i]
		cur := c.room(schemas.RowSize(&o.Window))
		if o.Window.FirstN == 0 {
			o.Window.FirstN = firstN(&o.Window, cur.N)
			r.Assign(i, o.Window.FirstN)
		}
		c.place(cur, o)
		digest += o.Window.Digest + o.Window.Count
	}
	deal(&c, r.Early, earlySize, func(e *schemas.Commit) *[]schemas.Early { return &e.Early })
	deal(&c, r.Findings, schemas.FindingSize, func(e *schemas.Commit) *[]schemas.Finding { return &e.Findings })
	deal(&c, r.Logs, schemas.PassedLogSize, func(e *schemas.Commit) *[]schemas.PassedLog { return &e.Logs })
	for i := range r.Findings {
		digest += r.Findings[i].Hash()
	}
	for i := range r.Logs {
		digest += r.Logs[i].Hash()
	}
	last := c.run[len(c.run)-1]
	finish(last, p, m, r)
	last.Digest = digest
	return c.run
}

// cutter opens the entries of one run.
type cutter struct {
	producer string
	p        position
	rev      uint64
	size     int

	run  []*schemas.Commit
	used int // bytes of rows in the newest entry

	local, windows []schemas.Window // of all entries: each has a part of them
}

// deal puts rows into the entries, as many into each as there is room for.
func deal[T any](c *cutter, rows []T, size func(*T) int, of func(*schemas.Commit) *[]T) {
	from := 0
	for i := range rows {
		part := of(c.room(size(&rows[i])))
		if len(*part) == 0 {
			from = i
		}
		*part = rows[from : i+1]
	}
}

// prepare makes room for all rows at once.
func (c *cutter) prepare(outputs []Output) {
	local := 0
	for i := range outputs {
		if outputs[i].Local {
			local++
		}
	}
	c.local = make([]schemas.Window, 0, local)
	c.windows = make([]schemas.Window, 0, len(outputs)-local)
}

func (c *cutter) next() {
	c.run = append(c.run, &schemas.Commit{
		Producer: c.producer, Epoch: c.p.epoch, N: c.p.n + uint64(len(c.run)) + 1, RunFirst: c.p.n + 1, ConfigRev: c.rev,
		Continues: c.p.continues,
	})
	c.used = 0
}

// room is the entry that takes a row of n bytes.
func (c *cutter) room(n int) *schemas.Commit {
	if c.used > 0 && c.used+n > c.size {
		c.next()
	}
	c.used += n
	return c.run[len(c.run)-1]
}

// earlySize bounds the bytes that an early value adds to an entry.
func earlySize(e *schemas.Early) int {
	const numbers, text = 48, 10 // the count and four floats; the index and length of a string
	return numbers + len(e.Tenant) + len(e.Device) + len(e.Metric) + 3*text
}

// place adds a row to the newest entry.
func (c *cutter) place(cur *schemas.Commit, o *Output) {
	all, rows := &c.windows, &cur.Windows
	if o.Local {
		all, rows = &c.local, &cur.Local
	}
	*all = append(*all, o.Window)
	*rows = (*all)[len(*all)-len(*rows)-1:]
}

func finish(c *schemas.Commit, p position, m Message, r *Results) {
	c.End = true
	c.InFirst, c.InLast, c.InHash = p.inFirst, m.Seq, schemas.Hash(m.Data)
	c.Time, c.Wall = r.Time, r.Wall
	c.Views, c.Totals, c.Holes = r.Views, r.Totals, r.Holes
	c.Config, c.Resumed, c.Knows = r.Config, r.Resumed, r.Knows
}

// Entries cuts the results of message m into the entries that a stage would
// write after entry n, for tests of cores.
func Entries(producer string, n uint64, m Message, r *Results, size int) []*schemas.Commit {
	return entries(producer, position{n: n, inFirst: 1}, m, r, size, ownNumber)
}

// ownNumber names a new part by the entry that holds it.
func ownNumber(_ *schemas.Window, n uint64) uint64 { return n }
