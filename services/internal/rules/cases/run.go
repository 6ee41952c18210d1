package cases

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"weir/services/internal/rules"
)

// Result is what became of an item.
type Result struct {
	Name        string       `json:"name"`
	OK          bool         `json:"ok"` // it is as expected
	Outcome     Outcome      `json:"outcome"`
	By          string       `json:"by,omitempty"`     // the rule that dropped it
	Failed      []Failure    `json:"failed,omitempty"` // rules that failed on it
	Differences []Difference `json:"differences,omitempty"`
}

// Failure is a rule that failed, and why.
type Failure struct {
	Rule  string `json:"rule"`
	Error string `json:"error"`
}

// Difference is a field that is not as expected.
type Difference struct {
	Field string `json:"field"`
	Want  any    `json:"want"`
	Got   any    `json:"got"`
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: want %s, got %s", d.Field, shown(d.Want), shown(d.Got))
}

// shown is a value as JSON, and nothing where there is none.
func shown(v any) string {
	if v == nil {
		return "nothing"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// Run tries a program on all items of a file that Read returned. nil is a program
// without rules.
func (f *File) Run(p *rules.Program) []Result {
	if p == nil {
		p = &rules.Program{}
	}
	all := make([]Result, len(f.Items))
	for i := range f.Items {
		it := &f.Items[i]
		all[i] = it.run(p.For(cmp.Or(it.Tenant, f.Tenant, "default")))
	}
	return all
}

func (it *Item) run(run *rules.Run) Result {
	m, err := it.make()
	if err != nil {
		panic(fmt.Sprintf("BUG: item %q was read and cannot be made: %v", it.Name, err))
	}
	r := Result{Name: it.Name, Outcome: Kept}
	why, pass := m.judge(run)
	switch {
	case why != "":
		r.Outcome = Dropped
	case pass:
		r.Outcome = Passed
	}
	var failed []string
	for _, c := range run.Counts() {
		if c.Drops > 0 {
			r.By = c.Rule
		}
		if c.Errors > 0 {
			r.Failed = append(r.Failed, Failure{c.Rule, c.Failure})
			failed = append(failed, c.Rule)
		}
	}
	r.compare("outcome", string(it.Expect), string(r.Outcome))
	if it.By != "" {
		r.compare("by", it.By, r.By)
	}
	if !slices.Equal(it.Failed, failed) {
		r.compare("failed", listed(it.Failed), listed(failed))
	}
	if r.Outcome != Dropped && it.After != nil {
		it.After.compare(&r, m)
	}
	r.OK = len(r.Differences) == 0
	return r
}

// listed is a list as JSON has it; nil: it is empty.
func listed(names []string) any {
	if len(names) == 0 {
		return nil
	}
	return names
}

// compare notes a field that differs.
func (r *Result) compare(field string, want, got any) {
	if !reflect.DeepEqual(want, got) {
		r.Differences = append(r.Differences, Difference{field, want, got})
	}
}

// compare looks at what is expected of an item that was kept.
func (a *After) compare(r *Result, m made) {
	got := m.fields()
	for _, f := range []struct {
		field string
		want  any
		there bool
	}{
		{"name", value(a.Name), a.Name != nil},
		{"kind", value(a.Kind), a.Kind != nil},
		{"status", value(a.Status), a.Status != nil},
		{"metric", value(a.Metric), a.Metric != nil},
		{"unit", value(a.Unit), a.Unit != nil},
		{"value", value(a.Value), a.Value != nil},
		{"body", raw(a.Body), a.Body != nil},
		{"severity", value(a.Severity), a.Severity != nil},
	} {
		if f.there {
			r.compare(f.field, f.want, got[f.field])
		}
	}
	if a.Attributes != nil {
		r.compareMaps("attributes", a.Attributes, got["attributes"].(map[string]any))
	}
	if a.Resource != nil {
		r.compareMaps("resource", a.Resource, m.resource.AsRaw())
	}
}

// compareMaps notes each attribute that differs.
func (r *Result) compareMaps(field string, want, got map[string]any) {
	var keys []string
	for key := range want {
		keys = append(keys, key)
	}
	for key := range got {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		r.compare(fmt.Sprintf("%s[%q]", field, key), raw(want[key]), got[key])
	}
}

// value is what a pointer points at; nil: nothing.
func value[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// raw is a value as pdata gives it back.
func raw(v any) any {
	p := pcommon.NewValueEmpty()
	if p.FromRaw(v) != nil {
		return v
	}
	return p.AsRaw()
}
