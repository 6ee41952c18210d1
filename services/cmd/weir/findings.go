package main

import (
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"weir/schemas"
)

// findingFlags are the flags of weir findings that are parameters of the API.
type findingFlags struct {
	text         map[string]*string // by name of flag and parameter
	open, follow bool
	parts        bool
	limit        uint
}

func newFindingsCommand() *cobra.Command {
	c, f, w := newClient(), &format{}, &findingFlags{text: map[string]*string{}}
	cmd := &cobra.Command{
		Use:   "findings",
		Short: "Show what is abnormal: open findings, and those that were closed last",
		Long: `Show what is abnormal, the newest last: findings that are open, and those that were
closed last. A finding of many devices stands for all of them.

Kinds: anomaly (values that are unlikely), silent (a device), missing (a metric), limit,
rate (of change), stuck.`,
		Example: `  weir findings --open
  weir findings --follow
  weir findings --device pump-7 -o json
  weir findings --open --severity critical`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			body, err := c.get(cmd.Context(), "/api/v1/findings", w.query())
			if err != nil {
				return err
			}
			defer body.Close()
			row := func(r *schemas.FindingRow) []string { return findingRow(r, time.Now(), f.name == asCSV) }
			return list(cmd.Context(), body, cmd.OutOrStdout(), *f, findingColumns, row, w.follow)
		},
	}
	w.addFlags(cmd)
	c.addFlags(cmd)
	f.addFlag(cmd, asTable, asJSON, asCSV)
	return cmd
}

func (w *findingFlags) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	for _, p := range []struct{ name, usage string }{
		{"tenant", "only this tenant"},
		{"device", "only those of this device"},
		{"metric", "only those of this metric"},
		{"kind", "only this kind"},
		{"severity", "only this severity or above: notice, warning, critical"},
		{"tier", "agent, region or center (default: the highest that is here)"},
	} {
		w.text[p.name] = flags.String(p.name, "", p.usage)
	}
	flags.BoolVar(&w.open, "open", false, "only what goes on")
	flags.BoolVar(&w.parts, "parts", false, "also those that are part of a finding of many devices")
	flags.BoolVar(&w.follow, "follow", false, "go on with every change until Ctrl-C")
	flags.UintVar(&w.limit, "limit", 0, "only the newest so many; 0: all")
}

func (w *findingFlags) query() url.Values {
	q := url.Values{}
	for name, value := range w.text {
		if *value != "" {
			q.Set(name, *value)
		}
	}
	for name, set := range map[string]bool{"open": w.open, "follow": w.follow, "parts": w.parts} {
		if set {
			q.Set(name, "true")
		}
	}
	if w.limit > 0 {
		q.Set("limit", strconv.FormatUint(uint64(w.limit), 10))
	}
	return q
}

var findingColumns = []string{"since", "for", "state", "severity", "tenant", "what", "kind", "by", "says", "id"}

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
