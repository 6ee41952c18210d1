package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

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
		empty:   "no device has sent anything that fits; weir parked shows what was refused",
		columns: []string{"tenant", "device", "class", "agent", "first_seen", "last_seen", "rec/s", "numbered", "records", "rejected"},
		row: func(d *schemas.Device, whole bool) []string {
			return []string{
				d.Tenant, d.Device, d.Class, d.Agent, moment(d.FirstSeen, whole), moment(d.LastSeen, whole), strconv.FormatFloat(d.Rate, 'f', 1, 64),
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

// moment is a time as the API has it, without what is below a millisecond for people.
func moment(at string, whole bool) string {
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || whole {
		return at
	}
	return schemas.RowTime(t.UnixNano())
}
