package rules

import (
	"context"
	"fmt"
	"slices"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottldatapoint"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottllog"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"weir/schemas"
)

// Count is what a rule did.
type Count struct {
	Rule    string
	On      schemas.ItemKind
	Hits    uint64 // items that met its conditions
	Drops   uint64 // items that it dropped, those on which it failed included
	Errors  uint64 // items on which it failed
	Failure string // why, of the first of them
}

// Run applies a program to the items of one tenant and counts. It is for one
// goroutine.
type Run struct {
	spans  []step[*ottlspan.TransformContext]
	points []step[*ottldatapoint.TransformContext]
	logs   []step[*ottllog.TransformContext]
	counts []Count // by rule of the program
}

// For is a run over items of a tenant.
func (p *Program) For(tenant string) *Run {
	r := &Run{counts: p.Counts()}
	mine := func(rule int) bool {
		t := p.rules[rule].Tenants
		return len(t) == 0 || slices.ContainsFunc(t, func(pattern string) bool { return schemas.Glob(pattern, tenant) })
	}
	r.spans, r.points, r.logs = only(p.spans, mine), only(p.points, mine), only(p.logs, mine)
	return r
}

// Counts names the rules of a program, with nothing counted yet.
func (p *Program) Counts() []Count {
	all := make([]Count, len(p.rules))
	for i := range p.rules {
		all[i].Rule, all[i].On = p.rules[i].Name, p.rules[i].On
	}
	return all
}

// only are those steps whose rule some test holds of: mostly all.
func only[K any](steps []step[K], mine func(rule int) bool) []step[K] {
	foreign := func(s step[K]) bool { return !mine(s.rule) }
	if !slices.ContainsFunc(steps, foreign) {
		return steps
	}
	return slices.DeleteFunc(slices.Clone(steps), foreign)
}

// Counts is what each rule of the program did in this run.
func (r *Run) Counts() []Count { return r.counts }

// Span applies the rules to a span. It returns why the span is dropped; empty: it
// goes on.
func (r *Run) Span(resource ptrace.ResourceSpans, scope ptrace.ScopeSpans, s ptrace.Span) schemas.Reason {
	if len(r.spans) == 0 {
		return ""
	}
	item := ottlspan.NewTransformContext(resource, scope, s)
	defer item.Close()
	why, _ := apply(r.spans, r.counts, item)
	return why
}

// JudgesPoints reports whether there are rules for data points.
func (r *Run) JudgesPoints() bool { return len(r.points) > 0 }

// Point applies the rules to a data point of a metric, of any of pdata's types.
func (r *Run) Point(resource pmetric.ResourceMetrics, scope pmetric.ScopeMetrics, m pmetric.Metric, point any) schemas.Reason {
	item := ottldatapoint.NewTransformContext(resource, scope, m, point)
	defer item.Close()
	why, _ := apply(r.points, r.counts, item)
	return why
}

// Log applies the rules to a log record. It also returns whether one that goes on is to be
// passed through.
func (r *Run) Log(resource plog.ResourceLogs, scope plog.ScopeLogs, l plog.LogRecord) (why schemas.Reason, pass bool) {
	if len(r.logs) == 0 {
		return "", false
	}
	item := ottllog.NewTransformContext(resource, scope, l)
	defer item.Close()
	return apply(r.logs, r.counts, item)
}

// step is one rule, compiled for items of type K.
type step[K any] struct {
	rule        int // of the program
	action      schemas.RuleAction
	dropsFailed bool
	conditions  []*ottl.Condition[K]
	statements  []*ottl.Statement[K]
}

// apply applies steps in order until one drops the item. pass is whether one that none drops
// is to be passed through.
func apply[K any](steps []step[K], counts []Count, item K) (why schemas.Reason, pass bool) {
	for i := range steps {
		s := &steps[i]
		why, passes := s.judge(&counts[s.rule], item)
		if why != "" {
			counts[s.rule].Drops++
			return why, false
		}
		pass = pass || passes
	}
	return "", pass
}

// judge applies the rule to an item and says why it drops it, or whether it passes it through.
func (s *step[K]) judge(c *Count, item K) (why schemas.Reason, passes bool) {
	met, err := s.try(item)
	if met {
		c.Hits++
	}
	switch {
	case err != nil:
		c.failed(err)
		if s.dropsFailed {
			return schemas.RuleFailed, false
		}
	case met && s.action == schemas.DropItems, !met && s.action == schemas.KeepItems:
		return schemas.ByRule, false
	}
	return "", met && err == nil && s.action == schemas.PassItems
}

// maxFailure is how much is kept of why a rule failed, in bytes: a sender's data
// may be in it.
const maxFailure = 300

func (c *Count) failed(err error) {
	c.Errors++
	if c.Failure == "" {
		c.Failure = fmt.Sprintf("%.*s", maxFailure, err.Error())
	}
}

// try reports whether an item meets the conditions, and then runs the statements.
func (s *step[K]) try(item K) (met bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panics: %v", p)
		}
	}()
	ctx := context.Background() // nothing in here waits
	if met, err = s.meets(ctx, item); !met || err != nil {
		return met, err
	}
	for _, statement := range s.statements {
		if _, _, err := statement.Execute(ctx, item); err != nil {
			return true, err
		}
	}
	return true, nil
}

// meets reports whether an item meets any condition.
func (s *step[K]) meets(ctx context.Context, item K) (bool, error) {
	for _, c := range s.conditions {
		if met, err := c.Eval(ctx, item); met || err != nil {
			return met && err == nil, err
		}
	}
	return len(s.conditions) == 0, nil
}
