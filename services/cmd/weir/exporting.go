package main

import (
	"context"

	"weir/schemas"
	"weir/services/exporter"
	"weir/services/internal/lease"
	"weir/services/internal/run"
)

// This file makes the services that bring final windows to receivers beyond Weir.

const exporterService = "exporter"

// newExporters makes those of the site's tiers.
func (p *plant) newExporters() ([]part, error) {
	var parts []part
	for _, tier := range p.site.tiers() {
		s, err := exporter.New(exporter.Config{
			Tier: tier, Region: p.layerRegion(), Secrets: p.secrets, Product: "weir/" + thisBuild().Version,
		}, p.bus, p.log)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{string(tier) + " exporter", p.atOne(s)})
	}
	return parts, nil
}

// layerRegion is the region whose layer of policy says what is exported here; empty
// where a process has several, or none.
func (p *plant) layerRegion() string {
	if p.site.Role == roleRegion {
		return p.site.Name
	}
	return ""
}

// atOne runs the exporters at one gateway of a region at a time.
func (p *plant) atOne(s run.Service) run.Service {
	if p.share == nil {
		return s
	}
	k := lease.New(lease.Config{
		Store: p.share.Store, Region: p.site.Name + "/export", Partitions: 1, Name: p.share.Name, ID: p.share.ID, Times: p.share.Times,
	}, p.log.With("service", exporterService))
	return run.Func(func(ctx context.Context) error {
		return k.Keep(ctx, func(ctx context.Context, _ int) error { return s.Run(ctx) })
	})
}

// exported is the first sequence of a tier's outbox that exporters still need.
func (p *plant) exported(tier schemas.Tier) func(context.Context) (uint64, error) {
	if tier == schemas.TierAgent {
		return nil
	}
	return func(ctx context.Context) (uint64, error) { return exporter.Needed(ctx, p.bus, tier) }
}
