package main

import (
	"slices"
	"strings"
	"testing"

	"weir/lab/bench/backlog"
	"weir/schemas"
)

// TestCaughtUp: it is over when everything has been read and nothing is on its
// way, and right when just the records that were written are counted.
func TestCaughtUp(t *testing.T) {
	f := func(l schemas.Account, lag float64, wantClosed, wantExact bool) {
		t.Helper()
		c := catchUp{Backlog: backlog.Backlog{Records: 100}, Ledger: l, Lag: lag}
		if c.closed() != wantClosed || c.exact() != wantExact {
			t.Errorf("%+v, lag %v: closed %v, exact %v", l, lag, c.closed(), c.exact())
		}
	}
	f(schemas.Account{}, 0, false, false)
	f(schemas.Account{Received: 90, Counted: 90}, 300, false, false)
	f(schemas.Account{Received: 100, Counted: 90, InFlight: 10}, 0.5, false, false)
	f(schemas.Account{Received: 100, Counted: 100}, 60, false, false)
	f(schemas.Account{Received: 100, Counted: 100}, 0.5, true, true)
	f(schemas.Account{Received: 100, Counted: 99, Late: 1}, 0.5, true, false)
	f(schemas.Account{Received: 101, Counted: 101}, 0.5, true, false)
	f(schemas.Account{Received: 100, Counted: 100, LostDeclared: 1}, 0.5, true, false)
	f(schemas.Account{Received: 100, Counted: 99, Unexplained: 1}, 0.5, true, false)
}

func TestCatchUpRow(t *testing.T) {
	c := catchUp{
		Name: "x", Backlog: backlog.Backlog{Records: 3_000_000, Bytes: 90e6}, Ready: 0.5, CaughtUp: 2, CPU: 2000.4, Peak: 250e6,
		Ledger: schemas.Account{Received: 3_000_000, Counted: 3_000_000},
	}
	want := []string{"x", "3,000,000", "90", "0.50", "2.00", "1,500,000", "45.0", "2,000", "250", "exact"}
	if got := c.row(); !slices.Equal(got, want) || len(got) != len(catchUpColumns) {
		t.Errorf("row %q, wanted %q", got, want)
	}
	if notes := c.notes(); len(notes) != 0 {
		t.Errorf("all is well, and the notes say %q", notes)
	}
	c.Ledger.Counted, c.Ledger.Duplicate, c.CaughtUp, c.Peak = 2_999_999, 1, 31, 301e6
	if got := c.row()[9]; got != "WRONG" {
		t.Errorf("the ledger is %q", got)
	}
	if notes := c.notes(); len(notes) != 3 || !strings.Contains(notes[2], "of 3000000 records written the ledger says 3000000 received, 2999999 counted, 0 late, 1 duplicate") {
		t.Errorf("notes %q, wanted three: time, memory, ledger", notes)
	}
}
