package forwarder

import (
	"context"
	"errors"
	"fmt"

	"weir/pkg/gcra"
	"weir/schemas"
)

// Config of a forwarder.
type Config struct {
	Tier     schemas.Tier // whose outbox it is: schemas.TierAgent or schemas.TierRegion
	Name     string       // of the agent, or of the region whose partitions are the producers
	Upstream string       // region above, or schemas.Center
	Stream   string       // that holds the outbox, without the prefix
	Budget   Budget
	// Keep is how full, as a fraction of its cap, the outbox may get before entries
	// that are applied above are removed: readers of this tier look at them. 0
	// removes at once.
	Keep float64
	// Needed is the first sequence of the outbox that others still have to read, such
	// as exporters. It stays until the outbox is nearly full; nil: nobody has to.
	Needed func(context.Context) (uint64, error)

	// Policy is told the revision of the policy above at the first answer and when
	// it changes. It must not block; nil: nobody wants to know.
	Policy func(revision uint64)
}

// Budget of the uplink.
type Budget struct {
	BytesPerSecond int64   // after packing; 0: unlimited
	BackfillShare  float64 // of it: the most for backfill while there is something live; 0: a half
	Reserve        float64 // of a burst: what only alerts may use; 0: a tenth
}

// leastShare of the budget is what backfill gets though live data alone are too
// much for it: what is old must not wait for ever.
const leastShare = 0.05

// quiet is how long nothing live must have come before backfill may use the whole
// budget, ns: longer than the second between two commits.
const quiet = 2 * second

func (c *Config) check() error {
	var errs []error
	if c.Tier != schemas.TierAgent && c.Tier != schemas.TierRegion {
		errs = append(errs, fmt.Errorf("tier %q: use %s or %s", c.Tier, schemas.TierAgent, schemas.TierRegion))
	}
	if !schemas.ValidName(c.Name) {
		errs = append(errs, fmt.Errorf("name %q is none", c.Name))
	}
	if !schemas.ValidName(c.Upstream) {
		errs = append(errs, fmt.Errorf("upstream %q is no name of a region", c.Upstream))
	}
	if c.Stream == "" {
		errs = append(errs, errors.New("no stream is named"))
	}
	if !(c.Keep >= 0 && c.Keep < 1) {
		errs = append(errs, fmt.Errorf("keep %v of the outbox: use a fraction from 0", c.Keep))
	}
	b := c.Budget
	if b.BytesPerSecond < 0 || !(b.BackfillShare >= 0 && b.BackfillShare <= 1) || !(b.Reserve >= 0 && b.Reserve <= 1) {
		errs = append(errs, fmt.Errorf("budget %+v: use bytes per second from 0, and parts between 0 and 1", b))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("forwarder of %q: %w", c.Name, err)
	}
	return nil
}

// ours reports whether a producer's entries are this forwarder's to bring.
func (c *Config) ours(producer string) bool {
	if c.Tier == schemas.TierAgent {
		return agentOf(producer) == c.Name
	}
	region, _ := schemas.SplitProducer(producer)
	return region == c.Name && producer != region
}

// producer is who reports while the outbox is empty.
func (c *Config) producer() string {
	if c.Tier == schemas.TierAgent {
		return c.Name
	}
	return schemas.Producer(c.Name, 0)
}

// partition above that a producer's entries are for.
func (c *Config) partition(producer string) int {
	if c.Tier == schemas.TierAgent {
		return schemas.Partition(producer)
	}
	return 0
}

// agentOf is the agent that a producer of its process belongs to: itself, or the one
// whose detector it is.
func agentOf(producer string) string {
	agent, _ := schemas.CutDetector(producer)
	return agent
}

func (c *Config) inbox(producer string, l gcra.Lane) string {
	lanes := [gcra.Lanes]schemas.Lane{schemas.LaneAlert, schemas.LaneLive, schemas.LaneBackfill}
	return schemas.Inbox(c.Upstream, c.partition(producer), producer, lanes[l])
}

func (c *Config) link(producer string) string {
	return schemas.Link(c.Upstream, c.partition(producer), producer)
}

// shares say how the lanes share the budget.
func (b Budget) shares() gcra.Shares {
	s := gcra.Shares{Rate: b.BytesPerSecond, Reserve: b.Reserve, Backfill: b.BackfillShare, Least: leastShare, Quiet: quiet}
	if s.Reserve == 0 {
		s.Reserve = 0.1
	}
	if s.Backfill == 0 {
		s.Backfill = 0.5
	}
	return s
}
