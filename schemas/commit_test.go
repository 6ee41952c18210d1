package schemas

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestCommitParts decodes only what is wanted.
func TestCommitParts(t *testing.T) {
	var e CommitEncoder
	var d CommitDecoder
	rapid.Check(t, func(t *rapid.T) {
		c := commits().Draw(t, "commit")
		want := Parts(rapid.Uint8Max(uint8(WithAll)).Draw(t, "parts"))
		got, err := d.Decode(e.Append(nil, c), want)
		if err != nil {
			t.Fatal(err)
		}
		part := *c
		if want&WithWindows == 0 {
			part.Windows = nil
		}
		if want&WithLocal == 0 {
			part.Local = nil
		}
		if want&WithEarly == 0 {
			part.Early = nil
		}
		if want&WithFindings == 0 {
			part.Findings = nil
		}
		if want&WithLogs == 0 {
			part.Logs = nil
		}
		if !equal(got, &part) {
			t.Fatalf("\n got %s\nwant %s", repr(got), repr(&part))
		}
	})
}

func TestRowSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := commits().Draw(t, "commit")
		c.Windows, c.Local, c.Early, c.Findings, c.Logs = nil, nil, nil, nil, nil
		before := len(new(CommitEncoder).Append(nil, c))
		const lengths = 30 // of the parts, in the head
		most := before + lengths
		for range rapid.IntRange(1, 4).Draw(t, "windows") {
			w := windows(c).Draw(t, "window")
			c.Windows = append(c.Windows, w)
			most += RowSize(&w)
		}
		for range rapid.IntRange(0, 3).Draw(t, "findings") {
			f := findings().Draw(t, "finding")
			c.Findings = append(c.Findings, f)
			most += FindingSize(&f)
		}
		for range rapid.IntRange(0, 3).Draw(t, "logs") {
			l := passedLogs().Draw(t, "log")
			c.Logs = append(c.Logs, l)
			most += PassedLogSize(&l)
		}
		if got := len(new(CommitEncoder).Append(nil, c)); got > most {
			t.Fatalf("%d bytes, but rows were bounded to %d", got, most)
		}
	})
}

// TestTwoShapesOfAView: after a change of policy a commit may hold windows of both.
func TestTwoShapesOfAView(t *testing.T) {
	c := sampleCommit()
	w := c.Windows[0]
	w.Dims, w.Key.Values = []string{"metric"}, []string{"temp"}
	c.Windows = append(c.Windows, w, c.Windows[0])
	got, err := new(CommitDecoder).Decode(new(CommitEncoder).Append(nil, c), WithAll)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "commit", got, c)
}

// TestEstate: the windows of an estate are those of the epoch that has ended.
func TestEstate(t *testing.T) {
	c := sampleEstate()
	got, err := new(CommitDecoder).Decode(new(CommitEncoder).Append(nil, c), WithAll)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "estate", got, c)
	if w := got.Windows[0]; w.Epoch == got.Epoch || w.FirstN != got.Continues[0].Next() {
		t.Errorf("part %d of epoch %v", w.FirstN, w.Epoch)
	}
}

func TestCommitRefuses(t *testing.T) {
	f := func(what string, spoil func(*Commit, *Window)) {
		t.Helper()
		c := sampleCommit()
		spoil(c, &c.Windows[1])
		if got, err := new(CommitDecoder).Decode(new(CommitEncoder).Append(nil, c), WithAll); err == nil {
			t.Errorf("%s was decoded: %s", what, repr(got))
		}
	}
	f("an empty window", func(_ *Commit, w *Window) { w.End = w.Start })
	f("a window that ends before it starts", func(_ *Commit, w *Window) { w.End = w.Start - 1 })
	f("a part from the future", func(c *Commit, w *Window) { w.FirstN = c.N + 1 })
	f("a part from entry 0", func(_ *Commit, w *Window) { w.FirstN = 0 })
	f("revision 0", func(_ *Commit, w *Window) { w.Revision = 0 })
	f("timing 0", func(_ *Commit, w *Window) { w.Timing = 0 })
	f("timing 4", func(_ *Commit, w *Window) { w.Timing = 4 })
	f("a window without records", func(_ *Commit, w *Window) { w.Count = 0 })
	f("more late than counted", func(_ *Commit, w *Window) { w.LateCount = w.Count + 1 })
	f("min above max", func(_ *Commit, w *Window) { w.Min = w.Max + 1 })
	f("a negative clock error", func(_ *Commit, w *Window) { w.ClockError = -1 })
	f("an entry before its run", func(c *Commit, _ *Window) { c.RunFirst = c.N + 1 })
	f("an entry that stands for others than those of its run", func(c *Commit, _ *Window) { c.Since = c.RunFirst - 1 })
	f("a folded entry that is no end", func(c *Commit, _ *Window) { c.End = false })
	f("an estate of no epoch", func(c *Commit, _ *Window) { c.Estate, c.Continues, c.Past = true, nil, nil })
	f("too many epochs", func(c *Commit, _ *Window) { c.Continues = make([]Continuation, MaxContinued+1) })
	f("a total of no epoch", func(c *Commit, _ *Window) { c.Past[0].Of = len(c.Continues) })
	f("entries from 0", func(c *Commit, _ *Window) { c.Continues[0].From = 0 })
	f("a state beyond all entries", func(c *Commit, _ *Window) { c.Continues[0].State = math.MaxInt64 })
	f("entries from beyond the last", func(c *Commit, _ *Window) { c.Continues[0].From = c.Continues[0].N + 2 })
	f("two exemplars of one trace", func(_ *Commit, w *Window) { w.Exemplars = make(Exemplars, 2) })
	f("too many exemplars", func(_ *Commit, w *Window) {
		for i := range byte(MaxExemplars + 1) {
			w.Exemplars = append(w.Exemplars, Exemplar{TraceID: TraceID{Trace: [16]byte{i}}})
		}
		slices.SortFunc(w.Exemplars, compareTraces)
	})
	f("a log record of severity 25", func(c *Commit, _ *Window) { c.Logs[0].Severity = 25 })
	f("a log record without data", func(c *Commit, _ *Window) { c.Logs[0].Data = nil })
	f("a run from entry 0", func(c *Commit, _ *Window) { c.RunFirst = 0 })
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		f("a sum that is not finite", func(_ *Commit, w *Window) { w.Sum = v })
		f("a min that is not finite", func(_ *Commit, w *Window) { w.Min = v })
		f("a max that is not finite", func(_ *Commit, w *Window) { w.Max = v })
		f("a first value that is not finite", func(_ *Commit, w *Window) { w.First.Value = v })
		f("a last value that is not finite", func(_ *Commit, w *Window) { w.Last.Value = v })
		f("an exemplar that is not finite", func(_ *Commit, w *Window) { w.Exemplars = Exemplars{{Value: v}} })
		f("an early value that is not finite", func(c *Commit, _ *Window) { c.Early[0].Mean = v })
	}
}

// TestCommitEncoderRefuses: a key that does not fit its view would be read as something else.
func TestCommitEncoderRefuses(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a window with one key value for two dimensions was encoded")
		}
	}()
	c := sampleCommit()
	c.Windows[0].Key.Values = []string{"pump-1"}
	new(CommitEncoder).Append(nil, c)
}
