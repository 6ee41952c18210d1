package policy

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir/schemas"
)

// Keys of the bucket.
const (
	DefaultKey  = "default"
	agentPrefix = "agent."
)

// AgentKey is the key of an agent's own layer.
func AgentKey(agent string) string { return agentPrefix + agent }

// Language is what the service must know of the language of documents.
type Language struct {
	// BuiltIn is the document on which the default is put.
	BuiltIn []byte
	// Merge puts a layer on top of a document.
	Merge func(document, layer []byte) ([]byte, error)
	// Check makes a whole document of a merged one, or says what is wrong with
	// it, naming the field.
	Check func(document []byte) (Whole, error)
}

// Whole is a valid document.
type Whole struct {
	Document []byte  // with every default written out: a later program reads the same in it
	Lengths  []int64 // sizes and hops of its views, ns; not empty, each > 0
	NotUntil int64   // event time before which its views are not wanted, Unix ns; 0: as soon as possible
}

// layer is the last good document of a key.
type layer struct {
	revision uint64
	document []byte // nil: none, or deleted
}

// effective is what results for one agent.
type effective struct {
	revision uint64 // the newest of the layers in it; 0: built in
	Whole
}

// report is what an agent reports that has it.
func (e effective) report() Reported {
	return Reported{Revision: e.revision, Hash: schemas.Hash(e.Document), Lengths: e.Lengths}
}

// desired folds the revisions of the bucket into what each agent should have.
type desired struct {
	language Language
	agents   []string
	shared   bool                 // agents cannot differ
	layers   map[string]layer     // by key
	agent    map[string]effective // by name; all of them, always valid
}

// newDesired gives every agent the built-in document.
func newDesired(agents []string, shared bool, l Language) (*desired, error) {
	d := &desired{language: l, agents: agents, shared: shared, layers: map[string]layer{}, agent: map[string]effective{}}
	builtIn, err := d.combine()
	if err != nil {
		return nil, fmt.Errorf("built-in policy: %w", err)
	}
	for _, a := range agents {
		d.agent[a] = builtIn
	}
	return d, nil
}

// errForeignAgent says that a key is for an agent that runs elsewhere.
var errForeignAgent = errors.New("no agent of that name runs in this process")

// put takes the next revision of a key; a nil document deletes it. It returns
// the agents that should have another document now, and what was refused.
func (d *desired) put(key string, revision uint64, document []byte) (changed []string, err error) {
	next := layer{revision: revision, document: document}
	agent, isAgent := strings.CutPrefix(key, agentPrefix)
	switch {
	case key == DefaultKey:
		return d.putDefault(next)
	case !isAgent:
		return nil, fmt.Errorf("key %s is unknown: use %s or %sNAME", key, DefaultKey, agentPrefix)
	case !slices.Contains(d.agents, agent):
		return nil, fmt.Errorf("key %s: %w", key, errForeignAgent)
	case d.shared:
		return nil, fmt.Errorf("key %s: the agents of this process share the document %s: change that one", key, DefaultKey)
	}
	e, err := d.combine(d.layers[DefaultKey], next)
	if err != nil {
		return nil, fmt.Errorf("key %s revision %d: %w", key, revision, err)
	}
	d.layers[key] = next
	return d.adopt(agent, e), nil
}

// putDefault takes a default that is valid by itself. An agent whose own layer
// does not go with it stays as it is.
func (d *desired) putDefault(next layer) (changed []string, err error) {
	if _, err := d.combine(next); err != nil {
		return nil, fmt.Errorf("key %s revision %d: %w", DefaultKey, next.revision, err)
	}
	d.layers[DefaultKey] = next
	var errs []error
	for _, agent := range d.agents {
		e, err := d.combine(next, d.layers[AgentKey(agent)])
		if err != nil {
			errs = append(errs, fmt.Errorf("key %s revision %d below %s: %w", DefaultKey, next.revision, AgentKey(agent), err))
			continue
		}
		changed = append(changed, d.adopt(agent, e)...)
	}
	return changed, errors.Join(errs...)
}

// combine makes a whole document of the built-in one and layers, lowest first.
func (d *desired) combine(layers ...layer) (e effective, err error) {
	document := d.language.BuiltIn
	for _, l := range layers {
		e.revision = max(e.revision, l.revision)
		if l.document == nil {
			continue
		}
		if document, err = d.language.Merge(document, l.document); err != nil {
			return e, err
		}
	}
	e.Whole, err = d.language.Check(document)
	return e, err
}

// adopt takes over an agent's document and names the agent if that is news.
func (d *desired) adopt(agent string, e effective) []string {
	if old := d.agent[agent]; e.revision == old.revision && bytes.Equal(e.Document, old.Document) {
		return nil
	}
	d.agent[agent] = e
	return []string{agent}
}
