package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"weir/schemas"
	"weir/services/console"
)

func newLedgerCommand() *cobra.Command {
	c, f := newClient(), &format{}
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Show what arrived and what became of it",
		Long: `Show the balance of all records: what was received is counted, late, duplicate,
rejected, shed or in flight. What is unexplained is always 0; anything else is a bug.`,
		Example: `  weir ledger
  weir ledger -o json | jq .totals
  weir ledger -o csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			var b console.Balance
			if err := c.getJSON(cmd.Context(), "/api/v1/ledger", nil, &b); err != nil {
				return err
			}
			if b.Totals.Unexplained != 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "weir: %d records are unexplained: this is a bug, please report it\n", b.Totals.Unexplained)
			}
			return showBalance(cmd.OutOrStdout(), *f, &b)
		},
	}
	c.addFlags(cmd)
	f.addFlag(cmd, asTable, asJSON, asCSV)
	return cmd
}

func showBalance(out io.Writer, f format, b *console.Balance) error {
	switch f.name {
	case asJSON:
		return json.NewEncoder(out).Encode(b)
	case asCSV:
		return showAccounts(out, f, b)
	}
	fmt.Fprintln(out, console.LiveLine(b, time.Now().UnixNano()))
	if b.Owners != nil && len(b.Owners.Owners) > 0 {
		fmt.Fprintln(out, console.OwnersLine(b.Owners))
	}
	fmt.Fprintln(out)
	if err := showAccounts(out, f, b); err != nil || len(b.Reasons) == 0 {
		return err
	}
	fmt.Fprintln(out)
	t := newTable(out, f, "outcome", "reason", "stage", "records")
	for _, r := range b.Reasons {
		t.row(string(r.Outcome), string(r.Reason), string(r.Stage), console.Thousands(r.N))
	}
	return t.flush()
}

// showAccounts lists every balance: of all, by signal, tenant and agent.
func showAccounts(out io.Writer, f format, b *console.Balance) error {
	t := newTable(out, f, "of", "name", "received", "counted", "late", "duplicate", "rejected", "shed", "in_flight", "lost_declared", "unexplained")
	number := console.Thousands
	if f.name == asCSV {
		number = func(n uint64) string { return strconv.FormatUint(n, 10) }
	}
	account := func(of, name string, a *schemas.Account) {
		t.row(of, name, number(a.Received), number(a.Counted), number(a.Late), number(a.Duplicate), number(a.Rejected),
			number(a.Shed), number(a.InFlight), number(a.LostDeclared), strconv.FormatInt(a.Unexplained, 10))
	}
	account("all", "", &b.Totals)
	for _, group := range []struct {
		of       string
		accounts map[string]*schemas.Account
	}{{"signal", b.Signals}, {"tenant", b.Tenants}, {"agent", b.Agents}} {
		for _, name := range slices.Sorted(maps.Keys(group.accounts)) {
			if a := group.accounts[name]; *a != (schemas.Account{}) {
				account(group.of, name, a)
			}
		}
	}
	return t.flush()
}
