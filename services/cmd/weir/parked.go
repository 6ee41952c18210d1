package main

import (
	"strconv"

	"github.com/spf13/cobra"
)

// parkedSample is a sample of a refused message as ingest stores it.
type parkedSample struct {
	Time, Agent, Tenant, Device, Subject, Reason, Detail, Text string
	Payload                                                    []byte
	Size                                                       int
}

func newParkedCommand() *cobra.Command {
	return newListCommand(listing[parkedSample]{
		use: "parked", short: "Show samples of refused messages", path: "/api/v1/parked",
		long: `Show samples of refused messages, the newest last: ten a second are kept at most, with
the beginning of their payload. How many were refused in all is in weir ledger.`,
		example: `  weir parked
  weir parked --tenant acme --reason undecodable
  weir parked --limit 1 -o json`,
		filters: [][2]string{
			{"tenant", `only this tenant; "_": none could be told`},
			{"device", "only this device"},
			{"reason", "only this reason"},
		},
		limit:   "only the newest so many; 0: 100",
		empty:   "no sample of a refused message fits; weir ledger counts by reason what was refused",
		columns: []string{"time", "subject", "reason", "detail", "size", "payload"},
		row: func(p *parkedSample, whole bool) []string {
			text := p.Text
			if text == "" && len(p.Payload) > 0 {
				text = strconv.QuoteToASCII(string(p.Payload))
			}
			if r := []rune(text); len(r) > 60 {
				text = string(r[:60]) + "…"
			}
			return []string{moment(p.Time, whole), p.Subject, p.Reason, p.Detail, strconv.Itoa(p.Size), text}
		},
	})
}
