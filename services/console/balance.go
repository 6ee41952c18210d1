package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// Balance is the answer to weir ledger: the balance as the aggregators report
// it, made stricter by the tiers above, which compare it with the windows they
// have applied.
type Balance struct {
	*schemas.Ledger
	Lag     float64        `json:"lag_seconds"`   // of the slowest agent or partition
	Checked []schemas.Tier `json:"checked_tiers"` // tiers whose check is part of totals.unexplained
	// Link is the link to the tier above; nil where there is none.
	Link *schemas.LinkStatus `json:"link,omitempty"`
	// Owners are the gateways that share the partitions here; nil where they are not shared.
	Owners *schemas.Owners `json:"owners,omitempty"`
}

// askTimeout bounds a question to another service.
const askTimeout = 3 * time.Second

// gatewayTiers are the tiers that check the one below, in the order of the flow.
var gatewayTiers = [...]schemas.Tier{schemas.TierRegion, schemas.TierCenter}

// Ledger asks the services for the balance as it is now. Where no agent is, the
// tiers tell what the newest commits of their producers say.
func Ledger(ctx context.Context, b *bus.Bus, tiers ...schemas.Tier) (*Balance, error) {
	agents, _, err := agentLedgers(ctx, b, tiers)
	if err != nil {
		return nil, err
	}
	checks, err := gatewayChecks(ctx, b)
	if err != nil {
		return nil, err
	}
	link, err := linkOf(ctx, b, tiers)
	if err != nil {
		return nil, err
	}
	owners, err := ownersOf(ctx, b, tiers)
	if err != nil {
		return nil, err
	}
	l := newBalance(agents, checks)
	l.Link, l.Owners = link, owners
	return l, nil
}

// agentLedgers are what the lowest tier here knows of its agents, or producers.
func agentLedgers(ctx context.Context, b *bus.Bus, tiers []schemas.Tier) (agents []schemas.AgentLedger, at schemas.Tier, err error) {
	at = schemas.TierAgent
	agents, err = ask[[]schemas.AgentLedger](ctx, b, schemas.AskLedger, nil)
	for _, t := range tiers {
		if !errors.Is(err, bus.ErrNone) {
			break
		}
		at = t
		agents, err = ask[[]schemas.AgentLedger](ctx, b, schemas.AskLedgerOf(t), nil)
	}
	return agents, at, err
}

// newBalance joins what aggregators and gateways report. Differences of
// different producers do not cancel each other.
func newBalance(agents []schemas.AgentLedger, checks []schemas.GatewayCheck) *Balance {
	l := &Balance{Ledger: schemas.NewLedger(agents), Checked: []schemas.Tier{}}
	l.Totals.Unexplained = 0
	for _, a := range l.Agents {
		l.Totals.Unexplained += magnitude(a.Unexplained)
	}
	for i := range agents {
		l.Lag = max(l.Lag, agents[i].Lag)
	}
	for i := range checks {
		l.Totals.Unexplained += magnitude(checks[i].Unexplained)
		l.Lag = max(l.Lag, checks[i].Lag)
		if !slices.Contains(l.Checked, checks[i].Tier) {
			l.Checked = append(l.Checked, checks[i].Tier)
		}
	}
	return l
}

func magnitude(v int64) int64 { return max(v, -v) }

// gatewayChecks asks the gateways of each tier. A tier that nobody runs here is
// left out.
func gatewayChecks(ctx context.Context, b *bus.Bus) ([]schemas.GatewayCheck, error) {
	var all []schemas.GatewayCheck
	for _, tier := range gatewayTiers {
		checks, err := ask[[]schemas.GatewayCheck](ctx, b, schemas.AskGatewayOf(tier), nil)
		if errors.Is(err, bus.ErrNone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, checks...)
	}
	return all, nil
}

// ask asks a service and decodes its JSON answer. ErrNone: nobody is there.
func ask[T any](ctx context.Context, b *bus.Bus, subject string, data []byte) (v T, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err := b.Ask(ctx, subject, data)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(answer, &v); err != nil {
		return v, fmt.Errorf("answer to %s: %w", subject, err)
	}
	return v, nil
}
