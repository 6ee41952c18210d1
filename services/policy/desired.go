package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// desired folds the revisions of the bucket into what each agent of a process
// should have.
type desired struct {
	*layers
	agents []resident
	agent  map[string]effective // by name; all of them, always valid
	behind map[string]error     // agents that stay at an older document than their layers make, and why
}

// resident is an agent of the process.
type resident struct {
	name string
	keys []string // of its layers, lowest first
}

// newDesired gives every agent the built-in document. place says where an agent
// stands; nil: each has the default and its own layer only.
func newDesired(agents []string, place func(agent string) Place, l Language) (*desired, error) {
	all, err := newLayers(l)
	if err != nil {
		return nil, err
	}
	d := &desired{layers: all, agent: map[string]effective{}, behind: map[string]error{}}
	for _, name := range agents {
		var p Place
		if place != nil {
			p = place(name)
		}
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("place of agent %s: %w", name, err)
		}
		d.agents = append(d.agents, resident{name, p.LayersOf(name)})
		d.agent[name] = all.common
	}
	return d, nil
}

// errForeign says that a key concerns agents that run elsewhere.
var errForeign = errors.New("it concerns no agent of this process")

// put takes the next revision of a key; a nil document deletes it. It returns
// the agents that should have another document now, and what was refused: the
// layer itself, or that it goes with other layers of an agent.
func (d *desired) put(key string, revision uint64, document []byte) (changed []string, err error) {
	if CheckKey(key) == nil && !d.concerns(key) {
		return nil, fmt.Errorf("key %s: %w", key, errForeign)
	}
	if err := d.layers.put(key, layer{revision, document}); err != nil {
		return nil, err
	}
	return d.settle(key)
}

func (d *desired) concerns(key string) bool {
	return slices.ContainsFunc(d.agents, func(a resident) bool { return slices.Contains(a.keys, key) })
}

// settle gives the agents below a key, and those that are behind, what their
// layers make. Who cannot have it stays as it is.
func (d *desired) settle(key string) (changed []string, err error) {
	var below []resident
	for _, a := range d.agents {
		if slices.Contains(a.keys, key) || d.behind[a.name] != nil {
			below = append(below, a)
		}
	}
	made := d.make(below)
	for _, a := range below {
		if d.behind[a.name] == nil && d.adopt(a.name, made[a.name]) {
			changed = append(changed, a.name)
		}
	}
	return changed, d.problems(key, below)
}

// make combines the layers of some agents and says which of them stay behind.
func (d *desired) make(below []resident) map[string]effective {
	type result struct {
		effective
		err error
	}
	made, results := map[string]effective{}, map[string]result{} // by agent; by keys, as most agents share them
	for _, a := range below {
		keys := d.present(a.keys)
		r, known := results[strings.Join(keys, " ")]
		if !known {
			r.effective, r.err = d.chain(keys)
			results[strings.Join(keys, " ")] = r
		}
		made[a.name] = r.effective
		d.stay(a.name, r.err)
	}
	others := d.settled(below)
	for _, a := range below {
		if d.behind[a.name] == nil {
			d.stay(a.name, others.take(a.name, made[a.name], d.agree))
		}
	}
	return made
}

// stay marks an agent as behind, or not.
func (d *desired) stay(agent string, why error) {
	delete(d.behind, agent)
	if why != nil {
		d.behind[agent] = why
	}
}

// present are those of some keys that have a document, or had one.
func (d *desired) present(keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { _, is := d.good[k]; return !is })
}

// company are documents in force that differ in what they share, by that, each
// with an agent that has it.
type company map[string]companion

type companion struct {
	agent string
	effective
}

// settled are the documents of the agents that are not about to change. One that
// does not go with the common one, because that is newer, is no measure.
func (d *desired) settled(below []resident) company {
	changing := map[string]bool{}
	for _, a := range below {
		changing[a.name] = d.behind[a.name] == nil
	}
	all := company{}
	for _, a := range d.agents {
		e := d.agent[a.name]
		if _, known := all[e.shared()]; !known && !changing[a.name] && d.agree(d.common, e) == nil {
			all[e.shared()] = companion{a.name, e}
		}
	}
	return all
}

// take adds an agent's document if it goes with all others.
func (c company) take(agent string, e effective, agree func(others, one effective) error) error {
	if _, known := c[e.shared()]; known {
		return nil
	}
	for _, other := range slices.SortedFunc(maps.Values(c), func(a, b companion) int { return strings.Compare(a.agent, b.agent) }) {
		if err := agree(other.effective, e); err != nil {
			return fmt.Errorf("agent %s would differ from agent %s: %w", agent, other.agent, err)
		}
	}
	c[e.shared()] = companion{agent, e}
	return nil
}

// adopt takes over an agent's document and reports whether that is news.
func (d *desired) adopt(agent string, e effective) bool {
	news := !d.agent[agent].same(e)
	d.agent[agent] = e
	return news
}

// problems says which layers do not go with a key's newest one, each once.
func (d *desired) problems(key string, below []resident) error {
	var all []error
	said := map[string]bool{}
	for _, a := range below {
		why := d.behind[a.name]
		if why == nil || !slices.Contains(a.keys, key) || said[why.Error()] {
			continue
		}
		said[why.Error()] = true
		all = append(all, fmt.Errorf("key %s revision %d: %w", key, d.good[key].revision, why))
	}
	return few(all)
}
