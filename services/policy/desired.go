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
	// Agree says in what the whole document of one agent may not differ from that
	// of others of the process, naming the field. nil: in nothing.
	Agree func(others, one []byte) error
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
	layers   map[string]layer     // by key
	common   effective            // of an agent without a layer
	agent    map[string]effective // by name; all of them, always valid
}

// newDesired gives every agent the built-in document.
func newDesired(agents []string, l Language) (*desired, error) {
	d := &desired{language: l, agents: agents, layers: map[string]layer{}, agent: map[string]effective{}}
	builtIn, err := d.combine()
	if err != nil {
		return nil, fmt.Errorf("built-in policy: %w", err)
	}
	d.common = builtIn
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
	}
	e, err := d.combine(d.layers[DefaultKey], next)
	if err == nil {
		err = d.agreed(agent, e)
	}
	if err != nil {
		return nil, fmt.Errorf("key %s revision %d: %w", key, revision, err)
	}
	d.layers[key] = next
	return d.adopt(agent, e), nil
}

// putDefault takes a default that is valid by itself. An agent whose own layer
// does not go with it stays as it is.
func (d *desired) putDefault(next layer) (changed []string, err error) {
	common, err := d.combine(next)
	if err != nil {
		return nil, fmt.Errorf("key %s revision %d: %w", DefaultKey, next.revision, err)
	}
	d.common, d.layers[DefaultKey] = common, next
	var errs []error
	for _, agent := range d.agents {
		e, err := d.combine(next, d.layers[AgentKey(agent)])
		if err == nil {
			err = d.agree(common, e)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("key %s revision %d below %s: %w", DefaultKey, next.revision, AgentKey(agent), err))
			continue
		}
		changed = append(changed, d.adopt(agent, e)...)
	}
	return changed, errors.Join(errs...)
}

// agreed checks a document of one agent against the common one and those of
// other agents that have a layer of their own. One that does not go with the
// common document itself, because that is newer, is no measure.
func (d *desired) agreed(agent string, e effective) error {
	if err := d.agree(d.common, e); err != nil {
		return err
	}
	for _, other := range d.agents {
		if other == agent || d.layers[AgentKey(other)].document == nil || d.agree(d.common, d.agent[other]) != nil {
			continue
		}
		if err := d.agree(d.agent[other], e); err != nil {
			return fmt.Errorf("it goes with %s, but not with %s: %w", DefaultKey, AgentKey(other), err)
		}
	}
	return nil
}

func (d *desired) agree(others, one effective) error {
	if d.language.Agree == nil || bytes.Equal(others.Document, one.Document) {
		return nil
	}
	return d.language.Agree(others.Document, one.Document)
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
