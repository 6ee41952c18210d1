package policy

import (
	"fmt"
	"slices"
	"time"

	"weir/pkg/window"
)

// Reported is what an agent was last given: the value of its key in the bucket
// STATE.
type Reported struct {
	Revision uint64  `json:"revision"`
	Hash     uint64  `json:"hash"`    // of the document
	From     int64   `json:"from"`    // event time, Unix ns; 0: from the beginning
	Lengths  []int64 `json:"lengths"` // sizes and hops of its views, ns
}

// margin is added to the notice, for agents whose time is a little ahead of
// this machine's and for the way of the document into the journal.
const margin = int64(5 * time.Second)

// longestWait is how far ahead a change may have to be, so that no window is
// cut, before it is moved to a boundary of the new windows alone.
const longestWait = int64(24 * time.Hour)

// takesEffect is the event time from which the views of next hold: 0 for the
// first document, the same as before for one that was reported, else a time
// that is wanted, is announced early enough, is later than that of the change
// before, and is a boundary of old and new windows.
func takesEffect(now int64, last *Reported, next effective) int64 {
	switch {
	case last == nil:
		return 0
	case last.same(next.report()):
		return last.From
	}
	earliest := max(now+window.Notice+margin, last.From+1, next.NotUntil)
	step, ok := multiple(slices.Concat(last.Lengths, next.Lengths))
	if !ok {
		step, _ = multiple(next.Lengths)
	}
	return (earliest + step - 1) / step * step
}

// same reports whether both are the same document.
func (r *Reported) same(other Reported) bool {
	return r.Revision == other.Revision && r.Hash == other.Hash
}

// multiple is the least common multiple of lengths; ok is false if it is more
// than longestWait, and then the longest length stands for it.
func multiple(lengths []int64) (step int64, ok bool) {
	step = 1
	for _, l := range lengths {
		if step = step / divisor(step, l) * l; step > longestWait {
			return slices.Max(lengths), false
		}
	}
	return step, true
}

func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// describe is a document's time for people.
func describe(from int64) string {
	if from == 0 {
		return "the beginning"
	}
	return fmt.Sprint(time.Unix(0, from).UTC().Format(time.RFC3339))
}
