package schemas

import (
	"fmt"
	"reflect"
	"slices"
)

// ItemRule says what is done to the spans, data points or log records that come
// over OTLP, before anything counts them. docs/rules.md is the reference.
type ItemRule struct {
	Name       string      `json:"name" jsonschema:"1 to 64 letters, digits, - or _. What the rule does is counted under it."`
	On         ItemKind    `json:"on" jsonschema:"What the rule looks at: spans, points (data points of metrics) or logs (log records)."`
	Tenants    []string    `json:"tenants,omitempty" jsonschema:"Names of tenants, with * and ?. Left out: all."`
	Conditions []string    `json:"conditions,omitempty" jsonschema:"OTTL conditions: an item meets them if it meets any. Left out: all items do; only for transform."`
	Action     RuleAction  `json:"action" jsonschema:"drop: items that meet the conditions go no further. keep: only items that meet them go on. transform: statements are run on them. pass: log records that meet them are passed through to the region, the center and exporters, within limits, if all rules keep them."`
	Statements []string    `json:"statements,omitempty" jsonschema:"transform: OTTL statements, run in order."`
	OnError    RuleFailure `json:"on_error" jsonschema:"What becomes of an item on which the rule fails: it is kept as it then is, or dropped."`
}

// ItemKind is a kind of item that comes over OTLP.
type ItemKind string

// The kinds of items.
const (
	OnSpans  ItemKind = "spans"
	OnPoints ItemKind = "points"
	OnLogs   ItemKind = "logs"
)

func (ItemKind) choices() []string {
	return []string{string(OnSpans), string(OnPoints), string(OnLogs)}
}

// RuleAction is what a rule does.
type RuleAction string

// The actions.
const (
	DropItems      RuleAction = "drop"
	KeepItems      RuleAction = "keep"
	TransformItems RuleAction = "transform"
	PassItems      RuleAction = "pass"
)

func (RuleAction) choices() []string {
	return []string{string(DropItems), string(KeepItems), string(TransformItems), string(PassItems)}
}

// RuleFailure is what becomes of an item on which a rule fails.
type RuleFailure string

// What becomes of it.
const (
	FailedKept    RuleFailure = "keep"
	FailedDropped RuleFailure = "drop"
)

func (RuleFailure) choices() []string { return []string{string(FailedKept), string(FailedDropped)} }

// Bounds of rules.
const (
	MaxItemRules = 32
	MaxRuleTexts = 32   // conditions of a rule, and statements
	MaxRuleText  = 4096 // bytes of one of them
)

// ItemRules are those of a policy, in the order in which they are applied.
type ItemRules []ItemRule

// itemRules binds each entry over the defaults.
func (b *binder) itemRules(path string, v any, into *ItemRules) {
	list, ok := v.([]any)
	if !ok {
		b.refuse(path, v, "want an array of rules")
		return
	}
	*into = nil
	for i := range list {
		r := ItemRule{OnError: FailedKept}
		b.value(fmt.Sprintf("%s[%d]", path, i), list[i], reflect.ValueOf(&r).Elem())
		*into = append(*into, r)
	}
}

// itemRules checks what they mean. Whether their OTTL can be compiled is for who
// has a compiler.
func (c *checker) itemRules() {
	all := c.policy.ItemRules
	c.want(len(all) <= MaxItemRules, "rules", len(all), "want at most %d", MaxItemRules)
	for i := range all {
		at := fmt.Sprintf("rules[%d].", i)
		c.itemRule(at, &all[i])
		same := slices.ContainsFunc(all[:i], func(r ItemRule) bool { return r.Name == all[i].Name })
		c.want(!same, at+"name", all[i].Name, "another rule has that name, and what it does is counted under it: choose another name")
	}
}

func (c *checker) itemRule(at string, r *ItemRule) {
	c.want(ValidName(r.Name), at+"name", r.Name, "use 1 to %d letters, digits, '-' or '_'", MaxNameLen)
	c.want(r.On != "", at+"on", r.On, "want %s", oneOf(r.On.choices()))
	c.want(r.Action != "", at+"action", r.Action, "want %s", oneOf(r.Action.choices()))
	c.want(r.Action != PassItems || r.On == OnLogs || r.On == "", at+"action", r.Action, "only log records are passed through: use it on logs")
	for i, t := range r.Tenants {
		c.glob(fmt.Sprintf("%stenants[%d]", at, i), t)
	}
	transforms := r.Action == TransformItems
	c.want(transforms || r.Action == "" || len(r.Conditions) > 0, at+"conditions", len(r.Conditions), "say which items to %s", r.Action)
	c.want(transforms || r.Action == "" || len(r.Statements) == 0, at+"statements", len(r.Statements), "only transform has statements: leave them out")
	c.want(!transforms || len(r.Statements) > 0, at+"statements", len(r.Statements), "say what to change, such as %s", `set(attributes["edge.region"], "north")`)
	c.ruleTexts(at+"conditions", r.Conditions)
	c.ruleTexts(at+"statements", r.Statements)
}

func (c *checker) ruleTexts(path string, texts []string) {
	c.want(len(texts) <= MaxRuleTexts, path, len(texts), "want at most %d", MaxRuleTexts)
	for i, t := range texts {
		c.want(len(t) <= MaxRuleText, fmt.Sprintf("%s[%d]", path, i), len(t), "want at most %d bytes", MaxRuleText)
	}
}
