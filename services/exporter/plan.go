package exporter

import (
	"encoding/json"
	"maps"
	"slices"

	"weir/schemas"
)

// plan is what the policy of a tier wants exported.
type plan struct {
	exporters []schemas.Exporter
	counters  []string // views that keep increases, sorted
}

// planOf reads the documents of the bucket POLICY, by key. The exporters are those
// of the default document and, at a region that is a process of its own, of its
// layer.
func planOf(documents map[string][]byte, tier schemas.Tier, region string) (plan, error) {
	layers := [][]byte{documents["default"]}
	if region != "" {
		layers = append(layers, documents["region."+region])
	}
	whole, err := schemas.MergeLayers(layers...)
	if err != nil {
		return plan{}, err
	}
	policy, err := schemas.ParsePolicy(whole)
	if err != nil {
		return plan{}, err
	}
	p := plan{counters: counters(documents)}
	for _, e := range policy.Exporters {
		if schemas.Tier(e.At) == tier {
			p.exporters = append(p.exporters, e)
		}
	}
	return p, nil
}

// counters are the views that any layer makes counters: what a view is holds for
// all agents.
func counters(documents map[string][]byte) []string {
	type rules struct {
		Views []struct {
			Name string
			Kind schemas.ViewKind
		}
	}
	found := map[string]bool{}
	note := func(r rules) {
		for _, v := range r.Views {
			if v.Kind == schemas.Counter {
				found[v.Name] = true
			}
		}
	}
	for _, document := range documents {
		var d struct {
			rules
			Classes, Tenants map[string]rules
		}
		if json.Unmarshal(document, &d) != nil {
			continue // policy refuses it
		}
		note(d.rules)
		for _, r := range d.Classes {
			note(r)
		}
		for _, r := range d.Tenants {
			note(r)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// choice is what an exporter sends.
func (p plan) choice(e *schemas.Exporter) choice {
	return choice{
		want:     e.Exports,
		counter:  func(view string) bool { _, is := slices.BinarySearch(p.counters, view); return is },
		delta:    e.Temporality == schemas.Delta,
		findings: e.Findings, logs: e.Logs,
	}
}

// setup names what sums depend on: an exporter whose setup changes begins them anew.
func (p plan) setup(e *schemas.Exporter) string {
	b, err := json.Marshal([]any{e.Kind, e.Views, e.Temporality, p.counters})
	if err != nil {
		panic("BUG: encode an exporter's setup: " + err.Error())
	}
	return string(b)
}
