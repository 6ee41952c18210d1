package sights

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"weir/schemas"
)

// Sight is a line of weir windows, and when it was seen.
type Sight struct {
	At   time.Time
	Line []byte
}

// Watch notes when each line comes, until the end.
func Watch(lines io.Reader) (seen []Sight, err error) {
	in := bufio.NewReaderSize(lines, 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return seen, nil
		}
		if err != nil {
			return seen, err
		}
		seen = append(seen, Sight{At: time.Now(), Line: bytes.TrimSpace(line)})
	}
}

// Shown is what a line says about a window.
type Shown struct {
	At    time.Time
	Start time.Time
	End   time.Time
	Count uint64
}

// ByWindow sorts lines by window, in the order in which they were seen.
func ByWindow(seen []Sight) (map[string][]Shown, error) {
	all := map[string][]Shown{}
	for _, s := range seen {
		var w schemas.WindowRow
		if err := json.Unmarshal(s.Line, &w); err != nil {
			return nil, fmt.Errorf("read a line of weir windows, %.100q: %w", s.Line, err)
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
		all[name] = append(all[name], Shown{At: s.At, Start: start, End: end, Count: w.Count})
	}
	return all, nil
}

// Delays are how long after they were due the windows that count were first shown
// with all the records that they ever held, sorted. They are due so long after
// their end.
func Delays(windows map[string][]Shown, due time.Duration, counts func(Shown) bool) (late []time.Duration) {
	for _, lines := range windows {
		if !counts(lines[0]) {
			continue
		}
		whole := lines[len(lines)-1].Count
		first := slices.IndexFunc(lines, func(s Shown) bool { return s.Count == whole })
		late = append(late, lines[first].At.Sub(lines[first].End)-due)
	}
	slices.Sort(late)
	return late
}
