package console

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/schemas"
)

// LiveLine is the balance at a time, Unix ns, as the line that terminals and the page rewrite once a
// second:
//
//	12,400 received = 11,950 counted + 12 late + 0 duplicate + 31 rejected (31 future) + 407 in flight · 0 unexplained · lag 0.9 s
//
// Shed and lost records show where there are any, the link where there is one.
func LiveLine(l *Balance, wall int64) string {
	t := &l.Totals
	terms := []string{
		term(t.Counted, "counted"), term(t.Late, "late"), term(t.Duplicate, "duplicate"),
		term(t.Rejected, "rejected") + reasons(l.Reasons, schemas.Rejected),
	}
	if t.Shed > 0 {
		terms = append(terms, term(t.Shed, "shed")+reasons(l.Reasons, schemas.Shed))
	}
	terms = append(terms, term(t.InFlight, "in flight"))
	line := term(t.Received, "received") + " = " + strings.Join(terms, " + ")
	if t.LostDeclared > 0 {
		line += " · " + term(t.LostDeclared, "missing by number")
	}
	line += fmt.Sprintf(" · %s unexplained · lag %.1f s", thousandsSigned(t.Unexplained), l.Lag)
	if l.Link != nil {
		line += " · " + linkLine(l.Link, wall)
	}
	if l.Owners != nil {
		line += ownerless(l.Owners)
	}
	return line
}

// shownReasons bounds the reasons in the line; the ledger has them all.
const shownReasons = 3

// reasons lists the most frequent reasons of an outcome, in parentheses.
func reasons(all []schemas.ReasonCount, o schemas.Outcome) string {
	of := map[schemas.Reason]uint64{}
	for _, r := range all {
		if r.Outcome == o && r.N > 0 {
			of[r.Reason] += r.N
		}
	}
	names := make([]schemas.Reason, 0, len(of))
	for r := range of {
		names = append(names, r)
	}
	slices.SortFunc(names, func(a, b schemas.Reason) int {
		return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b))
	})
	var parts []string
	for i, r := range names {
		if i == shownReasons {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, term(of[r], string(r)))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func term(n uint64, what string) string { return Thousands(n) + " " + what }

// Thousands is n in decimal with commas: 12,400.
func Thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func thousandsSigned(n int64) string {
	if n < 0 {
		return "-" + Thousands(uint64(-n))
	}
	return Thousands(uint64(n))
}
