package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/lab/faults/scenario"
	"weir/lab/harness"
	"weir/schemas"
)

// site is what a scenario names, running.
type site struct {
	*trial
	s    *scenario.Scenario
	weir harness.Binary

	processes map[string]*harness.Product
	links     map[string]*harness.Link // by who links up
	doors     map[string]*harness.Link // between agents and their MQTT devices, where faults strike there
	volumes   map[string]*volume
	groups    map[string]*harness.Group // of processes with limits
	cables    map[string]*cable
	clocks    map[string]*wallClock
	authority *authority // nil: no TLS
	sims      []*harness.Sim
	meet      time.Time // when a faster event time meets the wall clock
	started   time.Time // when the devices began
}

// newSite prepares everything and starts nothing.
func newSite(t *trial, s *scenario.Scenario, weir harness.Binary) *site {
	x := &site{
		trial: t, s: s, weir: weir, processes: map[string]*harness.Product{}, links: map[string]*harness.Link{}, doors: map[string]*harness.Link{},
		volumes: map[string]*volume{}, groups: map[string]*harness.Group{}, cables: map[string]*cable{}, clocks: map[string]*wallClock{},
	}
	x.meet = time.Now().Add(s.Duration + startsWithin)
	if s.Topology.Links == scenario.TLS {
		x.authority = newAuthority(t, &s.Topology)
	}
	center := x.gateway(scenario.Center, schemas.Center, "--policy", x.policy())
	for _, region := range s.Topology.RegionNames() {
		leaf := x.region(region, center)
		for _, name := range s.Topology.Regions[region] {
			x.agent(name, region, leaf)
		}
	}
	return x
}

// region prepares the gateways of a region and returns where its agents link to:
// its one gateway, or a NATS server, which is not the product's and which no fault
// hits, that several gateways join.
func (x *site) region(name string, center *harness.Product) (leaf string) {
	if x.s.Topology.Gateways == 1 {
		return x.gateway(name, name, x.up(name, center.Leaf)...).Leaf
	}
	server := harness.StartServer(x)
	up := x.up(name, center.Leaf) // the server's only way up: members share the link
	for _, member := range x.s.Topology.GatewaysOf(name) {
		x.furnish(member, harness.NewMember(x, x.weir, name, strings.ReplaceAll(member, ".", "-"), server.NATS, up...))
	}
	return strings.TrimPrefix(server.Leaf, "nats-leaf://")
}

// gateway prepares a gateway process.
func (x *site) gateway(name, region string, args ...string) *harness.Product {
	p := harness.NewGateway(x, x.weir, region)
	p.Flags(slices.Concat(args, x.class(x.s.Topology.Durability.Gateways), x.authority.door(name))...)
	x.furnish(name, p)
	return p
}

// agent prepares an agent. Where it has a cable, all its addresses are at the far
// end of it, and its link goes to the near end.
func (x *site) agent(name, region, leaf string) {
	p := harness.NewAgent(x, x.weir, name, region)
	if x.s.Topology.Network == scenario.Namespaces {
		c := newCable(x, len(x.cables))
		x.cables[name] = c
		p.HTTP, p.NATS, p.MQTT = c.move(p.HTTP), c.move(p.NATS), c.move(p.MQTT)
		p.Wrap = c.wrap()
	}
	flags := x.up(name, leaf)
	if x.cables[name] != nil {
		flags = append(flags, "--insecure")
	}
	p.Flags(append(flags, x.class(x.s.Topology.Durability.Agents)...)...)
	x.furnish(name, p)
	if x.s.StrikesDevices(name) {
		x.doors[name] = harness.NewLink(x, p.MQTT)
	}
}

// up opens the link of a process to an address above and returns its flags.
func (x *site) up(name, to string) []string {
	l := harness.NewLink(x, to)
	if c := x.cables[name]; c != nil {
		l = harness.NewLinkAt(x, c.nearAddress(to), to)
	}
	x.links[name] = l
	return append([]string{"--upstream", x.authority.scheme() + "://" + l.Address}, x.authority.credentials(name)...)
}

func (x *site) class(durability string) []string {
	if durability == "" {
		return nil
	}
	return []string{"--durability", durability}
}

// furnish gives a process what it has for itself.
func (x *site) furnish(name string, p *harness.Product) {
	x.processes[name] = p
	if size := x.s.Topology.Volume(name); size > 0 {
		x.volumes[name] = newVolume(x, p, size)
	}
	if cores, memory := x.s.Topology.Limit(name); cores > 0 || memory > 0 {
		x.groups[name] = harness.NewGroup(x, name, harness.Limits{CPU: cores, Memory: memory})
		p.Confine(x.groups[name])
	}
	if x.s.Speed > 1 {
		p.Env = append(p.Env, fmt.Sprint("WEIR_LAB_MEET=", x.meet.UnixNano()))
	}
	if x.s.Build == scenario.StepClock {
		x.clocks[name] = newWallClock(x, p)
	}
	if x.s.Build == scenario.Race {
		p.Env = append(p.Env, "GORACE=halt_on_error=0")
	}
}

