package main

import (
	"iter"
	"maps"
	"reflect"
	"slices"

	"weir/pkg/sketch"
	"weir/pkg/window"
	"weir/schemas"
	"weir/services/aggregator"
	"weir/services/ingest"
)

// compileViews turns a document into what windows are made by.
func compileViews(document []byte) (*aggregator.Settings, error) {
	p, err := schemas.ParsePolicy(document)
	if err != nil {
		return nil, err
	}
	return &aggregator.Settings{
		Views:   aggregatorViews(p),
		Sources: window.Config{Disorder: int64(p.Disorder), Idle: int64(p.Idle), Grace: int64(p.ReconnectGrace)},
		MaxPast: int64(p.MaxPast),
		MaxSets: p.Limits.SeriesPerDevice,
		ClassOf: p.ClassOf,
	}, nil
}

// owner is a tenant and a class that the policy names; "" is every other one.
type owner struct{ tenant, class string }

// ownerOf is the owner whose rules a device follows.
func ownerOf(p *schemas.Policy, tenant, class string) owner {
	var o owner
	if _, named := p.Tenants[tenant]; named {
		o.tenant = tenant
	}
	if _, named := p.Classes[class]; named {
		o.class = class
	}
	return o
}

// ownersOf lists all of them, everybody else last.
func ownersOf(p *schemas.Policy) iter.Seq[owner] {
	return func(yield func(owner) bool) {
		for _, tenant := range append(slices.Sorted(maps.Keys(p.Tenants)), "") {
			for _, class := range append(slices.Sorted(maps.Keys(p.Classes)), "") {
				if !yield(owner{tenant, class}) {
					return
				}
			}
		}
	}
}

// scope is the owners that share the same views.
type scope struct {
	owners map[owner]bool
	views  schemas.Views
}

// scopesOf sorts owners by their views; that of everybody else comes last.
func scopesOf(p *schemas.Policy) []scope {
	everybody := scope{owners: map[owner]bool{{}: true}, views: p.Views}
	var all []scope
	for o := range ownersOf(p) {
		views := p.For(o.tenant, o.class).Views
		same := func(s scope) bool { return reflect.DeepEqual(s.views, views) }
		if same(everybody) {
			everybody.owners[o] = true
		} else if i := slices.IndexFunc(all, same); i >= 0 {
			all[i].owners[o] = true
		} else {
			all = append(all, scope{owners: map[owner]bool{o: true}, views: views})
		}
	}
	return append(all, everybody)
}

// aggregatorViews lists the views of all scopes. Those that every record is
// classed by come first, and among views of one name that of everybody is last:
// the aggregator takes what is general from the last one.
func aggregatorViews(p *schemas.Policy) []aggregator.View {
	var device, others []aggregator.View
	scopes := scopesOf(p)
	for _, s := range scopes {
		for i := range s.views {
			v := aggregatorView(p, &s.views[i])
			if len(scopes) > 1 {
				v.Match = within(p, s.owners, v.Match)
			}
			if v.Name == schemas.DeviceView {
				device = append(device, v)
			} else {
				others = append(others, v)
			}
		}
	}
	return append(device, others...)
}

func aggregatorView(p *schemas.Policy, v *schemas.View) aggregator.View {
	c := aggregator.View{
		Name: v.Name, Dims: v.GroupBy,
		Spec:    window.Spec{Size: int64(v.Size), Hop: int64(v.Hop), Lateness: int64(v.AllowedLateness)},
		Sketch:  sketch.Config{Scale: v.Scale, ZeroWidth: v.ZeroWidth},
		Counter: v.Kind == schemas.Counter, Uplink: v.Uplink.Tier(), Publish: v.Publish,
	}
	if m := v.Match; !m.IsZero() {
		c.Attrs = slices.Sorted(maps.Keys(m.Attrs))
		c.Match = func(d *aggregator.DeviceID, metric string, attrs aggregator.Attributes) bool {
			return m.Holds(d.Tenant, d.Class, d.Device, metric, attrs.Get)
		}
	}
	return c
}

// within narrows a match to the devices of some owners.
func within(p *schemas.Policy, owners map[owner]bool, match aggregator.Match) aggregator.Match {
	return func(d *aggregator.DeviceID, metric string, attrs aggregator.Attributes) bool {
		return owners[ownerOf(p, d.Tenant, d.Class)] && (match == nil || match(d, metric, attrs))
	}
}

// ingestSettings is what ingest judges readings by.
func ingestSettings(p *schemas.Policy) ingest.Settings {
	s := ingest.Settings{
		Rules: ingestRules(p, &p.Rules), Own: map[ingest.Owner]*ingest.Rules{}, ClassOf: p.ClassOf, Wants: attributesOf(p),
		Devices: p.Limits.Devices, Tenants: p.Limits.Tenants, Connections: p.Limits.Connections,
	}
	for o := range ownersOf(p) {
		if o != (owner{}) {
			r := ingestRules(p, p.For(o.tenant, o.class))
			s.Own[ingest.Owner{Tenant: o.tenant, Class: o.class}] = &r
		}
	}
	return s
}

func ingestRules(p *schemas.Policy, r *schemas.Rules) ingest.Rules {
	formats := map[schemas.PayloadFormat]ingest.Format{schemas.FormatJSON: ingest.JSON, schemas.FormatMsgpack: ingest.Msgpack}
	return ingest.Rules{
		Format: formats[r.PayloadFormat], MaxFuture: int64(p.MaxFuture),
		Payload: int(r.Limits.Payload), Depth: r.Limits.Depth, Readings: r.Limits.ReadingsPerMessage,
		Metrics: r.Limits.MetricsPerReading, Series: r.Limits.SeriesPerDevice,
		LogRate: r.Limits.LogsPerSecond, LogBurst: r.Limits.LogsAtOnce, LogSize: int(r.Limits.LogSize),
	}
}
