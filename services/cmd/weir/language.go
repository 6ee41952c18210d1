package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"weir/schemas"
	"weir/services/ingest"
	"weir/services/internal/rules"
	"weir/services/policy"
)

// language is the language of policy documents, as schemas defines it, less
// what the services of this program do not offer.
var language = policy.Language{BuiltIn: builtInPolicy(), Merge: mergePolicy, Check: checkPolicy, Agree: agreePolicies}

// language is that of the site's documents. What holds for a whole process may
// differ between agents that are processes of their own.
func (s site) language() policy.Language {
	l := language
	if s.Role != "" {
		l.Agree = agreeViews
	}
	return l
}

// builtInPolicy is the document on which others are put.
func builtInPolicy() []byte {
	var b bytes.Buffer
	_ = json.Indent(&b, schemas.DefaultPolicy().JSON(), "", "  ") // it is JSON
	return append(b.Bytes(), '\n')
}

// mergePolicy puts a layer on top of a document. Rules of the layer that cannot be
// compiled are refused here, where the text is that somebody wrote: the error names
// line and column in it.
func mergePolicy(document, layer []byte) ([]byte, error) {
	merged, err := schemas.MergeLayers(document, layer)
	if err == nil {
		err = compiles(layer)
	}
	return merged, err
}

func checkPolicy(document []byte) (policy.Whole, error) {
	p, err := schemas.ParsePolicy(document)
	if err == nil {
		err = offered(p)
	}
	if err == nil {
		_, err = rules.Compile(p.ItemRules) // what a journal or an older program brings is in no layer
	}
	if err != nil {
		return policy.Whole{}, err
	}
	return policy.Whole{Document: p.JSON(), Lengths: p.Lengths(), NotUntil: int64(p.EffectiveFrom)}, nil
}

// applyPolicy journals the documents of agents and puts their limits in force.
func (p *plant) applyPolicy(ctx context.Context, changes []policy.Change) error {
	configs := make(map[string]ingest.AgentConfig, len(changes))
	compiled := map[string]ingest.Settings{} // most agents share a document
	for _, c := range changes {
		set, known := compiled[string(c.Config.Document)]
		if !known {
			var err error
			if set, err = p.limitsOf(c.Config.Document); err != nil {
				return fmt.Errorf("%w: agent %s: %w", policy.ErrRefused, c.Agent, err)
			}
			compiled[string(c.Config.Document)] = set
		}
		configs[c.Agent] = ingest.AgentConfig{Config: c.Config, Settings: set}
	}
	return p.ingest.SetConfig(ctx, configs)
}

// limitsOf are the limits of a document. It says aloud what this machine cannot
// give.
func (p *plant) limitsOf(document []byte) (ingest.Settings, error) {
	doc, err := schemas.ParsePolicy(document)
	if err != nil {
		return ingest.Settings{}, err
	}
	if n := doc.Limits.Connections; n > max(p.most, usualConnections) {
		p.log.Warn("fewer devices can connect over MQTT than limits.connections of the policy allows: raise the limit of open files", "allowed", n, "possible", p.most)
	}
	set := ingestSettings(doc)
	if set.Items, err = rules.Compile(doc.ItemRules); err != nil {
		return set, err
	}
	return set, set.Validate()
}
