package main

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"weir/schemas"
)

func newDevicesCommand() *cobra.Command {
	return newListCommand(listing[schemas.Device]{
		use: "devices", short: "Show the devices that have sent something", path: "/api/v1/devices",
		example: `  weir devices
  weir devices --tenant acme -o csv
  weir devices --device pump-7 -o json`,
		filters: [][2]string{{"tenant", "only this tenant"}, {"device", "only this device"}, {"agent", "only those of this agent"}},
		columns: []string{"tenant", "device", "class", "agent", "first_seen", "last_seen", "rec/s", "numbered", "records", "rejected"},
		row: func(d *schemas.Device) []string {
			return []string{
				d.Tenant, d.Device, d.Class, d.Agent, d.FirstSeen, d.LastSeen, strconv.FormatFloat(d.Rate, 'f', 1, 64),
				map[bool]string{true: "yes", false: "no"}[d.Numbered], strconv.FormatUint(d.Records, 10), byReason(d.Rejected),
			}
		},
	})
}

// byReason lists counts, as in "31 future 2 bad_value".
func byReason(n map[schemas.Reason]uint64) string {
	var parts []string
	for _, r := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d %s", n[r], r))
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, " ")
}

// listing is a command that shows a list of the API.
type listing[T any] struct {
	use, short, long, example, path string

	filters [][2]string // name and usage of flags that are parameters
	columns []string
	row     func(*T) []string
}

func newListCommand[T any](l listing[T]) *cobra.Command {
	c, f, filters := newClient(), &format{}, map[string]*string{}
	cmd := &cobra.Command{
		Use: l.use, Short: l.short, Long: l.long, Example: l.example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			q := url.Values{}
			for name, value := range filters {
				if *value != "" {
					q.Set(name, *value)
				}
			}
			body, err := c.get(cmd.Context(), l.path, q)
			if err != nil {
				return err
			}
			defer body.Close()
			return list(cmd.Context(), body, cmd.OutOrStdout(), *f, slices.Clone(l.columns), l.row, false)
		},
	}
	for _, p := range l.filters {
		filters[p[0]] = cmd.Flags().String(p[0], "", p[1])
	}
	c.addFlags(cmd)
	f.addFlag(cmd, asTable, asJSON, asCSV)
	return cmd
}
