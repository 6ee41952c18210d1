package main

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"weir/schemas"
)

// windowFlags are the flags of weir windows that are parameters of the API.
type windowFlags struct {
	text   map[string]*string // by name of flag and parameter
	final  bool
	follow bool
	detail bool
	limit  uint
}

func newWindowsCommand() *cobra.Command {
	c, f, w := newClient(), &format{}, &windowFlags{text: map[string]*string{}}
	cmd := &cobra.Command{
		Use:   "windows",
		Short: "Show the newest revision of each window",
		Long: `Show the newest revision of each window of the last five minutes: of views by class
at the center, or of a device's at its region.

Times are RFC 3339, or a duration: so long ago.`,
		Example: `  weir windows
  weir windows --device pump-7 --metric temp --from 1h
  weir windows --view device --tenant acme --final -o json
  weir windows --follow`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			body, err := c.get(cmd.Context(), "/api/v1/windows", w.query())
			if err != nil {
				return err
			}
			defer body.Close()
			return list(cmd.Context(), body, cmd.OutOrStdout(), *f, windowColumns, windowRow, w.follow)
		},
	}
	w.addFlags(cmd)
	c.addFlags(cmd)
	f.addFlag(cmd, asTable, asJSON, asCSV)
	return cmd
}

func (w *windowFlags) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	for _, p := range []struct{ name, usage string }{
		{"metric", "only this metric"},
		{"device", "only this device"},
		{"view", "only this view"},
		{"tenant", "only this tenant"},
		{"from", "from this event time on (default: five minutes ago)"},
		{"to", "before this event time"},
		{"tier", "region or center (default: region where a device or its view is asked for)"},
	} {
		w.text[p.name] = flags.String(p.name, "", p.usage)
	}
	flags.BoolVar(&w.final, "final", false, "only windows that no revision will follow")
	flags.BoolVar(&w.follow, "follow", false, "go on with every change until Ctrl-C")
	flags.BoolVar(&w.detail, "detail", false, "with -o json: digest, late count, first and last record, and a last line that proves the answer whole")
	flags.UintVar(&w.limit, "limit", 0, "only the newest so many; 0: all")
}

func (w *windowFlags) query() url.Values {
	q := url.Values{}
	for name, value := range w.text {
		if *value != "" {
			q.Set(name, *value)
		}
	}
	for name, set := range map[string]bool{"final": w.final, "follow": w.follow, "detail": w.detail} {
		if set {
			q.Set(name, "true")
		}
	}
	if w.limit > 0 {
		q.Set("limit", strconv.FormatUint(uint64(w.limit), 10))
	}
	return q
}

var windowColumns = []string{
	"start", "end", "tenant", "view", "key", "count", "mean", "min", "p50", "p99", "max", "timing", "revision", "complete",
}

func windowRow(w *schemas.WindowRow) []string {
	if w.View == "" { // the last line of an answer with detail
		return nil
	}
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
