package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// shownDifferences is how many differences a report names.
const shownDifferences = 10

// Report is what a verification found.
type Report struct {
	Equal         bool     `json:"equal"`
	Runs          []string `json:"runs"`
	Records       int64    `json:"records"`        // that must be in windows
	Unknown       int64    `json:"unknown"`        // that may be
	DeviceWindows int64    `json:"device_windows"` // compared
	FleetWindows  int64    `json:"fleet_windows"`
	LateInFleet   int64    `json:"late_in_fleet"` // records that only the fleet view calls late, less those that only it does not
	Seconds       float64  `json:"seconds"`
	Notes         []string `json:"notes"` // what could not be compared, and why

	Differences int64        `json:"differences"`
	First       []Difference `json:"first"` // the first ten
}

// Difference is one thing that is not as the truth says.
type Difference struct {
	Where    string `json:"where"` // a window or a row of the ledger
	Expected string `json:"expected"`
	Found    string `json:"found"`
	Readings string `json:"readings,omitempty"` // which ones are probably missing or too many
}

func (d Difference) String() string {
	s := d.Where + "\n  expected " + d.Expected + "\n  found    " + d.Found
	if d.Readings != "" {
		s += "\n  readings " + d.Readings
	}
	return s
}

// differ notes differences: the first ten in words.
func (r *Report) differ(diffs []Difference, more int64) {
	r.Differences += int64(len(diffs)) + more
	r.First = append(r.First, diffs[:min(len(diffs), max(0, shownDifferences-len(r.First)))]...)
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// WriteJSON writes the report as one line.
func (r Report) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// WriteText writes the report for people.
func (r Report) WriteText(w io.Writer) error {
	var text []byte
	for _, n := range r.Notes {
		text = fmt.Appendf(text, "note: %s\n", n)
	}
	for _, d := range r.First {
		text = fmt.Appendf(text, "%s\n", d)
	}
	if more := r.Differences - int64(len(r.First)); more > 0 {
		text = fmt.Appendf(text, "… and %d more\n", more)
	}
	verdict := "NOT EQUAL"
	if r.Equal {
		verdict = "equal"
	}
	text = fmt.Appendf(text, "%s: %d records in %d device windows and %d fleet windows", verdict, r.Records, r.DeviceWindows, r.FleetWindows)
	if r.Unknown > 0 {
		text = fmt.Appendf(text, ", %d more may be there", r.Unknown)
	}
	if r.LateInFleet > 0 {
		text = fmt.Appendf(text, ", %d late in the fleet view only", r.LateInFleet)
	}
	text = fmt.Appendf(text, ", %d differences, %.1f s\n", r.Differences, r.Seconds)
	_, err := w.Write(text)
	return err
}

// stamp writes an event time as the API does.
func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
