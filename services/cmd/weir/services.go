package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"weir/schemas"
	"weir/services/aggregator"
	"weir/services/console"
	"weir/services/detector"
	"weir/services/forwarder"
	"weir/services/gateway"
	"weir/services/ingest"
	"weir/services/internal/bus"
	"weir/services/internal/certs"
	"weir/services/internal/datadir"
	"weir/services/internal/lease"
	"weir/services/internal/run"
	"weir/services/internal/users"
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

// Names of the services that only a process of one tier runs.
const (
	hubService       = "policy hub" // tells the tier below what policy wants
	forwarderService = "forwarder"  // brings the outbox to the tier above
	cacheService     = "policy cache"
	uplinkService    = "uplink" // forwarder and policy cache of a region, at one of its gateways at a time
)

// allServices lists them in the order of the flow.
var allServices = []string{ingestService, policyService, aggregatorService, detectorService, gatewayService, exporterService, notifyService, consoleService}

// plant is what the services of one process share.
type plant struct {
	bus      *bus.Bus
	log      *slog.Logger
	site     site
	shape    datadir.Shape
	mqtt     string // where ingest listens for MQTT; empty: nowhere
	otlp     otlpOptions
	operator string // password of operators
	http     net.Listener
	healthy  func() error // of the server, where it is ours; else nil
	most     int          // MQTT connections that the machine allows

	durability string // class of the server, where it is ours; else empty

	tls     bus.TLS
	secrets string                      // folder of the files that policy names
	fresh   bool                        // its data folder is new
	people  *users.Users                // nil: anybody may come
	sender  func() (*bus.Sender, error) // a way to the tier above; nil: there is none
	budget  forwarder.Budget            // of the link to it
	down    *bus.Uplink                 // by which commands of the tier above come; nil: the server hears them by itself
	share   *gateway.Leases             // with the other gateways of the region; nil: it is shared with nobody

	ingest  *ingest.Service  // once it is made: policy applies documents to it
	begun   <-chan struct{}  // of the aggregator, once it is made: closed when ingest may write
	hub     *policy.Hub      // once it is made: gateways tell what it has
	cache   *policy.Cache    // once it is made: the forwarder tells it what is above
	uplink  *lease.Keeper    // of a region, once it is made: which of its gateways has the link to the tier above
	gateway *gateway.Service // of a single tier, once it is made: it knows who owns what

	detector *detector.Service // once it is made: what it has not folded stays in the outbox
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
		gatewayService: p.newGateways, consoleService: p.newConsole, detectorService: p.newDetector, notifyService: p.newNotifiers, exporterService: p.newExporters,
		hubService: p.newHub, forwarderService: p.newForwarder, cacheService: p.newCache, uplinkService: p.newUplink,
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

func (p *plant) agents() []aggregator.Agent { return p.site.agentsOf(p.shape) }

func (p *plant) agentNames() []string {
	var names []string
	for _, a := range p.agents() {
		names = append(names, a.Name)
	}
	return names
}

// ready is closed once devices are accepted; where none come, at once.
func (p *plant) ready() <-chan struct{} {
	if p.ingest != nil {
		return p.ingest.Ready()
	}
	at := make(chan struct{})
	close(at)
	return at
}

func (p *plant) mqttAddr() string {
	if p.ingest == nil || p.ingest.Addr() == nil {
		return ""
	}
	return p.ingest.Addr().String()
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
	secure, err := p.mqttTLS()
	if err != nil {
		return nil, err
	}
	c := ingest.Config{
		TLS:    secure,
		Agents: p.agentNames(), MQTT: p.mqtt, MaxConnections: p.most, Prompt: prompt(p.shape.Agents),
		JournalShare: capOf(p.streams(), schemas.StreamJournal) / int64(p.shape.Agents),
	}
	p.otlp.configure(&c)
	s, err := ingest.New(c, ingest.Deps{
		Log: j, Telemetry: telemetry{p.bus}, Park: p.bus.Publish, Used: j.used, Logger: log,
		Users: p.authenticator(), Commands: p.desk(log),
	})
	p.ingest = s
	return []part{{ingestService, p.afterBegun(ingestDoor{s, p.bus, j, log})}}, err
}

// mqttTLS is what the MQTT listener speaks; nil: no TLS.
func (p *plant) mqttTLS() (*tls.Config, error) {
	if p.tls.Cert == "" {
		return nil, nil
	}
	c, err := ingest.ServerTLS(p.tls.Cert, p.tls.Key, p.tls.CA)
	if err != nil {
		return nil, err
	}
	pair, err := certs.Read(p.tls.Cert, p.tls.Key, p.log)
	if err != nil {
		return nil, err
	}
	pair.Serve(c)
	return c, nil
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
	s, err := policy.New(policy.Config{Agents: p.agentNames(), Place: p.place, Language: p.site.language()}, p.bus, p.applyPolicy, p.log)
	return []part{{policyService, p.afterFirst(s)}}, err
}

func (p *plant) newAggregator() ([]part, error) {
	c := aggregator.Config{Agents: p.agents(), Compile: compileViews}
	if !p.site.linked || p.site.Role != roleAgent {
		s, err := aggregator.New(c, p.bus, p.log)
		return []part{{aggregatorService, s}}, err
	}
	up, err := p.sender()
	if err != nil {
		return nil, err
	}
	c.Up = up
	s, err := aggregator.New(c, p.bus, p.log)
	if err != nil {
		return nil, err
	}
	p.begun = s.Begun()
	return []part{{aggregatorService, &linkedService{s, up}}}, nil
}

// afterBegun runs ingest once the aggregator of its process lets it write.
func (p *plant) afterBegun(s run.Service) run.Service {
	return run.Func(func(ctx context.Context) error {
		if p.begun != nil {
			select {
			case <-p.begun:
			case <-ctx.Done():
				return nil
			}
		}
		return s.Run(ctx)
	})
}

// newGateways makes those of the site's tiers, in the order of the flow.
func (p *plant) newGateways() ([]part, error) {
	if p.site.Role != "" {
		c := gateway.InboxConfig(p.inbox())
		c.Leases = p.share
		s, err := gateway.New(c, p.bus, p.log)
		p.gateway = s
		return []part{{gatewayService, s}}, err
	}
	regions := map[string]string{} // asked for each message
	for _, a := range p.agents() {
		regions[a.Name] = a.Region
	}
	r := gateway.RegionConfig(func(agent string) string { return regions[agent] })
	r.Needed = p.needed(schemas.TierAgent)
	region, err := gateway.New(r, p.bus, p.log)
	if err != nil {
		return nil, err
	}
	c := gateway.CenterConfig()
	c.Needed = p.needed(schemas.TierRegion)
	center, err := gateway.New(c, p.bus, p.log)
	return []part{{"region gateway", region}, {"center gateway", center}}, err
}

func (p *plant) newConsole() ([]part, error) {
	b := thisBuild()
	s, err := console.New(console.Config{
		Version: b.Version, Revision: b.Revision, GoVersion: b.GoVersion,
		Streams: p.streams(), Tiers: p.site.tiers(), Region: p.site.Region, NoDevices: len(p.agents()) == 0,
		AgentOf: p.agentOf, OperatorPassword: p.operator,
		Policy: p.consoleLanguage(), Checks: p.checks(),
	}, p.bus, p.http, p.log.With("service", consoleService))
	return []part{{consoleService, s}}, err
}

func (p *plant) streams() []schemas.Stream {
	return p.site.streamsOf(p.shape)
}

func (p *plant) agentOf(tenant, device string) string {
	if p.site.Role == roleAgent {
		return p.site.Name
	}
	return agentName(schemas.AgentOf(tenant, device, p.shape.Agents))
}

// checks are what readiness depends on beyond what the console asks itself.
func (p *plant) checks() []console.Check {
	if p.healthy == nil {
		return nil
	}
	all := []console.Check{{Name: "server", Ready: func(context.Context) error { return p.healthy() }}}
	if p.durability != "" { // it always holds: that it is there shows which class is on
		all = append(all, console.Check{Name: "durability " + p.durability, Ready: func(context.Context) error { return nil }})
	}
	if p.gateway != nil {
		all = append(all, p.checkShare())
	}
	return all
}
