package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"weir/schemas"
)

// Window is a line of weir windows -o json.
type Window struct {
	Tenant, View, Timing string
	Key                  map[string]string
	Start, End           time.Time
	Count                uint64
	Sum, Min, Max        float64
	P50, P90, P99        *float64
	Revision             uint64
	Completeness         *float64
	Agent, Region        string
	Exemplars            []schemas.RowExemplar
}

// Windows asks weir windows -o json.
func (p *Product) Windows(args ...string) []Window {
	p.tb.Helper()
	return decodeLines[Window](p, p.ask(append([]string{"windows", "-o", "json"}, args...)...))
}

// Ledger asks weir ledger -o json.
func (p *Product) Ledger() *schemas.Ledger {
	p.tb.Helper()
	l := new(schemas.Ledger)
	if err := json.Unmarshal([]byte(p.ask("ledger", "-o", "json").Stdout), l); err != nil {
		p.tb.Fatalf("weir ledger -o json: %v", err)
	}
	return l
}

// Balance asks the HTTP API for the ledger. It is cheap enough to be asked again
// and again.
func (p *Product) Balance() (*schemas.Ledger, error) {
	data, err := p.Get("/api/v1/ledger")
	if err != nil {
		return nil, err
	}
	l := new(schemas.Ledger)
	return l, json.Unmarshal(data, l)
}

// Get reads a page.
func (p *Product) Get(path string) ([]byte, error) {
	r, err := p.client.Get("http://" + p.HTTP + path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, r.Status, data)
	}
	return data, err
}

// settledWithin bounds how long records may be in flight: a window of the fast
// policy, the idle time of its device, and what a busy machine adds.
const settledWithin = 60 * time.Second

// Settle waits until the account of a tenant is want and nothing is in flight.
// The tenant "" is all of them.
func (p *Product) Settle(tenant string, want schemas.Account) {
	p.tb.Helper()
	Until(p.tb, settledWithin, func() string {
		if died := p.died(); died != "" {
			p.tb.Fatal(died)
		}
		l, err := p.Balance()
		if err != nil {
			return err.Error()
		}
		if got := AccountOf(l, tenant); got != want {
			return fmt.Sprintf("the account of tenant %q is %+v, wanted %+v", tenant, got, want)
		}
		return ""
	})
}

// AccountOf is the account of a tenant; "" is all of them.
func AccountOf(l *schemas.Ledger, tenant string) schemas.Account {
	a := &l.Totals
	if tenant != "" {
		a = l.Tenants[tenant]
	}
	if a == nil {
		return schemas.Account{}
	}
	return *a
}

// Rejections are the counts of rejected records by reason.
func Rejections(l *schemas.Ledger) map[schemas.Reason]uint64 {
	counts := map[schemas.Reason]uint64{}
	for _, r := range l.Reasons {
		if r.Outcome == schemas.Rejected {
			counts[r.Reason] += r.N
		}
	}
	return counts
}

// Unbalanced says what is wrong with a ledger in which nothing moves any more:
// each account must explain what it received, and tenants, agents and signals
// must each add up to the totals.
func Unbalanced(l *schemas.Ledger) string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	check := func(name string, a schemas.Account) {
		if a.InFlight != 0 || a.Unexplained != 0 || a.Received != a.Counted+a.Late+a.Duplicate+a.Rejected+a.Shed {
			say("%s is not closed: %+v", name, a)
		}
	}
	check("totals", l.Totals)
	for kind, accounts := range map[string]map[string]*schemas.Account{"tenant": l.Tenants, "agent": l.Agents, "signal": l.Signals} {
		var sum schemas.Account
		for _, name := range slices.Sorted(maps.Keys(accounts)) {
			check(kind+" "+name, *accounts[name])
			add(&sum, accounts[name])
		}
		if sum != l.Totals {
			say("the sum over every %s is %+v, the totals are %+v", kind, sum, l.Totals)
		}
	}
	if sum := total(Rejections(l)); sum != l.Totals.Rejected {
		say("reasons of rejection add up to %d, rejected are %d", sum, l.Totals.Rejected)
	}
	return strings.Join(wrong, "; ")
}

func add(sum, a *schemas.Account) {
	sum.Received += a.Received
	sum.Counted += a.Counted
	sum.Late += a.Late
	sum.Duplicate += a.Duplicate
	sum.Rejected += a.Rejected
	sum.Shed += a.Shed
	sum.InFlight += a.InFlight
	sum.LostDeclared += a.LostDeclared
	sum.Unexplained += a.Unexplained
}

func total(counts map[schemas.Reason]uint64) (sum uint64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// Sample is a line of weir parked -o json.
type Sample struct {
	Agent, Tenant, Device, Subject string
	Reason                         schemas.Reason
	Detail, Text                   string
	Payload                        []byte
	Size                           int
}

// Parked asks weir parked -o json.
func (p *Product) Parked(args ...string) []Sample {
	p.tb.Helper()
	return decodeLines[Sample](p, p.ask(append([]string{"parked", "-o", "json"}, args...)...))
}