// policy writes the document that is put in force at the center.
func (x *site) policy() string {
	p := x.s.Policy
	view := func(name string) map[string]string {
		return map[string]string{"name": name, "size": p.Window.String(), "allowed_lateness": p.Lateness.String()}
	}
	doc := map[string]any{"views": []any{view(schemas.DeviceView), view(schemas.FleetView)}}
	if p.Idle > 0 {
		doc["idle"] = p.Idle.String()
	}
	data, err := json.Marshal(doc)
	name := filepath.Join(x.dir, "policy.json")
	if err == nil {
		err = os.WriteFile(name, data, 0o644)
	}
	if err != nil {
		x.Fatalf("write policy: %v", err)
	}
	return name
}

// startsWithin is a time in which everything has surely started: event time must
// not overtake the wall clock, from where devices cannot be told from those whose
// clocks are fast.
const startsWithin = 2 * time.Minute

// policyWithin bounds how long the policy takes down one tier.
const policyWithin = 30 * time.Second

// start starts everything from the top down, and waits until it is ready and has
// the policy.
func (x *site) start() {
	t := &x.s.Topology
	for _, tier := range [][]string{{scenario.Center}, t.Expand([]string{"regions"}), t.Agents()} {
		for _, name := range tier {
			x.processes[name].Launch()
		}
		for _, name := range tier {
			p := x.processes[name]
			p.Ready()
			harness.Until(x, policyWithin, func() string {
				if _, err := p.Get("/api/v1/policy/default"); err != nil {
					return fmt.Sprintf("%s has no policy: %v", name, err)
				}
				return ""
			})
		}
	}
}

// play starts the devices that play from the start.
func (x *site) play(seed uint64) {
	for i := range x.s.Load {
		if x.s.Load[i].From == 0 {
			x.join(i, seed)
		}
	}
	for _, sim := range x.sims {
		sim.AwaitReceived(1)
	}
	x.started = time.Now()
}

// join starts the devices of one load at each of its agents, as tenants of their
// own.
func (x *site) join(load int, seed uint64) {
	l := &x.s.Load[load]
	for i, name := range x.s.Topology.Expand(l.Agents) {
		x.sims = append(x.sims, x.simulate(l, fmt.Sprintf("t%d-%s", load, name), name, seed+uint64(100*load+i)))
	}
}

func (x *site) simulate(l *scenario.Load, tenant, name string, seed uint64) *harness.Sim {
	p := x.processes[name]
	args := []string{"--mqtt", p.MQTT}
	if door := x.doors[name]; door != nil {
		args = []string{"--mqtt", door.Address}
	}
	if l.Protocol == "nats" {
		args = []string{"--nats", "nats://" + p.NATS}
	}
	for name, value := range map[string]any{
		"qos": *l.QoS, "tenant": tenant, "seed": seed, "devices": l.Devices, "rate": l.Rate, "batch": l.Batch, "pattern": l.Pattern,
		"late": l.Late, "too-late": l.TooLate, "reorder": l.Reorder, "duplicate": l.Duplicate, "future": l.Future, "malformed": l.Malformed,
		"size": x.s.Policy.Window, "lateness": x.s.Policy.Lateness, "for": l.For, "drain": x.s.End.Drain,
	} {
		args = append(args, "--"+name, fmt.Sprint(value))
	}
	if x.s.Speed > 1 {
		args = append(args, "--speed", fmt.Sprint(x.s.Speed), "--meet", x.meet.Format(time.RFC3339Nano))
	}
	return p.Simulate(args...)
}

// names are all processes, those at the top first.
func (x *site) names() []string {
	t := &x.s.Topology
	return slices.Concat([]string{scenario.Center}, t.Expand([]string{"regions"}), t.Agents())
}

// group is the one that a process belongs to.
func (x *site) group(name string) string {
	switch {
	case name == scenario.Center:
		return scenario.Center
	case slices.Contains(x.s.Topology.Agents(), name):
		return "agents"
	}
	return "regions"
}

// String names the site's addresses, for the head of a report.
func (x *site) String() string {
	var b strings.Builder
	for _, name := range x.names() {
		p := x.processes[name]
		fmt.Fprintf(&b, "%-10s %s http %s log %s\n", name, p, p.HTTP, p.LogFile())
	}
	return b.String()
}
