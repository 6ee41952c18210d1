package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"weir/schemas"
)

// sight is a line of weir windows, and when it was seen.
type sight struct {
	at   time.Time
	line []byte
}

// shown is what a line says about a window.
type shown struct {
	at    time.Time
	start time.Time
	end   time.Time
	count uint64
}

// byWindow sorts lines by window, in the order in which they were seen.
func byWindow(sights []sight) (map[string][]shown, error) {
	all := map[string][]shown{}
	for _, s := range sights {
		var w schemas.WindowRow
		if err := json.Unmarshal(s.line, &w); err != nil {
			return nil, fmt.Errorf("read a line of weir windows, %.100q: %w", s.line, err)
		}
		start, err := time.Parse(time.RFC3339Nano, w.Start)
		if err != nil {
			return nil, fmt.Errorf("read the start of a window: %w", err)
		}
		end, err := time.Parse(time.RFC3339Nano, w.End)
		if err != nil {
			return nil, fmt.Errorf("read the end of a window: %w", err)
		}
		name := fmt.Sprint(w.View, w.Tenant, w.Key, w.End)
		all[name] = append(all[name], shown{at: s.at, start: start, end: end, count: w.Count})
	}
	return all, nil
}

// playing is while all devices send.
type playing struct{ from, to time.Time }

// margin is how much earlier than the devices a window ends whose delay says
// something: after the last reading windows wait until their devices are idle.
const margin = 3 * time.Second

// covers reports whether all of a window, and what it is due after its end, lies
// well within the play.
func (p playing) covers(start, end time.Time, due time.Duration) bool {
	return !start.Before(p.from) && !end.Add(due+margin).After(p.to)
}

// windows is how many windows of a size it covers.
func (p playing) windows(size, due time.Duration) (n int) {
	for start := p.from.Truncate(size); start.Before(p.to); start = start.Add(size) {
		if p.covers(start, start.Add(size), due) {
			n++
		}
	}
	return n
}

// delays are how long after they were due windows were first shown with all the
// records that they ever held. They are due so long after their end.
func (p playing) delays(windows map[string][]shown, due time.Duration) (late []time.Duration) {
	for _, lines := range windows {
		if w := lines[0]; !p.covers(w.start, w.end, due) {
			continue
		}
		whole := lines[len(lines)-1].count
		first := slices.IndexFunc(lines, func(s shown) bool { return s.count == whole })
		late = append(late, lines[first].at.Sub(lines[first].end)-due)
	}
	slices.Sort(late)
	return late
}

// spread sums up delays, in seconds.
type spread struct {
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`
	Windows int     `json:"windows"`
	Unseen  int     `json:"unseen"` // windows that should have been shown and were not
}

// spreadOf is nearest ranks of sorted delays.
func spreadOf(late []time.Duration, wanted int) spread {
	s := spread{Windows: len(late), Unseen: wanted - len(late)}
	if len(late) == 0 {
		return s
	}
	rank := func(q float64) float64 { return late[int(math.Ceil(q*float64(len(late))))-1].Seconds() }
	s.P50, s.P99, s.Max = rank(0.5), rank(0.99), rank(1)
	return s
}

// String is the figures of a cell.
func (s spread) String() string {
	if s.Windows == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f · %.2f · %.2f", s.P50, s.P99, s.Max)
}
