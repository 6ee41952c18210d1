package ingest

import (
	"cmp"
	"slices"
	"sync"

	"weir/schemas"
	"weir/services/internal/otlp"
	"weir/services/internal/rules"
)

// ruling applies the rules of policy to the items of one request: to each device's
// those of its agent. The zero ruling has none.
type ruling struct {
	runs []ruled
}

// ruled is a program in use and the revision of the policy that it is of.
type ruled struct {
	program  *rules.Program
	revision uint64
	run      *rules.Run
}

// judge is who applies rules to the items of a tenant's devices; nil: no agent has
// any.
func (s *Service) judge(tenant string, signal schemas.Signal, r *ruling) func(device string) otlp.Judge {
	if !slices.ContainsFunc(s.agents, func(a *agent) bool { return a.settings.Load().Items != nil }) {
		return nil
	}
	return func(device string) otlp.Judge {
		return r.under(s.routeOf(tenant, device, signal).agent.settings.Load(), tenant)
	}
}

// under is who applies the rules of some settings; nil: they have none.
func (r *ruling) under(set *Settings, tenant string) otlp.Judge {
	if set.Items == nil {
		return nil
	}
	for _, known := range r.runs {
		if known.program == set.Items && known.revision == set.revision {
			return known.run
		}
	}
	one := ruled{set.Items, set.revision, set.Items.For(tenant)}
	r.runs = append(r.runs, one)
	return one.run
}

// RuleStatus is what a rule did under one revision of policy since the process
// started.
type RuleStatus struct {
	Revision uint64
	rules.Count
}

// ruleKey tells apart what is counted of rules.
type ruleKey struct {
	rule     string
	on       schemas.ItemKind
	revision uint64
}

// keptRevisions is how many revisions of policy are counted that are in force no
// more.
const keptRevisions = 3

// ruleCounts are what rules did. Safe for concurrent use.
type ruleCounts struct {
	mu sync.Mutex
	by map[ruleKey]*RuleStatus
}

// follow counts the rules that are in force, and forgets those that no longer are
// for long.
func (c *ruleCounts) follow(agents []*agent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	inForce := map[uint64]bool{}
	for _, a := range agents {
		if set := a.settings.Load(); set != nil && set.Items != nil {
			inForce[set.revision] = true
			c.add(set.revision, set.Items.Counts())
		}
	}
	var past []uint64
	for k := range c.by {
		if !inForce[k.revision] && !slices.Contains(past, k.revision) {
			past = append(past, k.revision)
		}
	}
	slices.Sort(past)
	for k := range c.by {
		if !inForce[k.revision] && k.revision < past[max(0, len(past)-keptRevisions)] {
			delete(c.by, k)
		}
	}
}

// count adds what the rules of a request did. It returns those that have failed for
// the first time under their revision.
func (c *ruleCounts) count(r *ruling) (failed []RuleStatus) {
	if len(r.runs) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range r.runs {
		failed = append(failed, c.add(r.runs[i].revision, r.runs[i].run.Counts())...)
	}
	return failed
}

func (c *ruleCounts) add(revision uint64, counts []rules.Count) (failed []RuleStatus) {
	if c.by == nil {
		c.by = map[ruleKey]*RuleStatus{}
	}
	for _, n := range counts {
		k := ruleKey{n.Rule, n.On, revision}
		s := c.by[k]
		if s == nil {
			s = &RuleStatus{Revision: revision, Count: rules.Count{Rule: n.Rule, On: n.On}}
			c.by[k] = s
		}
		if s.Failure == "" && n.Failure != "" {
			s.Failure = n.Failure
			failed = append(failed, *s)
		}
		s.Hits, s.Drops, s.Errors = s.Hits+n.Hits, s.Drops+n.Drops, s.Errors+n.Errors
	}
	return failed
}

// status lists them all, the newest revision first.
func (c *ruleCounts) status() []RuleStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]RuleStatus, 0, len(c.by))
	for _, s := range c.by {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b RuleStatus) int {
		return cmp.Or(cmp.Compare(b.Revision, a.Revision), cmp.Compare(a.On, b.On), cmp.Compare(a.Rule, b.Rule))
	})
	return all
}
