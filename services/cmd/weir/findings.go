package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"weir/schemas"
)

func newFindingsCommand() *cobra.Command {
	return newListCommand(listing[schemas.FindingRow]{
		use: "findings", short: "Show what is abnormal: open findings, and those that were closed last", path: "/api/v1/findings",
		long: `Show what is abnormal, the newest last: findings that are open, and those that were
closed last. A finding of many devices stands for all of them.

Kinds: anomaly (values that are unlikely), silent (a device), missing (a metric), limit,
rate (of change), stuck.`,
		example: `  weir findings --open
  weir findings --follow
  weir findings --device pump-7 -o json
  weir findings --open --severity critical`,
		filters: [][2]string{
			{"tenant", "only this tenant"},
			{"device", "only those of this device"},
			{"metric", "only those of this metric"},
			{"kind", "only this kind"},
			{"severity", "only this severity or above: notice, warning, critical"},
			{"tier", "agent, region or center (default: the highest that is here)"},
		},
		switches: [][2]string{
			{"open", "only what goes on"},
			{"parts", "also those that are part of a finding of many devices"},
			{"follow", "go on with every change until Ctrl-C"},
		},
		limit:   "only the newest so many; 0: all",
		empty:   "nothing abnormal is known that fits",
		columns: []string{"since", "for", "state", "severity", "tenant", "what", "kind", "by", "says", "id"},
		row:     func(r *schemas.FindingRow, whole bool) []string { return findingRow(r, time.Now(), whole) },
	})
}

// findingRow is a finding in a table. People get times of the day, programs whole ones.
func findingRow(r *schemas.FindingRow, now time.Time, whole bool) []string {
	what := r.Device
	if what == "" {
		what = strconv.FormatUint(uint64(r.Devices), 10) + " devices"
	}
	started, err := time.Parse(time.RFC3339Nano, r.Started)
	if err != nil {
		started = now
	}
	until := now
	if r.Ended != nil {
		if ended, err := time.Parse(time.RFC3339Nano, *r.Ended); err == nil {
			until = ended
		}
	}
	state := r.State
	if r.Open() {
		state = "open"
	}
	since := r.Started
	if !whole {
		since = dayOrTime(started.Local(), now.Local())
	}
	return []string{
		since, max(0, until.Sub(started)).Round(time.Second).String(), state, r.Severity, r.Tenant, what, r.Kind,
		r.Origin, r.Says, r.ID,
	}
}

// dayOrTime is a time for people: without the day where it is today.
func dayOrTime(t, now time.Time) string {
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}
