package verify

import (
	"fmt"
	"slices"
)

// ledger is the product's ledger, as far as it is compared.
type ledger struct {
	Totals  totals `json:"totals"`
	Reasons []struct {
		Outcome string `json:"outcome"`
		Reason  string `json:"reason"`
		N       int64  `json:"n"`
	} `json:"reasons"`
	Tenants map[string]totals `json:"tenants"`
}

// totals is a row of the ledger, in records.
type totals struct {
	Received     int64 `json:"received"`
	Counted      int64 `json:"counted"`
	Late         int64 `json:"late"`
	Duplicate    int64 `json:"duplicate"`
	Rejected     int64 `json:"rejected"`
	Shed         int64 `json:"shed"`
	InFlight     int64 `json:"in_flight"`
	LostDeclared int64 `json:"lost_declared"`
	Unexplained  int64 `json:"unexplained"`
}

// account is what the ledger must hold for a tenant: the sum over its truths.
type account struct {
	tenant  string
	flow    flow
	lost    int64 // numbers the devices gave to readings that did not arrive for sure, at most
	foreign bool  // the tenant holds records of others, too
	late    bool  // readings may be late that the truth does not call so
}

func (a *account) add(e *expectation) {
	f, o := &a.flow, e.flow
	f.counted, f.late, f.rejected, f.duplicate = f.counted.plus(o.counted), f.late.plus(o.late), f.rejected.plus(o.rejected), f.duplicate.plus(o.duplicate)
	if f.reasons == nil {
		f.reasons = map[string]span{}
	}
	for reason, s := range o.reasons {
		f.reasons[reason] = f.reasons[reason].plus(s)
	}
	unknown := o.counted.plus(o.late).plus(o.rejected)
	a.lost += e.never + unknown.most - unknown.least
}

// received is how many records must have arrived: each outcome is one.
func (a *account) received() span {
	f := a.flow
	return f.counted.plus(f.late).plus(f.rejected).plus(f.duplicate)
}

// received counts what arrived by the ledger, less what a resend may add.
func (a *account) complete(t totals) bool {
	return t.InFlight == 0 && t.Received >= a.received().least
}

// compare returns what is wrong with the tenant's row.
func (a *account) compare(t totals) []Difference {
	var diffs []Difference
	row := func(name string, want span, got int64) {
		if a.foreign {
			want.most = max(want.most, got)
		}
		if got < want.least || got > want.most {
			diffs = append(diffs, Difference{Where: fmt.Sprintf("ledger, tenant %s, %s", a.tenant, name), Expected: want.String(), Found: fmt.Sprint(got)})
		}
	}
	row("received", a.received(), t.Received)
	if a.late {
		row("counted and late", a.flow.counted.plus(a.flow.late), t.Counted+t.Late)
		row("late", span{a.flow.late.least, a.flow.late.most + a.flow.counted.most}, t.Late)
	} else {
		row("counted", a.flow.counted, t.Counted)
		row("late", a.flow.late, t.Late)
	}
	row("duplicate", a.flow.duplicate, t.Duplicate)
	row("rejected", a.flow.rejected, t.Rejected)
	row("shed", span{}, t.Shed)
	row("in_flight", span{}, t.InFlight)
	row("lost_declared", span{0, a.lost}, t.LostDeclared)
	if t.Unexplained != 0 { // never, whoever sent it
		diffs = append(diffs, Difference{Where: fmt.Sprintf("ledger, tenant %s, unexplained", a.tenant), Expected: "0", Found: fmt.Sprint(t.Unexplained)})
	}
	return diffs
}

func (s span) String() string {
	if s.least == s.most {
		return fmt.Sprint(s.least)
	}
	return fmt.Sprintf("%d to %d", s.least, s.most)
}

// compareReasons compares the reasons of refusal, which the ledger has for all
// tenants together. It is meaningful only where these tenants are all there is.
func compareReasons(want map[string]span, l ledger) []Difference {
	got := map[string]int64{}
	for _, r := range l.Reasons {
		if r.Outcome == "rejected" {
			got[r.Reason] += r.N
		}
	}
	names := map[string]bool{}
	for name := range want {
		names[name] = true
	}
	for name := range got {
		names[name] = true
	}
	var diffs []Difference
	for _, name := range sorted(names) {
		if s := want[name]; got[name] < s.least || got[name] > s.most {
			diffs = append(diffs, Difference{Where: "ledger, rejected, " + name, Expected: s.String(), Found: fmt.Sprint(got[name])})
		}
	}
	return diffs
}

func sorted(set map[string]bool) []string {
	var names []string
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
