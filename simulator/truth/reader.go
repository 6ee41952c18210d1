package truth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"weir/simulator/plan"
)

// Truth is the content of a truth file.
type Truth struct {
	Plan     *plan.Plan
	Devices  []Status
	Finished bool // false: the simulator did not end, so the last messages are unknown
	Totals   Totals
}

// Load reads the truth file at path.
func Load(path string) (*Truth, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load truth: %w", err)
	}
	defer file.Close()
	t, err := Read(file)
	if err != nil {
		return nil, fmt.Errorf("load truth %s: %w", path, err)
	}
	return t, nil
}

// anyLine is a line of any kind.
type anyLine struct {
	headerLine
	statusLine
	endLine
}

// Read reads a truth. Bytes behind the last line end are a line whose writing
// was cut off, and are ignored.
func Read(r io.Reader) (*Truth, error) {
	all, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var t *Truth
	for n := 1; ; n++ {
		text, rest, whole := bytes.Cut(all, []byte("\n"))
		if !whole {
			break
		}
		all = rest
		if t, err = t.apply(text); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if t == nil {
		return nil, errors.New("no header: this is no truth file of weir sim")
	}
	t.close()
	return t, nil
}

func (t *Truth) apply(text []byte) (*Truth, error) {
	if t == nil {
		return begin(text)
	}
	var line anyLine
	if err := json.Unmarshal(text, &line); err != nil {
		return nil, err
	}
	if t.Finished {
		return nil, errors.New("text behind the end")
	}
	if line.End {
		t.Finished, t.Totals = true, line.Totals
		return t, nil
	}
	return t, t.set(line.statusLine)
}

func begin(text []byte) (*Truth, error) {
	var h headerLine
	if err := json.Unmarshal(text, &h); err != nil || h.Format != format {
		return nil, fmt.Errorf("%.40q is no header: this is no truth file of weir sim", text)
	}
	if h.Version != version {
		return nil, fmt.Errorf("version %d of the format; this program knows %d", h.Version, version)
	}
	p, err := plan.New(h.Plan)
	if err != nil {
		return nil, err
	}
	return &Truth{Plan: p, Devices: make([]Status, h.Plan.Devices)}, nil
}

func (t *Truth) set(line statusLine) error {
	from, to := line.Devices[0], line.Devices[1]
	if from < 0 || to <= from || to > int64(len(t.Devices)) {
		return fmt.Errorf("devices %d to %d of %d", from, to, len(t.Devices))
	}
	s := Status{line.Acked, line.Unknown, line.Never}
	for _, set := range []Set{s.Acked, s.Unknown, s.Never} {
		if !set.ordered() {
			return fmt.Errorf("devices %d to %d: intervals %v are out of order", from, to, set)
		}
	}
	for d := from; d < to; d++ {
		t.Devices[d] = s
	}
	return nil
}

// close makes what an unfinished truth does not mention unknown, as far as the
// schedule goes. Where it has no end, that is a minute behind the last it knows.
func (t *Truth) close() {
	if t.Finished {
		return
	}
	until := t.Plan.For
	if until == 0 {
		until = t.lastKnown() + int64(time.Minute)
	}
	for d := range t.Devices {
		s := t.Devices[d].Clone()
		s.Unknown.Union(s.said().Without(0, t.Plan.Messages(d, until)))
		t.Devices[d] = s
	}
}

// lastKnown is when the last message of which anything is known was due.
func (t *Truth) lastKnown() int64 {
	var last int64
	for d, s := range t.Devices {
		if said := s.said(); len(said) > 0 {
			last = max(last, t.Plan.Due(d, said[len(said)-1][1]-1))
		}
	}
	return last
}
