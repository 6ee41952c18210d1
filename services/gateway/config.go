package gateway

import (
	"context"
	"fmt"

	"weir/schemas"
	"weir/services/internal/lease"
)

// Config of one tier's gateway in this process.
type Config struct {
	Tier schemas.Tier
	// Input and Output are the streams that hold what comes from below and its own
	// outbox. The input is the outbox of the tier below, or an inbox.
	Input, Output string

	// RegionOf tells an agent's region; empty: it is not ours. Only for a region
	// that reads the outbox below.
	RegionOf func(agent string) string
	// KeepInput is how full, as a fraction of its cap, the outbox below may get
	// before applied entries are removed. What readers of the tier below look at
	// stays that long; 0 removes at once.
	KeepInput float64
	// Needed is the first sequence of the input that others still have to read, such
	// as exporters. It stays until the input is nearly full; nil: nobody has to.
	Needed func(context.Context) (uint64, error)

	Inbox Inbox // where the input is one

	// Leases shares the partitions of Inbox.Region with other gateways. nil: all of
	// them are ours.
	Leases *Leases
}

// Inbox is what a gateway needs that runs apart from its producers.
type Inbox struct {
	Region string // whose inbox it is; schemas.Center for the center's
	// Unpack makes the func that unpacks the messages of one partition: it appends
	// the entry in src to dst, and refuses what is too large. nil: messages are entries.
	Unpack func() func(dst, src []byte) ([]byte, error)
	// Budget is how many bytes of backfill a second may come, of all producers
	// together; 0: DefaultBudget.
	Budget int64
	// Policy is the revision of the newest layer that concerns a producer, for its
	// forwarder to know; nil: 0.
	Policy func(producer string) uint64
}

// DefaultBudget is 4 MB a second: an hour of a thousand agents in half an hour.
const DefaultBudget = 4 << 20

// Leases says how partitions are shared.
type Leases struct {
	Store lease.Store // the bucket schemas.BucketLease
	Name  string      // of this gateway among those of the region, the same after a restart
	ID    string      // see lease.Config
	Times lease.Times // zero: lease.DefaultTimes
}

// RegionConfig is the region tier of a process that holds its agents.
func RegionConfig(regionOf func(agent string) string) Config {
	return Config{
		Tier: schemas.TierRegion, RegionOf: regionOf,
		Input: schemas.StreamAgentOutbox, Output: schemas.StreamRegionOutbox,
	}
}

// CenterConfig is the center of a process that holds its regions.
func CenterConfig() Config {
	return Config{
		Tier: schemas.TierCenter, Input: schemas.StreamRegionOutbox, Output: schemas.StreamCenterOutbox, KeepInput: 0.5,
	}
}

// InboxConfig is a region, or the center, that runs apart from its producers.
func InboxConfig(in Inbox) Config {
	if in.Region == schemas.Center {
		return Config{Tier: schemas.TierCenter, Input: schemas.StreamCenterInbox, Output: schemas.StreamCenterOutbox, Inbox: in}
	}
	return Config{Tier: schemas.TierRegion, Input: schemas.StreamRegionInbox, Output: schemas.StreamRegionOutbox, Inbox: in}
}

// hasInbox reports whether the input is an inbox.
func (c *Config) hasInbox() bool {
	return c.Input == schemas.StreamRegionInbox || c.Input == schemas.StreamCenterInbox
}

// partitions is how many there are of the inbox.
func (c *Config) partitions() int {
	if c.Tier == schemas.TierCenter {
		return 1
	}
	return schemas.Partitions
}

func (c *Config) check() error {
	switch {
	case c.Tier != schemas.TierRegion && c.Tier != schemas.TierCenter:
		return fmt.Errorf("gateway tier %q: use %s or %s", c.Tier, schemas.TierRegion, schemas.TierCenter)
	case c.hasInbox() && c.Inbox.Region == "":
		return fmt.Errorf("gateway of the inbox %s: name its region", c.Input)
	case !c.hasInbox() && c.Leases != nil:
		return fmt.Errorf("gateway of %s: only partitions of an inbox are shared by leases", c.Input)
	case c.Leases != nil && !schemas.ValidName(c.Leases.Name):
		return fmt.Errorf("gateway %q of region %s: give it a name of letters, digits, - and _ that no other gateway of the region has", c.Leases.Name, c.Inbox.Region)
	case c.Inbox.Budget < 0:
		return fmt.Errorf("backfill budget of %d bytes a second: use 0 for %d, or more", c.Inbox.Budget, DefaultBudget)
	}
	return nil
}
