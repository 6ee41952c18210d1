package fold

import "weir/schemas"

// Core is the pure part of a stage. One goroutine uses it at a time; it looks
// at no clock, starts no goroutine and does no I/O.
type Core interface {
	// Apply folds one message of the input. It returns results when they must be
	// committed now, else nil. Results are valid until the next call. A message
	// that cannot be decoded is the core's to count; an error means that the
	// state cannot be trusted any more and ends the stage.
	Apply(m Message) (*Results, error)

	// Append appends the whole state, as it is between two messages.
	Append(b []byte) []byte
	// Restore replaces the state by one that Append wrote.
	Restore(b []byte) error
}

// Message is one message of the input.
type Message struct {
	Subject string
	Seq     uint64
	Data    []byte
}

// Results are what a core has for a commit. Outputs are sorted by the core, so
// that equal state gives equal bytes.
type Results struct {
	Time, Wall int64
	ConfigRev  uint64

	Outputs []Output
	Early   []schemas.Early
	Views   []schemas.Progress
	Totals  []schemas.Total
	Holes   []schemas.Hole

	Findings []schemas.Finding
	Logs     []schemas.PassedLog
	Knows    []schemas.Epoch // of producers, since the commit before
	Config   *schemas.Config // in force now, where detectors must learn of it
	Resumed  bool

	Finals []Final // for subscribers, once the commit is written; no part of it

	// Assign tells the core which entry holds output i, for outputs whose
	// Window.FirstN is 0: the first revision of a part. Numbers are known only when
	// the results are cut into entries.
	Assign func(i int, n uint64)
}

// Final is the whole value of a window that is final with this commit, for views
// that are published.
type Final struct {
	Window    schemas.Window
	Amendment bool // only what came after the core had passed the window by
}

// Output is one window to commit.
type Output struct {
	Window schemas.Window
	Local  bool // for readers of this tier only; not for the tier above
}
