package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"weir/schemas"
)

func newWindowsCommand() *cobra.Command {
	return newListCommand(listing[schemas.WindowRow]{
		use: "windows", short: "Show the newest revision of each window", path: "/api/v1/windows",
		long: `Show the newest revision of each window of the last five minutes: of views by class
at the center, or of a device's at its region.

Times are RFC 3339, a day or a day and time in UTC, or a duration: so long ago.`,
		example: `  weir windows
  weir windows --device pump-7 --metric temp --from 1h
  weir windows --from "2026-11-21 22:00" --to "2026-11-21 23:00" --limit 20
  weir windows --view device --tenant acme --final -o json
  weir windows --follow`,
		filters: [][2]string{
			{"metric", "only this metric"},
			{"device", "only this device"},
			{"view", "only this view"},
			{"tenant", "only this tenant"},
			{"from", "from this event time on (default: five minutes ago)"},
			{"to", "before this event time"},
			{"tier", "region or center (default: region where a device or its view is asked for)"},
		},
		switches: [][2]string{
			{"final", "only windows that no revision will follow"},
			{"follow", "go on with every change until Ctrl-C"},
			{"detail", "with -o json: digest, late count, first and last record, and a last line that proves the answer whole"},
		},
		jsonOnly: "detail",
		limit:    "only the newest so many; 0: all",
		empty:    "no window fits: they are of the last five minutes unless --from says otherwise, come when they are over, and are final when nothing late can come; weir devices shows who sends",
		columns: []string{
			"start", "end", "tenant", "view", "key", "count", "mean", "min", "p50", "p99", "max", "timing", "revision", "complete",
		},
		row: windowRow,
	})
}

func windowRow(w *schemas.WindowRow, _ bool) []string {
	var key []string
	for _, dim := range slices.Sorted(maps.Keys(w.Key)) {
		key = append(key, dim+"="+w.Key[dim])
	}
	complete := "unknown"
	if w.Completeness != nil {
		complete = strconv.FormatFloat(100**w.Completeness, 'f', 1, 64) + "%"
	}
	return []string{
		w.Start, w.End, w.Tenant, w.View, strings.Join(key, " "), strconv.FormatUint(w.Count, 10), short(w.Sum / float64(w.Count)),
		short(w.Min), shortOr(w.P50), shortOr(w.P99), short(w.Max), w.Timing, strconv.FormatUint(w.Revision, 10), complete,
	}
}

// short is a value for people: six digits.
func short(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

func shortOr(v *float64) string {
	if v == nil {
		return "unknown"
	}
	return short(*v)
}
