package console

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"weir/schemas"
	"weir/services/internal/bus"
)

// observation is what the other services say at one scrape. What nobody answers
// is empty.
type observation struct {
	agents  []schemas.AgentLedger
	tier    schemas.Tier // that answered for them
	checks  []schemas.GatewayCheck
	ingest  ingestStatus
	policy  *policyStatus
	link    *schemas.LinkStatus
	owners  *schemas.Owners
	exports []schemas.ExportStatus
	found   foundStatus
	server  *serverStatus
	streams []streamUse
	wall    int64 // when it was made, Unix ns
}

// policyStatus is the part of the policy service's answer that the console shows.
type policyStatus struct {
	Invalid uint64 // documents refused since its start
}

// ingestStatus is the part of ingest's answer that the console shows.
type ingestStatus struct {
	doorStatus
	Ready    bool
	Messages []struct {
		Protocol, QoS string
		N             uint64
	}
}

type streamUse struct {
	name         string
	bytes, limit int64
}

// observe asks everybody. It returns what it got, and what went wrong otherwise:
// a service that does not run here is not wrong.
func (s *Service) observe(ctx context.Context) (observation, error) {
	var o observation
	var errs [10]error
	o.agents, o.tier, errs[0] = agentLedgers(ctx, s.bus, s.cfg.tiers())
	o.checks, errs[1] = gatewayChecks(ctx, s.bus)
	o.ingest, errs[2] = ask[ingestStatus](ctx, s.bus, schemas.AskIngest, nil)
	o.policy, errs[4] = ask[*policyStatus](ctx, s.bus, schemas.Ask("policy", "status"), nil)
	o.link, errs[5] = linkOf(ctx, s.bus, s.cfg.tiers())
	o.owners, errs[6] = ownersOf(ctx, s.bus, s.cfg.tiers())
	o.exports, errs[7] = exportsOf(ctx, s.bus, s.cfg.tiers())
	o.found, errs[8] = foundOf(ctx, s.bus, s.cfg.tiers())
	o.server, errs[9] = ask[*serverStatus](ctx, s.bus, askServer, nil)
	for _, stream := range s.cfg.Streams {
		u, err := s.bus.Usage(ctx, stream.Name, "")
		if err != nil {
			errs[3] = err
			continue
		}
		o.streams = append(o.streams, streamUse{name: stream.Name, bytes: u.Bytes, limit: u.MaxBytes})
	}
	for i, err := range errs {
		if errors.Is(err, bus.ErrNone) {
			errs[i] = nil
		}
	}
	return o, errors.Join(errs[:]...)
}

// outcomeID names a counter of records.
type outcomeID struct{ tenant, outcome, reason string }

// received is the outcome label of what arrived: the sum of all the others and
// of what is in flight.
const received = "received"

// outcomes adds up what agents report, by tenant, outcome and reason. Counted are
// only records of emitted windows, so that these and those in flight are all.
func outcomes(agents []schemas.AgentLedger) map[outcomeID]uint64 {
	sum := map[outcomeID]uint64{}
	for i := range agents {
		for _, t := range agents[i].Rows {
			if !t.Outcome.OfPassing() {
				sum[outcomeOf(t)] += t.N
			}
		}
		for _, t := range agents[i].Flight {
			switch t.Outcome {
			case "":
				sum[outcomeOf(t)] += t.N
			case schemas.OpenYet:
				sum[outcomeID{t.Tenant, string(schemas.Counted), ""}] -= t.N
			}
		}
	}
	return sum
}

func outcomeOf(t schemas.Total) outcomeID {
	return outcomeID{t.Tenant, cmp.Or(string(t.Outcome), received), string(t.Reason)}
}

// passingID names a counter of log records that rules choose to be passed through.
type passingID struct {
	tier schemas.Tier
	outcomeID
}

// passing adds up what became of them at each tier, as it knows: at some, they are on their way.
func (o *observation) passing() map[passingID]uint64 {
	sum := map[passingID]uint64{}
	add := func(tier schemas.Tier, rows []schemas.Total) {
		for _, t := range rows {
			if t.Outcome.OfPassing() {
				sum[passingID{tier, outcomeOf(t)}] += t.N
			}
		}
	}
	for i := range o.agents {
		if o.tier == schemas.TierAgent { // else it is a gateway that tells of them
			add(o.tier, o.agents[i].Rows)
		}
	}
	for i := range o.checks {
		add(o.checks[i].Tier, o.checks[i].Passing)
	}
	return sum
}

// revisionID names a counter of emitted revisions.
type revisionID struct{ tier, view, timing string }

// revisions adds up what gateways have emitted.
func revisions(checks []schemas.GatewayCheck) map[revisionID]uint64 {
	sum := map[revisionID]uint64{}
	for i := range checks {
		for name, n := range checks[i].Windows {
			at := strings.LastIndexByte(name, '/')
			if at < 0 {
				continue
			}
			sum[revisionID{string(checks[i].Tier), name[:at], name[at+1:]}] += n
		}
	}
	return sum
}
