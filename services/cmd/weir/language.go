package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"weir/schemas"
	"weir/services/policy"
)

// language is the language of policy documents, as schemas defines it, less
// what the services of this program do not offer.
var language = policy.Language{BuiltIn: builtInPolicy(), Merge: mergePolicy, Check: checkPolicy}

// builtInPolicy is the document on which others are put.
func builtInPolicy() []byte {
	var b bytes.Buffer
	_ = json.Indent(&b, schemas.DefaultPolicy().JSON(), "", "  ") // it is JSON
	return append(b.Bytes(), '\n')
}

func mergePolicy(document, layer []byte) ([]byte, error) {
	return schemas.MergeLayers(document, layer)
}

func checkPolicy(document []byte) (policy.Whole, error) {
	p, err := schemas.ParsePolicy(document)
	if err == nil {
		err = offered(p)
	}
	if err != nil {
		return policy.Whole{}, err
	}
	return policy.Whole{Document: p.JSON(), Lengths: p.Lengths(), NotUntil: int64(p.EffectiveFrom)}, nil
}

// offered refuses what documents may say but the windows do not know yet, so
// that nobody waits for something that never comes.
func offered(p *schemas.Policy) error {
	refuse := func(field, value string) error {
		return &schemas.PolicyError{Problems: []schemas.Problem{{Path: field, Value: value, Want: "attributes are not offered in views yet: leave it out"}}}
	}
	for _, s := range scopesOf(p) {
		for _, v := range s.views {
			if len(v.Match.Attrs) > 0 {
				return refuse(fmt.Sprintf("views[%q].match.attrs", v.Name), "")
			}
			for _, dim := range v.GroupBy {
				if strings.HasPrefix(dim, "attrs.") {
					return refuse(fmt.Sprintf("views[%q].group_by", v.Name), dim)
				}
			}
		}
	}
	return nil
}

// applyPolicy journals a document, which all agents share, and puts its limits
// in force.
func (p *plant) applyPolicy(ctx context.Context, changes []policy.Change) error {
	c := changes[0].Config
	document, err := schemas.ParsePolicy(c.Document)
	if err != nil {
		return fmt.Errorf("%w: %w", policy.ErrRefused, err)
	}
	return p.ingest.SetConfig(ctx, c, ingestSettings(document))
}
