package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"weir/schemas"
	"weir/services/aggregator"
	"weir/services/console"
	"weir/services/gateway"
	"weir/services/ingest"
	"weir/services/internal/bus"
	"weir/services/internal/datadir"
	"weir/services/internal/run"
	"weir/services/policy"
)

// Names of the services, as `weir run` takes them.
const (
	ingestService     = "ingest"
	policyService     = "policy"
	aggregatorService = "aggregator"
	gatewayService    = "gateway"
	consoleService    = "console"
)

// allServices lists them in the order of the flow.
var allServices = []string{ingestService, policyService, aggregatorService, gatewayService, consoleService}

// plant is what the services of one process share.
type plant struct {
	bus      *bus.Bus
	log      *slog.Logger
	shape    datadir.Shape
	mqtt     string // where ingest listens for MQTT; empty: nowhere
	operator string // password of operators
	http     net.Listener
	healthy  func() error // of the server, where it is ours; else nil
	most     int          // MQTT connections that the machine allows

	ingest *ingest.Service // once it is made: policy applies documents to it
}

// part is a service with a name.
type part struct {
	name string
	run.Service
}

// start makes services and starts them, against the flow: each finds those
// alive that it feeds, and Group.Stop ends them along the flow.
func (p *plant) start(g *run.Group, names []string) error {
	makers := map[string]func() ([]part, error){
		ingestService: p.newIngest, policyService: p.newPolicy, aggregatorService: p.newAggregator,
		gatewayService: p.newGateways, consoleService: p.newConsole,
	}
	var parts []part
	for _, name := range names {
		made, err := makers[name]()
		if err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
		parts = append(parts, made...)
	}
	for _, made := range slices.Backward(parts) {
		g.Start(made.name, made)
	}
	return nil
}

// agentName and regionName name the i-th, from 0.
func agentName(i int) string  { return fmt.Sprintf("a%03d", i+1) }
func regionName(i int) string { return fmt.Sprintf("r%02d", i+1) }

// agents are the logical agents of the process, dealt to the regions in turn.
func (p *plant) agents() []aggregator.Agent {
	all := make([]aggregator.Agent, p.shape.Agents)
	for i := range all {
		all[i] = aggregator.Agent{Name: agentName(i), Region: regionName(i % p.shape.Regions)}
	}
	return all
}

func (p *plant) agentNames() []string {
	names := make([]string, p.shape.Agents)
	for i := range names {
		names[i] = agentName(i)
	}
	return names
}

func regionNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = regionName(i)
	}
	return names
}

func (p *plant) newIngest() ([]part, error) {
	log := p.log.With("service", ingestService)
	j := &journal{Bus: p.bus}
	s, err := ingest.New(ingest.Config{
		Agents: p.agentNames(), MQTT: p.mqtt, MaxConnections: p.most, Prompt: prompt(p.shape.Agents),
		JournalShare: schemas.DefaultSizes().Journal / int64(p.shape.Agents),
	}, ingest.Deps{Log: j, Telemetry: telemetry{p.bus}, Park: p.bus.Publish, Used: j.used, Logger: log})
	p.ingest = s
	return []part{{ingestService, ingestDoor{s, p.bus, j, log}}}, err
}

// prompt is how long a frame waits for more while somebody waits for its answer:
// 20 ms, and longer where many agents share a process, so that together they
// write no more than about 1,250 frames a second.
func prompt(agents int) time.Duration {
	return min(max(20*time.Millisecond, time.Duration(agents)*800*time.Microsecond), 80*time.Millisecond)
}

func (p *plant) newPolicy() ([]part, error) {
	if p.ingest == nil {
		return nil, usageError("policy hands documents to the agents of its process: run it together with ingest")
	}
	s, err := policy.New(policy.Config{Agents: p.agentNames(), Language: language}, p.bus, p.applyPolicy, p.log)
	return []part{{policyService, s}}, err
}

func (p *plant) newAggregator() ([]part, error) {
	s, err := aggregator.New(aggregator.Config{Agents: p.agents(), Compile: compileViews}, p.bus, p.log)
	return []part{{aggregatorService, s}}, err
}

// newGateways makes both tiers, in the order of the flow.
func (p *plant) newGateways() ([]part, error) {
	regions := map[string]string{}
	for _, a := range p.agents() {
		regions[a.Name] = a.Region
	}
	region, err := gateway.New(gateway.RegionConfig(func(agent string) string { return regions[agent] }), p.bus, p.log)
	if err != nil {
		return nil, err
	}
	center, err := gateway.New(gateway.CenterConfig(), p.bus, p.log)
	return []part{{"region gateway", region}, {"center gateway", center}}, err
}

func (p *plant) newConsole() ([]part, error) {
	b := thisBuild()
	s, err := console.New(console.Config{
		Version: b.Version, Revision: b.Revision, GoVersion: b.GoVersion,
		Streams: p.streams(), AgentOf: p.agentOf, OperatorPassword: p.operator,
		Policy: consoleLanguage(), Checks: p.checks(),
	}, p.bus, p.http, p.log.With("service", consoleService))
	return []part{{consoleService, s}}, err
}

func (p *plant) streams() []schemas.Stream {
	return schemas.OneProcess(schemas.DefaultSizes(), regionNames(p.shape.Regions))
}

func (p *plant) agentOf(tenant, device string) string {
	return agentName(schemas.AgentOf(tenant, device, p.shape.Agents))
}

// checks are what readiness depends on beyond what the console asks itself.
func (p *plant) checks() []console.Check {
	if p.healthy == nil {
		return nil
	}
	return []console.Check{{Name: "server", Ready: func(context.Context) error { return p.healthy() }}}
}
