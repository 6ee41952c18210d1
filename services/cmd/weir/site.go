package main

import (
	"weir/schemas"
	"weir/services/aggregator"
	"weir/services/internal/datadir"
)

// Roles that a process may have in the fleet. Empty: it is all tiers at once.
const (
	roleAgent  = "agent"
	roleRegion = string(schemas.TierRegion)
	roleCenter = string(schemas.TierCenter)
)

// site is what a process stands for in the fleet.
type site struct {
	datadir.Owner               // zero: all tiers at once
	group         string        // of an agent, for policy; empty: none
	linked        bool          // there is a tier above, and a link to it
	shape         datadir.Shape // as the flags want it; 0: as the data folder says
	fit           fit           // of the streams to the disk
}

// above is the region that the site's entries go to.
func (s site) above() string {
	if s.Role == roleAgent {
		return s.Region
	}
	return schemas.Center
}

// tier is where the site's outbox belongs; empty for all tiers at once.
func (s site) tier() schemas.Tier {
	if s.Role == roleAgent {
		return schemas.TierAgent
	}
	return schemas.Tier(s.Role)
}

// tiers are those whose outboxes are on the site's server, in the order of the
// flow.
func (s site) tiers() []schemas.Tier {
	if s.Role == "" {
		return []schemas.Tier{schemas.TierRegion, schemas.TierCenter}
	}
	return []schemas.Tier{s.tier()}
}

// services are those that the site runs, in the order of the flow.
func (s site) services() []string {
	names := map[string][]string{
		"":         allServices,
		roleAgent:  {ingestService, policyService, aggregatorService, detectorService, notifyService},
		roleRegion: {hubService, gatewayService, exporterService, notifyService},
		roleCenter: {hubService, gatewayService, exporterService, notifyService},
	}[s.Role]
	if s.Role == "" {
		return names
	}
	switch {
	case s.linked && s.Role == roleAgent:
		names = append(names, cacheService, forwarderService)
	case s.linked:
		names = append(names, uplinkService)
	}
	return append(names, consoleService)
}

// streamsOf are the streams of the site's server, as large as its disk allows.
func (s site) streamsOf(shape datadir.Shape) []schemas.Stream {
	return s.fit.streams(s.declared(shape))
}

// declared are the streams of the site's server.
func (s site) declared(shape datadir.Shape) []schemas.Stream {
	switch s.Role {
	case roleAgent:
		return schemas.Edge(s.sizes())
	case roleRegion:
		return schemas.Region(s.sizes(), s.Name)
	case roleCenter:
		return schemas.CenterTier(s.sizes())
	}
	return schemas.OneProcess(s.sizes(), regionNames(shape.Regions))
}

func (s site) sizes() schemas.Sizes {
	if s.Role == roleAgent {
		return schemas.EdgeSizes()
	}
	return schemas.DefaultSizes()
}

// outbox is the stream that holds what the site has for the tier above.
func (s site) outbox() string {
	if s.Role == roleAgent {
		return schemas.StreamAgentOutbox
	}
	return schemas.StreamRegionOutbox
}

// agentsOf are the logical agents of the process. Those of a process that is all
// tiers at once are dealt to the regions in turn.
func (s site) agentsOf(shape datadir.Shape) []aggregator.Agent {
	switch s.Role {
	case roleAgent:
		return []aggregator.Agent{{Name: s.Name, Region: s.Region}}
	case "":
		all := make([]aggregator.Agent, shape.Agents)
		for i := range all {
			all[i] = aggregator.Agent{Name: agentName(i), Region: regionName(i % shape.Regions)}
		}
		return all
	}
	return nil
}
