package console

import (
	"context"
	"errors"
	"fmt"

	"weir/schemas"
)

// Config is fixed for the life of a Service.
type Config struct {
	// Version and Revision are the program's: a release or "devel", and the commit
	// that it was built from, empty if unknown.
	Version, Revision, GoVersion string
	// Streams are the streams whose size /metrics shows.
	Streams []schemas.Stream
	// Tiers are those whose outboxes are on this server, in the order of the flow.
	// None: region and center, as in a process that is all tiers at once.
	Tiers []schemas.Tier
	// Region is that of the agent, where the agent is the only tier.
	Region string
	// NoDevices says that no device connects here: readiness does not ask ingest.
	NoDevices bool
	// AgentOf tells which agent a device belongs to. nil: this process does not know.
	AgentOf func(tenant, device string) string
	// OperatorPassword is what clients that write must know. Empty: nobody may write.
	OperatorPassword string
	// Policy is the language of policy documents.
	Policy Language
	// Checks are what /readyz asks beyond what the console asks itself.
	Checks []Check
}

// tiers are the tiers to ask.
func (c *Config) tiers() []schemas.Tier {
	if len(c.Tiers) == 0 {
		return gatewayTiers[:]
	}
	return c.Tiers
}

// Check is one thing that must be well before devices can be served. Ready says
// what is wrong with it, or nil.
type Check struct {
	Name  string
	Ready func(context.Context) error
}

// Validate says everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	for i, k := range c.Checks {
		if k.Name == "" || k.Ready == nil {
			errs = append(errs, fmt.Errorf("check %d has no name or no function", i))
		}
	}
	if c.Policy.BuiltIn == nil || c.Policy.Merge == nil || c.Policy.Check == nil || c.Policy.CheckKey == nil || c.Policy.Layers == nil {
		errs = append(errs, errors.New("the language of policy documents is not whole"))
	}
	if c.Version == "" {
		errs = append(errs, errors.New("the program's version is empty"))
	}
	return errors.Join(errs...)
}
