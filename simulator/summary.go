package simulator

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Summary is the last line of a run. Records are readings, each counted once
// however often it was sent; a malformed message is one record.
type Summary struct {
	Run              string  `json:"run"`
	Records          int64   `json:"records"`            // sent
	Messages         int64   `json:"messages"`           // publishes that carried them, copies and resends not counted
	Acknowledged     int64   `json:"acknowledged"`       // records that the product answered for; always 0 at QoS 0
	Unknown          int64   `json:"unknown"`            // records sent that may or may not have arrived
	Refused          int64   `json:"refused"`            // records that replies called rejected; known over NATS at QoS 1 only
	RecordsPerSecond float64 `json:"records_per_second"` // records over seconds
	Seconds          float64 `json:"seconds"`            // from the start of the schedule to the last first send
	ConnectFailures  int64   `json:"connect_failures"`   // attempts that failed and connections that broke
	Truth            string  `json:"truth"`              // the truth file

	BehindSeconds float64 `json:"behind_seconds,omitempty"` // greatest delay behind the schedule, if over a second
	Never         int64   `json:"never,omitempty"`          // scheduled records that were not sent
	AckP50        float64 `json:"ack_p50_ms,omitempty"`     // from send to acknowledgement, resends included
	AckP99        float64 `json:"ack_p99_ms,omitempty"`
}

// WriteJSON writes the summary as one line.
func (s Summary) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(s) }

// WriteTable writes the summary for people.
func (s Summary) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("run", "%s", s.Run)
	row("records sent", "%d in %d messages, %.1f s, %.0f per second", s.Records, s.Messages, s.Seconds, s.RecordsPerSecond)
	row("acknowledged", "%d", s.Acknowledged)
	row("unknown", "%d", s.Unknown)
	row("refused", "%d", s.Refused)
	row("connect failures", "%d", s.ConnectFailures)
	if s.Never > 0 {
		row("never sent", "%d", s.Never)
	}
	if s.BehindSeconds > 0 {
		row("behind schedule", "by up to %.1f s: this machine or the product could not keep the rate, or was away", s.BehindSeconds)
	}
	if s.AckP99 > 0 {
		row("acknowledged in", "%.1f ms (median), %.1f ms (99 %%)", s.AckP50, s.AckP99)
	}
	if s.Truth != "" {
		row("truth", "%s", s.Truth)
	}
	return t.Flush()
}

// Phase is a part of a run.
type Phase string

// The phases, in order.
const (
	Connecting Phase = "connecting"
	Playing    Phase = "playing"
	Draining   Phase = "draining"
)

// Progress is how a run stands, once a second.
type Progress struct {
	Phase     Phase
	Elapsed   time.Duration // since the start of the schedule, or of connecting
	Devices   int
	Connected int // devices
	PerSecond float64
	Behind    time.Duration // greatest delay behind the schedule since the last progress
	Summary   Summary       // so far
}

// String is the progress as a line for a terminal.
func (p Progress) String() string {
	line := fmt.Sprintf("%s %3.0f s · %d/%d connected", p.Phase, p.Elapsed.Seconds(), p.Connected, p.Devices)
	if p.Phase != Connecting {
		line += fmt.Sprintf(" · %d records · %.0f/s · %d acknowledged", p.Summary.Records, p.PerSecond, p.Summary.Acknowledged)
	}
	if p.Summary.Unknown > 0 {
		line += fmt.Sprintf(" · %d unknown", p.Summary.Unknown)
	}
	if p.Behind > time.Second {
		line += fmt.Sprintf(" · %.1f s behind", p.Behind.Seconds())
	}
	return line
}
