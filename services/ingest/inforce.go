package ingest

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"weir/schemas"
)

// AgentConfig is what is to be in force for one agent.
type AgentConfig struct {
	Config   schemas.Config // goes into the agent's journal
	Settings Settings       // drawn from it
}

// checkConfigs says everything that is wrong with what SetConfig is given.
func (s *Service) checkConfigs(configs map[string]AgentConfig) error {
	var errs []error
	known := 0
	for _, a := range s.agents {
		c, ok := configs[a.name]
		if !ok {
			continue
		}
		known++
		if err := c.Settings.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("configure agent %s with revision %d: %w", a.name, c.Config.Revision, err))
		}
	}
	if known < len(configs) {
		errs = append(errs, fmt.Errorf("configure %d agents: only %d of them are in this process", len(configs), known))
	}
	return errors.Join(errs...)
}

// processLimits hold for all agents of the process together.
type processLimits struct{ tenants, connections atomic.Int64 }

// follow takes the least that any agent's settings allow. It reports whether
// every agent has settings.
func (l *processLimits) follow(agents []*agent) (everywhere bool) {
	tenants, connections := math.MaxInt, math.MaxInt
	everywhere = true
	for _, a := range agents {
		set := a.settings.Load()
		if set == nil {
			everywhere = false
			continue
		}
		tenants, connections = min(tenants, set.Tenants), min(connections, set.Connections)
	}
	l.tenants.Store(int64(tenants))
	l.connections.Store(int64(connections))
	return everywhere
}

// judged are the rules of a route under some settings.
type judged struct {
	set   *Settings
	rules *Rules
}

// rules are those that the sender's readings are judged by.
func (r *route) rules(set *Settings) *Rules {
	if r.bad {
		return &set.Rules
	}
	if j := r.judged.Load(); j != nil && j.set == set {
		return j.rules
	}
	j := &judged{set, set.of(r.tenant, r.device)}
	r.judged.Store(j)
	return j.rules
}
