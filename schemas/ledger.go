package schemas

import "sort"

// Ledger is the answer of weir ledger: what arrived and what became of it. Its
// JSON is part of the fixed command line surface.
type Ledger struct {
	Totals  Account             `json:"totals"`
	Reasons []ReasonCount       `json:"reasons"`
	Signals map[string]*Account `json:"signals"`
	Tenants map[string]*Account `json:"tenants"`
	Agents  map[string]*Account `json:"agents"`
}

// Account is one balance, in records:
//
//	received = counted + late + duplicate + rejected + shed + in_flight + unexplained
//
// in_flight is measured, not a remainder: records of frames that the fold has
// not applied, and records counted but not yet in an emitted revision. So
// unexplained other than 0 is a bug and an alarm. lost_declared stands beside
// the balance: what frame holes and device numbers show to be missing.
type Account struct {
	Received     uint64 `json:"received"`
	Counted      uint64 `json:"counted"`
	Late         uint64 `json:"late"`
	Duplicate    uint64 `json:"duplicate"`
	Rejected     uint64 `json:"rejected"`
	Shed         uint64 `json:"shed"`
	InFlight     uint64 `json:"in_flight"`
	LostDeclared uint64 `json:"lost_declared"`
	Unexplained  int64  `json:"unexplained"`
}

// ReasonCount is a discard by stage and reason.
type ReasonCount struct {
	Stage   Stage   `json:"stage"`
	Outcome Outcome `json:"outcome"`
	Reason  Reason  `json:"reason"`
	N       uint64  `json:"n"`
}

// AgentLedger is what an aggregator knows of one agent at one moment: its
// totals, and the records that are on their way.
type AgentLedger struct {
	Agent   string  `json:"agent"`
	Region  string  `json:"region"`
	Time    int64   `json:"time"`        // agent time of the last tick applied
	Lag     float64 `json:"lag_seconds"` // wall clock − the wall clock of the last frame applied
	Pending uint64  `json:"pending"`     // journal messages not read yet
	Rows    []Total `json:"rows"`        // cumulative outcomes, with lost_declared rows
	Flight  []Total `json:"flight"`      // by tenant and signal: Outcome "" received at the door, "queued", "open"
	Series  int     `json:"series"`      // open series
	Devices int     `json:"devices"`
	Config  uint64  `json:"config"` // policy revision in force
	Differ  uint64  `json:"differ"` // commits made again after a restart that differed: must stay 0
}

// Outcomes that only Flight rows use.
const (
	Queued  Outcome = "queued" // in frames read but not applied
	OpenYet Outcome = "open"   // counted, in no emitted revision yet
)

// Unnumbered marks totals that commits carry and no ledger shows: the records of a tenant
// that no device's number can tell from others, of all signals. What has arrived, less
// these and the repeats, are the records of numbers, each number once.
const Unnumbered Outcome = "unnumbered"

// Numbers are the records of numbers in the totals of an aggregator, by tenant.
func Numbers(rows []Total) map[string]uint64 {
	n := map[string]uint64{}
	for _, t := range rows {
		switch t.Outcome {
		case "":
			n[t.Tenant] += t.N
		case Duplicate, Unnumbered:
			n[t.Tenant] -= t.N
		}
	}
	return n
}

// Add books a row of an agent into the account.
func (a *Account) Add(o Outcome, n uint64) {
	switch o {
	case "":
		a.Received += n
	case Counted:
		a.Counted += n
	case Late:
		a.Late += n
	case Duplicate:
		a.Duplicate += n
	case Rejected:
		a.Rejected += n
	case Shed:
		a.Shed += n
	case Queued:
		a.InFlight += n
	case OpenYet:
		a.InFlight += n
		a.Counted -= n // open records are counted by the fold but not shown as such yet
	case LostDeclared:
		a.LostDeclared += n
	}
}

// balance derives Unexplained.
func (a *Account) balance() {
	a.Unexplained = int64(a.Received - a.Counted - a.Late - a.Duplicate - a.Rejected - a.Shed - a.InFlight)
}

// NewLedger adds up what aggregators report.
func NewLedger(agents []AgentLedger) *Ledger {
	l := &Ledger{Signals: map[string]*Account{}, Tenants: map[string]*Account{}, Agents: map[string]*Account{}}
	for _, s := range [...]Signal{Metrics, Traces, Logs} {
		l.Signals[string(s)] = &Account{}
	}
	reasons := map[ReasonCount]uint64{}
	for i := range agents {
		a := &agents[i]
		for _, t := range a.Flight {
			l.book(a.Agent, t)
		}
		for _, t := range a.Rows {
			l.book(a.Agent, t)
			if t.Reason != "" && !t.Outcome.OfPassing() {
				reasons[ReasonCount{Stage: t.Stage, Outcome: t.Outcome, Reason: t.Reason}] += t.N
			}
		}
	}
	l.settle(reasons)
	return l
}

func (l *Ledger) book(agent string, t Total) {
	for _, a := range [...]*Account{&l.Totals, at(l.Signals, string(t.Signal)), at(l.Tenants, t.Tenant), at(l.Agents, agent)} {
		a.Add(t.Outcome, t.N)
	}
}

func (l *Ledger) settle(reasons map[ReasonCount]uint64) {
	l.Totals.balance()
	for _, m := range [...]map[string]*Account{l.Signals, l.Tenants, l.Agents} {
		for _, a := range m {
			a.balance()
		}
	}
	l.Reasons = make([]ReasonCount, 0, len(reasons))
	for r, n := range reasons {
		r.N = n
		l.Reasons = append(l.Reasons, r)
	}
	sort.Slice(l.Reasons, func(i, j int) bool {
		a, b := l.Reasons[i], l.Reasons[j]
		if a.Outcome != b.Outcome {
			return a.Outcome < b.Outcome
		}
		return a.Reason < b.Reason
	})
}

func at(m map[string]*Account, k string) *Account {
	if m[k] == nil {
		m[k] = &Account{}
	}
	return m[k]
}
