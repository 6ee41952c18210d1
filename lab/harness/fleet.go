package harness

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"weir/schemas"
)

// Fleet is a center, regions and agents as processes of their own, joined by
// links that can be cut.
type Fleet struct {
	Center  *Product
	Regions map[string]*Product // by name
	Agents  map[string]*Product // by name
	Links   map[string]*Link    // by the name of who links up

	tb testing.TB
}

// Layout names the agents of each region.
type Layout map[string][]string

// StartFleet starts a fleet on new data folders, from the top down, and waits
// until all of it is ready. policy is put in force at the center; regions have it
// before their agents start.
func StartFleet(tb testing.TB, weir Binary, layout Layout, policy string) *Fleet {
	tb.Helper()
	f := newFleet(tb, NewGateway(tb, weir, schemas.Center, "--policy", policy))
	for _, region := range slices.Sorted(maps.Keys(layout)) {
		r := NewGateway(tb, weir, region, "--upstream", f.link(region, f.Center.Leaf))
		f.Regions[region] = r
		for _, agent := range layout[region] {
			f.Agents[agent] = NewAgent(tb, weir, agent, region, "--upstream", f.link(agent, r.Leaf))
		}
	}
	f.launch(f.Center)
	f.launch(slices.Collect(maps.Values(f.Regions))...)
	f.launch(slices.Collect(maps.Values(f.Agents))...)
	return f
}

// launch starts processes and waits until they are ready and have the policy.
func (f *Fleet) launch(all ...*Product) {
	f.tb.Helper()
	for _, p := range all {
		p.Launch()
	}
	for _, p := range all {
		p.Ready()
		Until(f.tb, readyWithin, func() string {
			if _, err := p.Get("/api/v1/policy/default"); err != nil {
				return fmt.Sprintf("%s has no policy: %v", p, err)
			}
			return ""
		})
	}
}

func newFleet(tb testing.TB, center *Product) *Fleet {
	return &Fleet{Center: center, Regions: map[string]*Product{}, Agents: map[string]*Product{}, Links: map[string]*Link{}, tb: tb}
}

// link opens a link of a name to an address above and returns its URL.
func (f *Fleet) link(name, to string) string {
	f.tb.Helper()
	l := NewLink(f.tb, to)
	f.Links[name] = l
	return "nats-leaf://" + l.Address
}

// All are the processes, from the top down.
func (f *Fleet) All() []*Product {
	all := []*Product{f.Center}
	for _, group := range []map[string]*Product{f.Regions, f.Agents} {
		for _, name := range slices.Sorted(maps.Keys(group)) {
			all = append(all, group[name])
		}
	}
	return all
}

// Verify compares what the tiers hold with the truths of simulations.
func (f *Fleet) Verify(sims ...*Sim) Result {
	f.tb.Helper()
	args := []string{"verify", "--timeout", "90s", "--http", f.Center.HTTP}
	for _, name := range slices.Sorted(maps.Keys(f.Regions)) {
		args = append(args, "--region", f.Regions[name].HTTP)
	}
	for _, s := range sims {
		args = append(args, "--truth", s.Truth)
	}
	return f.Center.Weir(args...)
}
