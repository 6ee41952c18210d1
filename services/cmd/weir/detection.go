package main

import (
	"context"

	"weir/pkg/detect"
	"weir/schemas"
	"weir/services/detector"
	"weir/services/internal/lease"
	"weir/services/internal/run"
	"weir/services/notify"
	"weir/services/policy"
)

const detectorService = "detector"

// newDetector makes who watches what the agents of the process commit.
func (p *plant) newDetector() ([]part, error) {
	s, err := detector.New(detector.Config{Agents: p.agentNames(), Compile: compileDetection}, p.bus, p.log)
	p.detector = s
	return []part{{detectorService, s}}, err
}

const notifyService = "notify"

// newNotifiers makes who tells receivers of findings, for each tier of the process.
func (p *plant) newNotifiers() ([]part, error) {
	tiers := p.site.tiers()
	if len(p.agents()) > 0 && p.site.Role == "" {
		tiers = append([]schemas.Tier{schemas.TierAgent}, tiers...)
	}
	var parts []part
	for _, tier := range tiers {
		s, err := notify.New(notify.Config{Tier: tier, Layers: p.layerKeys(), Secrets: p.secrets, Product: "weir/" + thisBuild().Version}, p.bus, p.log)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{string(tier) + " " + notifyService, p.atOneGateway(s)})
	}
	return parts, nil
}

// layerKeys are the keys of the documents that concern the site, lowest first.
func (p *plant) layerKeys() []string {
	switch p.site.Role {
	case roleAgent:
		return policy.Place{Region: p.site.Region, Group: p.site.group}.LayersOf(p.site.Name)
	case roleRegion:
		return []string{policy.DefaultKey, policy.RegionKey(p.site.Name)}
	}
	return []string{policy.DefaultKey}
}

// atOneGateway tells at one gateway of a region at a time.
func (p *plant) atOneGateway(s run.Service) run.Service {
	if p.share == nil {
		return s
	}
	k := lease.New(lease.Config{
		Store: p.share.Store, Region: p.site.Name + "/" + notifyService, Partitions: 1, Name: p.share.Name, ID: p.share.ID, Times: p.share.Times,
	}, p.log.With("service", notifyService))
	return run.Func(func(ctx context.Context) error {
		return k.Keep(ctx, func(ctx context.Context, _ int) error { return s.Run(ctx) })
	})
}

// needed is the first sequence of a tier's outbox that others than the tier above
// still have to read; nil: nobody has to.
func (p *plant) needed(tier schemas.Tier) func(context.Context) (uint64, error) {
	if tier != schemas.TierAgent {
		return p.exported(tier)
	}
	if p.detector == nil {
		return nil
	}
	return func(context.Context) (uint64, error) { return p.detector.SafeBefore(), nil }
}

// compileDetection turns a document into what detectors look for.
func compileDetection(document []byte) (*detector.Settings, error) {
	p, err := schemas.ParsePolicy(document)
	if err != nil {
		return nil, err
	}
	rules := map[owner]*detector.Rules{}
	for o := range ownersOf(p) {
		rules[o] = detectionRules(p.For(o.tenant, o.class))
	}
	return &detector.Settings{
		ClassOf:   p.ClassOf,
		Rules:     func(tenant, class string) *detector.Rules { return rules[ownerOf(p, tenant, class)] },
		MaxSeries: p.Detect.Series, Grace: int64(p.ReconnectGrace),
	}, nil
}

func detectionRules(r *schemas.Rules) *detector.Rules {
	d := &r.Detect
	return &detector.Rules{
		Off: !d.Enabled, Detector: d.Detector, Budget: d.Budget,
		SilentAfter: int64(d.SilentAfter), SilentGaps: d.SilentGaps, StuckAfter: int64(d.StuckAfter),
		GroupOf: d.GroupOf, GroupWithin: int64(d.GroupWithin),
		Joint: jointRules(d.Joint), Metric: metricRulesOf(d.Metrics), Counter: countersOf(r.Views),
	}
}

func jointRules(groups []schemas.JointMetrics) (joint [][]string) {
	for _, g := range groups {
		joint = append(joint, g.Metrics)
	}
	return joint
}

// metricRulesOf tells the facts of a metric; nil: there are none of any.
func metricRulesOf(sets schemas.MetricSets) func(metric string) *detector.MetricRules {
	if len(sets) == 0 {
		return nil
	}
	known := map[string]*detector.MetricRules{} // by metric, as they come: a device cannot send too many
	return func(metric string) *detector.MetricRules {
		if m, ok := known[metric]; ok {
			return m
		}
		m := metricRules(sets.Of(metric))
		if len(known) < mostMetrics {
			known[metric] = m
		}
		return m
	}
}

// mostMetrics bounds the names that are remembered.
const mostMetrics = 10_000

func metricRules(f *schemas.MetricFacts) *detector.MetricRules {
	if f == nil {
		return nil
	}
	m := &detector.MetricRules{Off: f.Enabled != nil && !*f.Enabled, Low: f.Min, High: f.Max, StuckAfter: int64(f.StuckAfter)}
	if f.MaxRate != nil {
		m.MaxRate = *f.MaxRate
	}
	return m
}

// detectors refuses detectors that this program does not have.
func (r *refusals) detectors(p *schemas.Policy) {
	for o := range ownersOf(p) {
		d := p.For(o.tenant, o.class).Detect
		if _, err := detect.New(d.Detector, detect.Config{Budget: d.Budget}); err != nil {
			r.add(ownerPath(o)+"detect.detector", d.Detector, "%v", err)
		}
	}
}

// ownerPath is where the rules of an owner are written; empty for everybody's.
func ownerPath(o owner) string {
	switch {
	case o.tenant != "":
		return "tenants." + o.tenant + "."
	case o.class != "":
		return "classes." + o.class + "."
	}
	return ""
}

// countersOf tells the metrics of which a view keeps the increase.
func countersOf(views schemas.Views) func(tenant, class, device, metric string) bool {
	var counters []schemas.Match
	for i := range views {
		if views[i].Kind == schemas.Counter {
			counters = append(counters, views[i].Match)
		}
	}
	if len(counters) == 0 {
		return nil
	}
	return func(tenant, class, device, metric string) bool {
		for i := range counters {
			if counters[i].Holds(tenant, class, device, metric, func(string) string { return "" }) {
				return true
			}
		}
		return false
	}
}
