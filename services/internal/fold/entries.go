package fold

import "weir/schemas"

// position is where a stage stands in its outbox and its input.
type position struct {
	epoch   schemas.Epoch
	n       uint64 // newest entry made
	inFirst uint64 // first input sequence of the next commit
	inLast  uint64 // newest input sequence applied
}

// entries cuts results into the entries of one commit, each smaller than size
// bytes as far as single windows allow. The last is marked End and holds the
// progress. Numbers follow p.n.
func entries(producer string, p position, m Message, r *Results, size int) []*schemas.Commit {
	var run []*schemas.Commit
	cur := &schemas.Commit{}
	used := 0
	next := func() {
		cur = &schemas.Commit{Producer: producer, Epoch: p.epoch, N: p.n + uint64(len(run)) + 1, RunFirst: p.n + 1, ConfigRev: r.ConfigRev}
		run = append(run, cur)
		used = 0
	}
	next()
	var digest uint64
	for i := range r.Outputs {
		o := &r.Outputs[i]
		n := schemas.RowSize(&o.Window)
		if used > 0 && used+n > size {
			next()
		}
		used += n
		if o.Window.FirstN == 0 {
			o.Window.FirstN = cur.N
			r.Assign(i, cur.N)
		}
		place(cur, o)
		digest += o.Window.Digest + o.Window.Count
	}
	if used+earlySize*len(r.Early) > size && used > 0 {
		next()
	}
	finish(cur, p, m, r)
	cur.Digest = digest
	return run
}

// earlySize bounds the bytes of an early value.
const earlySize = 64

func place(c *schemas.Commit, o *Output) {
	if o.Local {
		c.Local = append(c.Local, o.Window)
		return
	}
	c.Windows = append(c.Windows, o.Window)
}

func finish(c *schemas.Commit, p position, m Message, r *Results) {
	c.End = true
	c.InFirst, c.InLast, c.InHash = p.inFirst, m.Seq, schemas.Hash(m.Data)
	c.Time, c.Wall = r.Time, r.Wall
	c.Views, c.Totals, c.Holes, c.Early = r.Views, r.Totals, r.Holes, r.Early
}

// Entries cuts the results of message m into the entries that a stage would
// write after entry n, for tests of cores.
func Entries(producer string, n uint64, m Message, r *Results, size int) []*schemas.Commit {
	return entries(producer, position{n: n, inFirst: 1}, m, r, size)
}
